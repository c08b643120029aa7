"""What is done with is freed at once. What is left to the garbage collector stops the process for long when it runs:
at a thousand events a second, its runs alone were the slowest answers."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from deliveries.api.ingest import IngestView
from deliveries.engine.send import Sender
from deliveries.engine.wire import Answer
from integrations.types import OutgoingRequest
from tests.conftest import MakeSource
from tests.door import assert_taken, post, track
from tests.test_wire import OK, Receiver


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left(kind: type) -> int:
    return sum(issubclass(type(found), kind) for found in gc.get_objects())


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/connector/segment"])
def test_a_request_is_freed_when_it_is_answered(make_source: MakeSource, no_collection: None, path: str) -> None:
    _, key = make_source()
    body = {"batch": [track()]} if path == "/v1/batch" else track()
    for _ in range(3):
        assert_taken(post(path, body, key))
    assert left(IngestView) == 0


def test_an_answer_is_freed_when_it_is_read(no_collection: None, settings: Any) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    receiver, sender = Receiver(OK, OK), Sender()
    for _ in range(2):
        url = f"http://127.0.0.1:{receiver.port}/"
        assert sender.send(OutgoingRequest(url=url, json={})).status == 200
    assert left(Answer) == 0
