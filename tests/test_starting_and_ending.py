"""What a process does before its first work and at its end; the processes themselves are in tests/process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from deliveries import queue
from deliveries.api import front


@pytest.fixture
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
def test_a_second_term_does_not_interrupt_the_handling_of_the_first() -> None:
    seen: list[str] = []

    def handler(number: int, frame: Any) -> None:
        seen.append("begins")
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        seen.append("ends")

    queue.end_once(handler)
    os.kill(os.getpid(), signal.SIGTERM)
    assert seen == ["begins", "ends"]


async def started_and_ended() -> front.IngestFront:
    mine = front.IngestFront()
    await mine.start()
    mine.writer.close()
    front._reader.submit(lambda: connection.close()).result()  # its thread's own: the test database is to be dropped
    return mine


@pytest.mark.django_db(transaction=True)
def test_the_configuration_is_loaded_before_the_first_request() -> None:
    assert asyncio.run(started_and_ended())._snapshot is not None


def test_the_web_server_starts_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(**_: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(front, "_read_configuration", gone)
    monkeypatch.setattr("deliveries.writer._prepare_connection", gone)
    assert asyncio.run(started_and_ended())._snapshot is None
