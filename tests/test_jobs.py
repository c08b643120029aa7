"""Background jobs: written down when they run, shown to owners, run on a press."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from redis import RedisError

from deliveries import queue, tasks
from deliveries.models import Heartbeat, JobRun
from tests.console import person

pytestmark = pytest.mark.django_db


def press(slug: str) -> str:
    return person("owner").post(reverse("admin:jobs_run", args=[slug]), follow=True).content.decode()


@pytest.mark.parametrize("name", ["sweep", "hourly"])
def test_a_run_is_written_down(name: str, asked: list[str]) -> None:
    before = timezone.now()
    getattr(tasks, name)()
    run = JobRun.objects.get()
    assert (run.job, run.error) == (name, "")
    assert run.ended_at is not None
    assert run.started_at is not None
    assert before <= run.started_at <= run.ended_at <= timezone.now()


def test_a_run_that_breaks_says_so_and_the_next_good_one_clears_it(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    def breaks(now: Any) -> None:
        raise ValueError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("deliveries.upkeep.hourly", breaks)
        with pytest.raises(ValueError, match="the disk is full"):
            tasks.hourly()
    assert JobRun.objects.get().error == "ValueError: the disk is full"
    page = person("owner").get("/jobs/").content.decode()
    assert "ValueError: the disk is full" in page
    tasks.hourly()
    assert JobRun.objects.get().error == ""
    assert "the disk is full" not in person("owner").get("/jobs/").content.decode()


@pytest.mark.parametrize("slug", ["drain", "sweep", "hourly"])
def test_run_now_asks_a_worker_and_says_who_asked(slug: str, asked: list[str]) -> None:
    Heartbeat.objects.create(cluster="here", seen_at=timezone.now() - timedelta(seconds=5))
    page = press(slug)
    assert asked == [f"deliveries.tasks.{slug}"]
    assert "was asked for" in page
    assert "No worker is running now" not in page
    assert "Owner Jones asked for it" in page


def test_what_was_asked_for_and_done_is_no_longer_said(asked: list[str]) -> None:
    press("sweep")
    tasks.sweep()
    assert "asked for it" not in person("owner").get("/jobs/").content.decode()


def test_it_says_so_when_no_worker_lives(asked: list[str]) -> None:
    assert "No worker is running now, so it waits for one." in press("hourly")


def test_it_says_so_when_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*task: Any) -> None:
        raise RedisError("refused")

    monkeypatch.setattr(queue, "async_task", away)
    assert "Redis does not answer" in press("hourly")
    assert JobRun.objects.count() == 0


def test_what_goes_on_by_itself_fails_nobody_when_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner asks for an erasure, or a connector stops: the sweep or the next hour goes on with it."""

    def away(*task: Any) -> None:
        raise RedisError("refused")

    monkeypatch.setattr(queue, "async_task", away)
    for ask in (queue.erase, queue.retire, queue.sweep_soon, queue.practise):
        ask()


def test_unknown_job_is_not_there(asked: list[str]) -> None:
    assert person("owner").post("/jobs/everything/run/").status_code == 404
    assert asked == []


def test_next_runs_are_the_schedules_own() -> None:
    queue.ensure_schedules()
    moment = timezone.now() + timedelta(minutes=3)
    queue.wake_at(moment)
    found = queue.next_runs()
    assert (sorted(found), found["drain"]) == (["drain", "hourly", "sweep"], moment)
    page = person("owner").get("/jobs/").content.decode()
    assert "in 3 min" in page


def test_a_run_whose_time_has_come_is_due_now() -> None:
    queue.ensure_schedules()
    page = person("owner").get("/jobs/").content.decode()
    assert page.count("due now") == 2
    assert "with the next event" in page
