"""A replay of many that is under way keeps one worker at a time, so that what comes in meanwhile is sent at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries import queue, replay, tasks, upkeep
from deliveries.models import Delivery, Replay
from tests.rows import connector, delivery

pytestmark = pytest.mark.django_db
Asked = list[tuple[str, tuple[int, ...]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What was handed to the workers about replays."""
    found: Asked = []

    def hand_over(function: str, *ids: int) -> None:
        if function == queue.ADVANCE_REPLAY:
            found.append((function, ids))

    monkeypatch.setattr(queue, "_hand_over", hand_over)
    return found


@pytest.fixture
def job(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Replay:
    """One that has had its first few seconds, and asked for the next."""
    to = connector()
    for _ in range(3):
        delivery(to, "failed")
    job = replay.start({}, by="Ann")
    with monkeypatch.context() as patch:
        patch.setattr(replay, "BUDGET", 0)
        tasks.advance_replay(job.pk)
    assert asked == [(queue.ADVANCE_REPLAY, (job.pk, 1))]
    asked.clear()
    return job


def made(job: Replay) -> int:
    return Delivery.objects.filter(replay=job).count()


def follow(asked: Asked) -> None:
    """As a worker does: what was asked for, once."""
    waiting, asked[:] = list(asked), []
    for _, ids in waiting:
        tasks.advance_replay(*ids)


def test_the_sweep_starts_no_second_one_beside_it(job: Replay, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "BUDGET", 0)
    upkeep.sweep(timezone.now())
    follow(asked)
    assert (asked, made(job)) == ([], 0)
    tasks.advance_replay(job.pk, 1)
    assert asked == [(queue.ADVANCE_REPLAY, (job.pk, 1))]


def test_the_next_task_of_its_own_goes_on(job: Replay, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "BUDGET", 0.1)
    tasks.advance_replay(job.pk, 1)
    assert made(job) == 3


def test_one_that_was_lost_is_gone_on_with_after_a_minute(
    job: Replay, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "BUDGET", 0.1)
    Replay.objects.filter(pk=job.pk).update(taken_until=timezone.now() - timedelta(seconds=1))
    upkeep.sweep(timezone.now())
    follow(asked)
    assert made(job) == 3


def test_one_that_waits_is_free_for_the_sweep(job: Replay, asked: Asked) -> None:
    tasks.advance_replay(job.pk, 1)  # nothing ends here, so it has no patience any more
    job.refresh_from_db()
    assert (job.taken_until, asked, job.state) == (None, [], "running")
