"""Running it day by day: first tries, retries, stops, pause and replay, through the server and its management API."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.process.receiver import Receiver
from tests.process.server import Server
from tests.process.waiting import eventually


@pytest.fixture(scope="module", autouse=True)
def _warm(running: Server) -> None:
    eventually(lambda: running.request("GET", "/readyz")[0] == 200, "the workers are ready")


def webhook(server: Server, receiver: Receiver, name: str, **connector: Any) -> str:
    return server.add(name, settings={"url": f"{receiver.url}/{name}"}, **connector)


def settled(server: Server, name: str, status: str, number: int = 1) -> list[dict[str, Any]]:
    """The connector's deliveries once all ``number`` of them are in the status."""
    eventually(lambda: server.statuses(name) == {status: number}, f"{number} of {name} {status}")
    return server.deliveries(name)


def connector(server: Server, name: str) -> dict[str, Any]:
    return next(row for row in server.api("GET", "/connectors/")["results"] if row["name"] == name)


def gaps(receiver: Receiver, path: str) -> list[float]:
    times = [request.at for request in receiver.requests(path)]
    return [later - earlier for earlier, later in pairwise(times)]


def test_an_event_is_delivered_and_every_try_is_in_the_log(running: Server, receiver: Receiver) -> None:
    key = webhook(running, receiver, "plain")
    running.send(key, "plain-1")
    (row,) = settled(running, "plain", "delivered")
    assert (row["attempts"], row["cause"], row["event"]["message_id"]) == (1, None, "plain-1")
    detail = running.api("GET", f"/deliveries/{row['id']}/")
    (attempt,) = detail["attempts"]
    assert attempt["request"]["url"] == f"{receiver.url}/plain"
    assert attempt["response"]["status"] == 200
    assert attempt["response"]["body"] == '{"success": true}'


def test_retries_by_a_list_of_seconds(running: Server, receiver: Receiver) -> None:
    """No delay is shorter than the list says by more than its tenth; the id stays the same."""
    receiver.answer("/listed", 500, 503, 429, 200)
    key = webhook(running, receiver, "listed", retry=[1, 2, 3])
    running.send(key, "listed-1")
    (row,) = settled(running, "listed", "delivered")
    assert row["attempts"] == 4
    assert receiver.count("/listed") == Counter({"listed-1": 4})
    assert {request.headers["webhook-id"] for request in receiver.requests("/listed")} == {"listed-1"}
    for gap, planned in zip(gaps(receiver, "/listed"), [1, 2, 3], strict=True):
        assert gap >= 0.9 * planned
    attempts = running.api("GET", f"/deliveries/{row['id']}/")["attempts"]
    assert [attempt["cause"] for attempt in attempts] == ["service_error", "service_error", "slow_down", None]


def test_the_last_retry_ends_it(running: Server, receiver: Receiver) -> None:
    receiver.answer("/hopeless", 500)
    key = webhook(running, receiver, "hopeless", retry=[0.5, 0.5])
    running.send(key, "hopeless-1")
    (row,) = settled(running, "hopeless", "failed")
    assert (row["attempts"], row["cause"]) == (3, "gave_up")
    assert len(receiver.requests("/hopeless")) == 3


def test_retry_after_lengthens_the_delay(running: Server, receiver: Receiver) -> None:
    receiver.answer("/later", (503, {"Retry-After": "4"}, b""), 200)
    key = webhook(running, receiver, "later", retry=[1, 1])
    running.send(key, "later-1")
    (row,) = settled(running, "later", "delivered")
    assert row["attempts"] == 2
    assert gaps(receiver, "/later")[0] >= 4


def test_what_is_not_retried(running: Server, receiver: Receiver) -> None:
    answers = {"data": (422, "data_refused"), "gone": (404, "not_found"), "moved": (302, "redirect")}
    for name, (status, cause) in answers.items():
        receiver.answer(f"/never-{name}", (status, {"Location": f"{receiver.url}/elsewhere"}, b""))
        key = webhook(running, receiver, f"never-{name}", retry=[0.5])
        running.send(key, f"{name}-1")
        (row,) = settled(running, f"never-{name}", "failed")
        assert (row["attempts"], row["cause"]) == (1, cause)
    assert receiver.requests("/elsewhere") == []


def test_410_stops_a_webhook_with_the_reason(running: Server, receiver: Receiver) -> None:
    receiver.answer("/farewell", 410)
    key = webhook(running, receiver, "farewell")
    running.send(key, "farewell-1")
    stopped = eventually(
        lambda: (found := connector(running, "farewell"))["status"] != "active" and found, "the connector is stopped"
    )
    assert stopped["status"] == "paused"
    assert "410" in stopped["status_reason"]
    running.send(key, "farewell-2", "farewell-3")
    eventually(lambda: running.statuses("farewell") == {"failed": 1, "held": 2}, "later events are held")
    assert len(receiver.requests("/farewell")) == 1


def test_20_refusals_of_the_key_stop_a_connector(running: Server, receiver: Receiver) -> None:
    receiver.answer("/locked", (401, {}, b'{"message": "bad key"}'), delay=0.05)
    key = webhook(running, receiver, "locked", max_concurrency=1)
    running.send(key, *(f"locked-{number}" for number in range(60)))
    stopped = eventually(
        lambda: (found := connector(running, "locked"))["status"] == "paused" and found, "the connector is stopped"
    )
    assert "key was refused" in stopped["status_reason"]
    counts = eventually(
        lambda: (found := running.statuses("locked")).keys() == {"failed", "held"} and found, "the rest is held"
    )
    assert counts["failed"] >= 20
    assert counts["failed"] + counts["held"] == 60
    assert len(receiver.requests("/locked")) == counts["failed"]


def test_pause_resume_and_replay(running: Server, receiver: Receiver) -> None:
    key = webhook(running, receiver, "paused")
    number = connector(running, "paused")["id"]
    assert running.api("POST", f"/connectors/{number}/pause/", {"reason": "maintenance"})["status"] == "paused"
    running.send(key, "paused-1", "paused-2")
    held = settled(running, "paused", "held", 2)
    assert {(row["cause"], row["attempts"]) for row in held} == {("paused", 0)}
    assert receiver.requests("/paused") == []

    assert running.api("POST", f"/connectors/{number}/resume/", {"backlog": "send"})["released"] == 2
    delivered = settled(running, "paused", "delivered", 2)
    assert receiver.count("/paused") == Counter({"paused-1": 1, "paused-2": 1})

    original = next(row for row in delivered if row["event"]["message_id"] == "paused-1")
    replayed = running.api("POST", f"/deliveries/{original['id']}/replay/", {})
    settled(running, "paused", "delivered", 3)
    assert receiver.count("/paused") == Counter({"paused-1": 2, "paused-2": 1})
    assert running.api("GET", f"/deliveries/{replayed['id']}/")["replay_of"] == original["id"]
    bodies = [request.body for request in receiver.requests("/paused") if b"paused-1" in request.body]
    assert bodies[0] == bodies[1]


def test_a_replay_of_many(running: Server, receiver: Receiver) -> None:
    receiver.answer("/again", 400)
    key = webhook(running, receiver, "again")
    running.send(key, *(f"again-{number}" for number in range(30)))
    settled(running, "again", "failed", 30)
    receiver.answer("/again", 200)
    wanted = {"connector": "again", "status": "failed"}
    assert running.api("POST", "/replays/", {**wanted, "preview": True})["total"] == 30
    job = running.api("POST", "/replays/", wanted)
    done = eventually(
        lambda: (found := running.api("GET", f"/replays/{job['id']}/"))["state"] == "done" and found, "the replay"
    )
    assert (done["total"], done["delivered"]) == (30, 30)
    assert set(receiver.count("/again").values()) == {2}
    assert running.statuses("again") == {"failed": 30, "delivered": 30}


def test_numbers_and_odd_ids_arrive_as_they_were_sent(running: Server, receiver: Receiver) -> None:
    key = webhook(running, receiver, "exact")
    odd = ["é😀", "a\nb", "a.b", "x" * 300, "\u0000", " spaced "]
    properties = {"huge": 12345678901234567890123456789, "large": 2**64, "float": 0.1, "text": "a\u0000b😀"}
    running.send(key, *odd, properties=properties)
    settled(running, "exact", "delivered", len(odd))
    events = receiver.events("/exact")
    assert sorted(event["messageId"] for event in events) == sorted(id.replace("\0", "\ufffd") for id in odd)
    assert all(event["properties"] == properties for event in events)
    assert all("." not in request.headers["webhook-id"] for request in receiver.requests("/exact"))


def test_a_dead_neighbour_delays_nobody(running: Server, receiver: Receiver) -> None:
    """One connector hangs, one has nobody listening; the third gets its events all the same."""
    receiver.answer("/hanging", 200, delay=25)
    hanging = webhook(running, receiver, "hanging")
    dead = running.add("dead", settings={"url": "http://127.0.0.1:9/"})
    healthy = webhook(running, receiver, "healthy")
    for key, name in ((hanging, "hanging"), (dead, "dead")):
        running.send(key, *(f"{name}-{number}" for number in range(200)))
    eventually(lambda: receiver.requests("/hanging"), "the hanging one is tried")
    running.send(healthy, *(f"healthy-{number}" for number in range(50)))
    settled(running, "healthy", "delivered", 50)
    assert running.statuses("hanging").get("delivered", 0) == 0
    assert running.statuses("dead").get("delivered", 0) == 0
