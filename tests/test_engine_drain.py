"""A whole drain with a stand-in for the network: what becomes of deliveries, and how connectors treat each other."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from deliveries.engine import rest
from deliveries.engine.drain import Drain
from deliveries.engine.perform import Result
from deliveries.engine.send import SendFailed
from deliveries.models import Attempt, Delivery, Event, Lane
from integrations.models import Connector
from integrations.types import Cause, Disposition, OutgoingRequest, Response, Verdict
from tests.rows import connector, delivery, event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("asked")]
Answer = Callable[[OutgoingRequest], Response]


class Network:
    """Answers 200 unless told otherwise for an address; remembers the requests."""

    def __init__(self) -> None:
        self.requests: list[OutgoingRequest] = []
        self.answers: dict[str, Answer] = {}
        self._lock = threading.Lock()

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response:
        with self._lock:
            self.requests.append(request)
        answer = self.answers.get(request.url)
        return answer(request) if answer else Response(status=200, body=b"{}")

    def count(self) -> Counter[str]:
        return Counter(request.url for request in self.requests)


def to(name: str, **fields: Any) -> Connector:
    return connector(name, settings={"url": f"https://{name}.example.com/"}, **fields)


def drain(network: Network, seconds: float = 3.0) -> None:
    Drain(lambda: network, seconds).run()


def test_all_that_is_due_is_sent_once() -> None:
    network, one, two = Network(), to("one"), to("two")
    for number in range(60):
        delivery(one if number % 2 else two, "waiting")
    later = delivery(one, "waiting", next_attempt_at=timezone.now() + timedelta(hours=1))
    drain(network)
    assert network.count() == {"https://one.example.com/": 30, "https://two.example.com/": 30}
    assert Delivery.objects.filter(status="delivered", attempts=1).count() == 60
    assert Attempt.objects.count() == 60
    later.refresh_from_db()
    assert later.status == "waiting"


def test_a_dead_worker_s_deliveries_are_taken_over() -> None:
    network, one = Network(), to("one")
    delivery(one, "sending", lease_owner="1-dead", next_attempt_at=timezone.now() - timedelta(seconds=1))
    held = delivery(one, "sending", lease_owner="2-alive", next_attempt_at=timezone.now() + timedelta(hours=1))
    drain(network)
    assert len(network.requests) == 1
    held.refresh_from_db()
    assert (held.status, held.lease_owner) == ("sending", "2-alive")


@pytest.mark.parametrize("status", ["paused", "off"])
def test_a_connector_that_is_not_active_sends_nothing(status: str) -> None:
    network, one = Network(), to("one", status=status)
    row = delivery(one, "waiting")
    drain(network)
    row.refresh_from_db()
    assert (network.requests, row.status, row.attempts) == ([], "waiting", 0)


def test_no_answer_costs_a_try_and_is_retried() -> None:
    def fail(_: OutgoingRequest) -> Response:
        raise SendFailed(Cause.TIMEOUT, "one.example.com did not answer in time.")

    network, one = Network(), to("one")
    network.answers["https://one.example.com/"] = fail
    row = delivery(one, "waiting")
    drain(network)
    row.refresh_from_db()
    assert (row.status, row.cause, row.attempts) == ("retrying", "timeout", 1)
    assert Attempt.objects.get().response_status is None


def test_a_bug_fails_its_own_delivery_in_words() -> None:
    def break_down(_: OutgoingRequest) -> Response:
        raise ZeroDivisionError("division by zero")

    network, one, two = Network(), to("one"), to("two")
    network.answers["https://one.example.com/"] = break_down
    broken, fine = delivery(one, "waiting"), delivery(two, "waiting")
    drain(network)
    broken.refresh_from_db()
    fine.refresh_from_db()
    assert (broken.status, broken.cause, fine.status) == ("failed", "internal", "delivered")
    assert "ZeroDivisionError" in broken.detail


def test_what_no_database_can_hold_in_a_column_is_written_down_without_it() -> None:
    """An event's name, and a service's own words, with NUL in them: as JSON both can have it."""
    network, one, two = Network(), to("one"), to("two")
    network.answers["https://two.example.com/"] = lambda _: Response(status=400, body=rb'{"error": "bad\u0000name"}')
    body = orjson.dumps({"type": "track", "event": "a\0b", "userId": "u1", "messageId": "m1"}).decode()
    sent = delivery(one, "waiting", event=event("a\ufffdb", body=body))
    refused = delivery(two, "waiting")
    drain(network)
    sent.refresh_from_db()
    refused.refresh_from_db()
    assert (sent.status, sent.sent_as) == ("delivered", "a\ufffdb")
    assert (refused.status, refused.detail) == ("failed", "bad\ufffdname")
    assert Attempt.objects.get(delivery=refused).detail == "bad\ufffdname"
    (request,) = (one for one in network.requests if "one" in one.url)
    assert orjson.loads(request.content())["event"] == "a\0b"


def test_a_failing_connector_rests_and_what_waits_keeps_its_tries() -> None:
    network, one, healthy = Network(), to("one", retry=[3600]), to("healthy")

    network.answers["https://one.example.com/"] = lambda _: Response(status=500)
    for _ in range(300):
        delivery(one, "waiting")
    for _ in range(60):
        delivery(healthy, "waiting")
    drain(network)
    assert Delivery.objects.filter(connector=healthy, status="delivered").count() == 60
    assert Lane.objects.get(connector=one).resting_since is not None
    tried = Delivery.objects.filter(connector=one, attempts=1).count()
    assert tried == network.count()["https://one.example.com/"]
    assert rest.RESTS_AFTER <= tried <= 20  # it rests after five, and is probed once a second
    assert Delivery.objects.filter(connector=one, status="waiting", attempts=0).count() == 300 - tried


def test_a_rest_ends_with_the_first_good_answer() -> None:
    network, one = Network(), to("one")
    past = timezone.now() - timedelta(minutes=1)
    Lane.objects.create(connector=one, failures=9, resting_since=past, next_probe_at=past)
    for _ in range(20):
        delivery(one, "waiting")
    drain(network)
    assert Delivery.objects.filter(status="delivered").count() == 20
    row = Lane.objects.get()
    assert (row.failures, row.resting_since) == (0, None)


def test_a_speed_limit() -> None:
    network, one = Network(), to("one", rate_limit_per_second=5)
    for _ in range(50):
        delivery(one, "waiting")
    drain(network, seconds=2.0)
    assert 1 <= len(network.requests) <= 5 * 2 + 5 + 1
    assert Delivery.objects.filter(status="waiting").count() == 50 - len(network.requests)


def test_a_replay_of_many_yields_to_live_traffic() -> None:
    network, one = Network(), to("one")
    replayed, live = delivery(one, "waiting", lane=1), delivery(one, "waiting")
    order: list[str] = []
    network.answers["https://one.example.com/"] = lambda request: (
        order.append(orjson.loads(request.content())["messageId"]) or Response(status=200)  # type: ignore[func-returns-value]  # wanted
    )
    drain(network)
    assert order == [live.event.message_id, replayed.event.message_id]


def test_a_batch_that_is_refused_is_split_until_the_culprit_stands_alone() -> None:
    network = Network()
    one = connector("one", settings={"url": "https://one.example.com/", "batch_size": 8})
    rows = [delivery(one, "waiting") for _ in range(8)]
    culprit = rows[5].event.message_id.encode()
    network.answers["https://one.example.com/"] = lambda request: Response(
        status=400 if b'"' + culprit + b'"' in request.content() else 200
    )
    drain(network)
    states = {row.id: row.status for row in Delivery.objects.all()}
    assert [states[row.id] for row in rows] == ["delivered"] * 5 + ["failed"] + ["delivered"] * 2


def soon(seconds: float) -> dict[str, Any]:
    return {"next_attempt_at": timezone.now() + timedelta(seconds=seconds)}


def test_a_hanging_call_at_the_end_keeps_nobody_waiting() -> None:
    """The drain's time is up while a call hangs: what is due meanwhile at a healthy connector is sent all the same."""
    network, one, healthy = Network(), to("one"), to("healthy")
    released = threading.Event()

    def hang(_: OutgoingRequest) -> Response:
        return Response(status=200 if released.wait(15) else 500)

    def release(_: OutgoingRequest) -> Response:
        released.set()
        return Response(status=200)

    network.answers = {"https://one.example.com/": hang, "https://healthy.example.com/": release}
    delivery(one, "waiting")
    delivery(healthy, "waiting", **soon(2.5))
    drain(network, seconds=1.5)
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["delivered", "delivered"]


def test_hanging_connectors_leave_a_thread_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.engine.drain.MAX_THREADS", 2)
    network, healthy = Network(), to("healthy")
    released = threading.Event()
    for name in ("one", "two", "three"):
        delivery(to(name), "waiting")
        network.answers[f"https://{name}.example.com/"] = lambda _: Response(status=200 if released.wait(8) else 500)

    def release(_: OutgoingRequest) -> Response:
        released.set()
        return Response(status=200)

    network.answers["https://healthy.example.com/"] = release
    delivery(healthy, "waiting", **soon(0.5))
    drain(network)
    assert list(Delivery.objects.values_list("status", flat=True)) == ["delivered"] * 4


@pytest.mark.parametrize("connectors", [1, 50])
def test_many_sick_connectors_cost_no_more_statements_than_one(
    connectors: int, django_assert_num_queries: Callable[..., Any]
) -> None:
    """Every statement of its own would keep the drain from serving the healthy ones."""
    failed = Verdict(disposition=Disposition.RETRY, cause=Cause.SERVICE_ERROR)
    now = timezone.now()
    results = {
        to(f"sick-{number}").pk: [Result(None, failed, None, None, "", "", "", now)] * 5  # type: ignore[arg-type]  # no claim
        for number in range(connectors)
    }
    rest.note(results, now)
    with django_assert_num_queries(4):  # read, and write in a transaction (two savepoints, for a test is one already)
        rest.note(results, now)
    later = now + timedelta(seconds=5)
    with django_assert_num_queries(5):
        assert rest.may_probe(results, later) == set(results)
    with django_assert_num_queries(1):
        assert rest.may_probe(results, later) == set()


def test_what_was_too_big_is_kept_with_its_whole_size() -> None:
    """The stored body is cut; the page says how much it really was."""
    network, one = Network(), to("one")
    network.answers["https://one.example.com/"] = lambda _: Response(status=413, body=b"")
    row = delivery(one, "waiting")
    body = {**orjson.loads(row.event.body), "properties": {"text": "x" * 90_000}}
    Event.objects.update(body=orjson.dumps(body).decode())
    drain(network)
    attempt = Attempt.objects.get()
    assert (attempt.cause, len(attempt.request_body)) == ("too_large", 65_536)
    assert orjson.loads(attempt.request)["bytes"] == len(network.requests[0].content()) > 90_000


def test_what_no_column_holds_keeps_nothing_from_being_stored() -> None:
    """PostgreSQL refuses a NUL in any text, and then the results of everything that was sent at the same time."""
    network, one, two = Network(), to("one"), to("two")
    network.answers["https://one.example.com/"] = lambda _: Response(status=400, body=b'{"message": "no \\u0000 way"}')
    for connector_, name in ((one, "e\0f"), (two, "g\0h"), (two, "fine")):
        row = delivery(connector_, "waiting")
        body = {**orjson.loads(row.event.body), "event": name}
        Event.objects.filter(pk=row.event_id).update(body=orjson.dumps(body).decode())
    drain(network)
    found = Delivery.objects.order_by("id").values_list("status", "sent_as", "detail")
    assert list(found) == [
        ("failed", "e\ufffdf", "no \ufffd way"), ("delivered", "g\ufffdh", ""), ("delivered", "fine", ""),
    ]  # fmt: skip
    assert Attempt.objects.get(delivery__connector=one).detail == "no \ufffd way"
    assert orjson.loads(network.requests[0].content())["event"] in ("e\0f", "g\0h")  # it is sent as it came in
