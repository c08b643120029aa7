"""Deliveries of a batching service that can't travel together, or not after all: a call each, no thread for long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from deliveries.engine import lane
from deliveries.engine.drain import Drain
from deliveries.engine.perform import Result
from deliveries.engine.send import SendFailed
from deliveries.models import Attempt, Delivery
from integrations.models import Connector
from integrations.types import Cause, OutgoingRequest, Response
from tests import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("asked")]
NOVU = {"vendor": "novu", "settings": {"workflow_from": "events"}, "secrets": {"api_key": "nv_1"}}


class Service:
    """Answers by ``say``, and ends the drain after ``ends_after`` calls, as its time or a TERM would."""

    def __init__(self, say: Any, ends_after: int = 0) -> None:
        self.say, self.ends_after, self.calls = say, ends_after, 0
        self.drain: Drain | None = None

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response:
        self.calls += 1
        if self.drain is not None and self.calls == self.ends_after:
            self.drain.ends = 0.0
            for runner in self.drain.lanes.values():
                runner.closing = True
        answer = self.say(request)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Response)
        return answer


def identifies(to: Connector, count: int) -> Any:
    """Novu's bulk call takes no identify: each is a call of its own."""
    due = timezone.now().replace(microsecond=0)
    for number in range(count):
        rows.delivery(to, "waiting", event=rows.event("", "identify", user_id=f"u{number}"), next_attempt_at=due)
    return due


def run(service: Service, seconds: float = 1.0) -> None:
    service.drain = Drain(lambda: service, seconds)
    service.drain.run()


def untouched(to: Connector, due: Any) -> int:
    return Delivery.objects.filter(
        connector=to, status="waiting", attempts=0, cause="", lease_owner="", next_attempt_at=due
    ).count()


def test_after_a_call_without_an_answer_the_rest_goes_back_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    chunks: list[tuple[int, int]] = []

    def perform(*args: Any) -> list[Result]:
        results = performed(*args)
        chunks.append((len(results), sum(not result.goes_back for result in results)))
        return results

    performed = lane.perform
    monkeypatch.setattr(lane, "perform", perform)
    to = rows.connector("novu", retry=[3600], **NOVU)
    due = identifies(to, 60)
    service = Service(lambda _: SendFailed(Cause.TIMEOUT, "no answer"))
    run(service, 0.5)
    assert chunks[0] == (60, 1)
    assert Attempt.objects.count() == service.calls < 10  # that one, then one by one until it rests
    assert untouched(to, due) == 60 - service.calls


def test_after_five_faults_in_a_row_too() -> None:
    to = rows.connector("novu", retry=[3600], **NOVU)
    due = identifies(to, 60)
    service = Service(lambda _: Response(status=503))
    run(service, 0.5)
    assert service.calls < 10
    assert untouched(to, due) == 60 - service.calls


def test_what_takes_long_goes_on_in_the_next_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "CHUNK_SECONDS", 0.0)  # each call is longer than that
    to = rows.connector("novu", **NOVU)
    identifies(to, 12)
    service = Service(lambda _: Response(status=200, body=b'{"data": {}}'))
    run(service, 20)
    assert list(Delivery.objects.values_list("status", "attempts")) == [("delivered", 1)] * 12
    assert (service.calls, Attempt.objects.count()) == (12, 12)


def test_a_drain_that_ends_does_not_wait_for_the_whole_chunk() -> None:
    to = rows.connector("novu", **NOVU)
    due = identifies(to, 60)
    service = Service(lambda _: Response(status=200, body=b'{"data": {}}'), ends_after=3)
    run(service, 20)
    assert service.calls == 3
    assert Delivery.objects.filter(status="delivered", attempts=1).count() == 3
    assert untouched(to, due) == 57


def test_a_refused_batch_is_taken_apart_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is time for no more than one result a go: each go gets one, and so it ends."""
    monkeypatch.setattr(lane, "CHUNK_SECONDS", 0.0)
    to = rows.connector("hook", settings={"url": "https://example.com/hook", "method": "POST", "batch_size": 8})
    for number in range(8):
        rows.delivery(to, "waiting", event=rows.event(user_id=f"u{number}"), next_attempt_at=timezone.now())

    def say(request: OutgoingRequest) -> Response:
        sent = json.loads(request.content())
        return Response(status=400 if any(one["userId"] == "u5" for one in sent) else 200)

    run(Service(say), 20)
    found = dict(Delivery.objects.values_list("event__user_id", "status"))
    assert found == {f"u{number}": "failed" if number == 5 else "delivered" for number in range(8)}
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}
