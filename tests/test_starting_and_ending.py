"""What a process does before its first work and at its end; the processes themselves are in tests/process."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection

from deliveries import queue
from deliveries.api import following, front


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


class StartsSlowly:
    """A cluster that is told to end while it begins, when there is nothing yet that could be stopped."""

    def __init__(self, told: str) -> None:
        self.told, self.sentinel, self.running = told, None, False

    def start(self) -> None:
        if self.told == "before the sentinel is made":
            os.kill(os.getpid(), signal.SIGTERM)
        self.sentinel: Any = "made"
        if self.told == "before the sentinel runs":
            os.kill(os.getpid(), signal.SIGTERM)
        self.running = True

    def stop(self) -> bool:
        assert self.sentinel is not None
        stopped, self.running = self.running, False
        return stopped

    def sig_handler(self, number: int, frame: Any) -> None:
        self.stop()


@pytest.mark.usefixtures("_signals")
@pytest.mark.parametrize("told", ["before the sentinel is made", "before the sentinel runs"])
def test_workers_told_to_end_while_they_start_end(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = StartsSlowly(told)
    monkeypatch.setattr("django_q.cluster.Cluster", lambda: mine)
    queue.run_cluster()
    assert not mine.running


async def started_and_ended() -> front.IngestFront:
    mine = front.IngestFront()
    await mine.start()
    mine.writer.close()
    following._reader.submit(
        lambda: connection.close()
    ).result()  # its thread's own: the test database is to be dropped
    return mine


@pytest.mark.django_db(transaction=True)
def test_the_configuration_is_loaded_before_the_first_request() -> None:
    assert asyncio.run(started_and_ended()).configuration.snapshot is not None


def test_the_web_server_starts_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(following, "_read", gone)
    monkeypatch.setattr("deliveries.writer._prepare_connection", gone)
    assert asyncio.run(started_and_ended()).configuration.snapshot is None


def test_nobody_waits_for_the_configuration_while_it_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next look begins before the last one is too old, and only who comes later than that waits for it."""
    now, answer, looks = [100.0], threading.Event(), threading.Semaphore(0)

    def read() -> str:
        looks.release()
        assert answer.wait(20)
        return f"read at {now[0]}"

    async def go() -> list[Any]:
        mine = following.Following()
        answer.set()
        await mine.follow()
        answer.clear()
        seen = [mine.snapshot]
        for now[0] in (100.05, 100.07, 100.09):
            await mine.follow()
        assert looks.acquire(timeout=20)
        assert looks.acquire(timeout=20)
        now[0] = 100.2
        late = asyncio.ensure_future(mine.follow())
        await asyncio.sleep(0)
        seen.append(late.done())
        answer.set()
        await late
        return [*seen, mine.snapshot]

    monkeypatch.setattr(following, "_read", read)
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=lambda: now[0]))
    assert asyncio.run(go()) == ["read at 100.0", False, "read at 100.2"]
    assert not looks.acquire(blocking=False)
