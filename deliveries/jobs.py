"""The background jobs as people see them: what each is for, when it last ran and how that ended, when it runs next.

A row is written when a job begins and when it ends. The drains are not among them: there are many a second, and the
workers' sign of life says as much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.utils import timezone


class JobRun(models.Model):
    """A job's last run, one row for each job. ``ended_at`` is empty while it runs, or when its worker died.

    ``asked_by`` pressed *Run now* at ``asked_at``.
    """

    job = models.CharField(max_length=20, primary_key=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    asked_by = models.CharField(max_length=150, blank=True)

    class Meta:
        app_label = "deliveries"

    def __str__(self) -> str:
        return self.job

    @property
    def seconds(self) -> float | None:
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at and self.started_at else None


@dataclass(frozen=True, kw_only=True)
class Job:
    """``minutes`` between two runs; None for what runs whenever there is something to do."""

    slug: str
    label: str
    what: str
    minutes: int | None = None


JOBS = (
    Job(
        slug="drain",
        label="Send what is due",
        what="Takes the waiting deliveries and sends them. Starts by itself when an event comes in or a retry is due.",
    ),
    Job(
        slug="sweep",
        label="Look after what waits",
        what="Finds whatever slipped through, resumes what is to resume, goes on with replays, and looks for problems.",
        minutes=1,
    ),
    Job(
        slug="hourly",
        label="Housekeeping",
        what="Deletes what was kept or held for long enough, and counts the past hours for the charts.",
        minutes=60,
    ),
)


def ask(job: str, by: str) -> None:
    """Have the job run now, and write down who wanted it. Raises BrokerAway."""
    from deliveries import queue

    queue.run_now(job)
    JobRun.objects.update_or_create(job=job, defaults={"asked_at": timezone.now(), "asked_by": by[:150]})


def noted(job: str, work: Callable[[datetime], None]) -> None:
    """Do the job's work and write down when it ran and how it ended. Raises what the work raised."""
    started = timezone.now()
    JobRun.objects.update_or_create(job=job, defaults={"started_at": started, "ended_at": None, "error": ""})
    error = ""
    try:
        work(started)
    except Exception as wrong:
        error = f"{type(wrong).__name__}: {wrong}"[:300]
        raise
    finally:
        JobRun.objects.filter(job=job, started_at=started).update(ended_at=timezone.now(), error=error)
