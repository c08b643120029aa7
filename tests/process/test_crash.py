"""Processes killed at the worst moment: everything accepted ends delivered, and what is sent twice was in flight."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from config import orphans
from tests.process import processes
from tests.process.receiver import Receiver
from tests.process.server import Server
from tests.process.waiting import eventually

EVENTS = 1000
LEASE = 30  # seconds after which what a dead worker held is due again
RECOVERED_WITHIN = 120.0


@pytest.fixture(scope="module", autouse=True)
def _warm(running: Server) -> None:
    """The workers have started, so that a kill meets work and not their start."""
    eventually(lambda: running.request("GET", "/readyz")[0] == 200, "the workers are ready")


def begin(server: Server, receiver: Receiver, name: str, arrived: int = 150) -> list[str]:
    """Send many events to a receiver that takes its time, and wait until it is in the middle of them."""
    path = f"/{name}"
    receiver.answer(path, delay=0.03)
    key = server.add(name, settings={"url": receiver.url + path})
    ids = [f"{name}-{number}" for number in range(EVENTS)]
    server.send(key, *ids)
    eventually(lambda: len(receiver.requests(path)) >= arrived, "deliveries are under way")
    assert len(receiver.requests(path)) < EVENTS, "too fast to be caught in the middle"
    return ids


def freeze_and_look(server: Server, pids: list[int], owners: list[int]) -> set[str]:
    """Stop the processes where they are; what they hold at this moment is all that may be sent twice."""
    processes.send(signal.SIGSTOP, pids)
    return server.in_flight(owners)


def assert_all_delivered(server: Server, receiver: Receiver, name: str, ids: list[str], in_flight: set[str]) -> None:
    eventually(lambda: server.statuses(name) == {"delivered": len(ids)}, "all are delivered", RECOVERED_WITHIN)
    counted = receiver.count(f"/{name}")
    assert set(counted) == set(ids)
    repeated = {message_id for message_id, times in counted.items() if times > 1}
    assert repeated <= in_flight
    assert max(counted.values()) <= 2


def test_web_killed_right_after_its_answers(running: Server, receiver: Receiver) -> None:
    """Every event that was answered with 200 is there, and the port never refuses a connection."""
    receiver.answer("/web", 200)
    key = running.add("web", settings={"url": f"{receiver.url}/web"})
    answered: list[str] = []
    for life in range(4):
        victims = running.processes("web")
        for number in range(5):
            message_id = f"web-{life}-{number}"
            event = {"event": "e", "userId": "u", "messageId": message_id}
            status, _, _ = running.post("/v1/track", event, key)
            if number == 4:
                processes.send(signal.SIGKILL, victims)
            assert status == 200
            answered.append(message_id)
        eventually(lambda victims=victims: not set(victims) & set(running.processes()), "the web process is dead")  # type: ignore[misc]  # a lambda
    rows = running.store.query("SELECT message_id FROM deliveries_event")
    assert {message_id for (message_id,) in rows} >= set(answered)
    eventually(lambda: receiver.count("/web") == Counter(answered), "each arrives once")


def test_worker_killed_in_the_middle_of_a_drain(running: Server, receiver: Receiver) -> None:
    ids = begin(running, receiver, "worker")
    owners = eventually(running.draining, "a worker holds deliveries")
    in_flight = freeze_and_look(running, owners, owners)
    processes.send(signal.SIGKILL, owners)
    assert_all_delivered(running, receiver, "worker", ids, in_flight)


def test_worker_group_killed(running: Server, receiver: Receiver) -> None:
    ids = begin(running, receiver, "group")
    group = [process.pid for process in running.processes("worker")]
    in_flight = freeze_and_look(running, group, running.draining())
    os.killpg(os.getpgid(group[0]), signal.SIGKILL)
    assert_all_delivered(running, receiver, "group", ids, in_flight)
    assert not set(group) & {process.pid for process in running.processes()}


def test_a_killed_parent_s_children_are_cleared_away(running: Server) -> None:
    """Also where nobody else does it: we stand for a container's process 1 that looks after nobody."""
    group = running.processes("worker")
    orphans.adopt()
    try:
        processes.send(signal.SIGKILL, [os.getpgid(group[0].pid)])
        eventually(lambda: not set(group) & set(running.processes()), "they have ended")
        eventually(
            lambda: not [one for one in group if Path(f"/proc/{one.pid}").exists()], "nothing of them is left", 20
        )
    finally:
        orphans.adopt(yes=False)


def test_serve_killed_takes_everything_with_it(running: Server, receiver: Receiver) -> None:
    """`kill -9` of `serve` alone: its children end by themselves, in order, and the next start goes on."""
    ids = begin(running, receiver, "serve")
    processes.send(signal.SIGKILL, [running.runs[-1].process.pid])
    running.runs[-1].process.wait()
    eventually(lambda: not running.processes(), "no process is left", 45)
    running.start()
    assert_all_delivered(running, receiver, "serve", ids, set(ids))
    counted = receiver.count("/serve")
    assert sum(counted.values()) == EVENTS  # they ended in order, so nothing was in flight


def test_everything_killed_at_once(running: Server, receiver: Receiver) -> None:
    ids = begin(running, receiver, "all")
    in_flight = freeze_and_look(running, [process.pid for process in running.processes()], running.draining())
    running.kill_everything()
    running.runs[-1].process.wait()
    killed_at = time.monotonic()
    running.start()
    assert_all_delivered(running, receiver, "all", ids, in_flight)
    assert time.monotonic() - killed_at < RECOVERED_WITHIN


def test_term_in_the_middle_sends_nothing_twice(running: Server, receiver: Receiver) -> None:
    ids = begin(running, receiver, "term")
    assert running.runs[-1].stop() == 0
    assert running.processes() == []
    assert running.draining() == []  # given back, not left to a lease
    running.start()
    assert_all_delivered(running, receiver, "term", ids, set())
