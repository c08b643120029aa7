"""Background jobs: what runs by itself, when it last ran and runs next, and a button to run it now. For owners."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from deliveries import jobs, queue
from deliveries.admin import overview
from deliveries.models import Heartbeat
from integrations.admin.pages import demand, show

SEE = "django_q.view_schedule"
RUN = "config.run_job"


def page(request: HttpRequest) -> HttpResponse:
    demand(request, SEE)
    worker = overview.worker(timezone.now())
    return show(request, "console/jobs.html", "Background jobs", lines=_lines(), worker=worker)


def live(request: HttpRequest) -> HttpResponse:
    """The table alone, for the page to follow."""
    demand(request, SEE)
    return show(request, "console/job_rows.html", "", lines=_lines())


@require_POST
def run(request: HttpRequest, slug: str) -> HttpResponse:
    demand(request, RUN)
    job = next((job for job in jobs.JOBS if job.slug == slug), None)
    if job is None:
        raise Http404("There is no such job.")
    try:
        jobs.ask(slug, str(request.user))
    except queue.BrokerAway:
        messages.error(request, "Redis does not answer, so no worker could be asked. Try again when it is back.")
    else:
        waits = "" if overview.worker(timezone.now())["alive"] else " No worker is running now, so it waits for one."
        messages.success(request, f"“{job.label}” was asked for. Its line changes when a worker has done it.{waits}")
    return redirect(reverse("admin:jobs"))


def _lines() -> list[dict[str, Any]]:
    runs = {run.job: run for run in jobs.JobRun.objects.all()}
    planned, now = queue.next_runs(), timezone.now()
    seen = Heartbeat.objects.aggregate(seen=Max("seen_at"))["seen"]
    lines: list[dict[str, Any]] = []
    for job in jobs.JOBS:
        last, upcoming = runs.get(job.slug), planned[job.slug]
        began = seen if job.minutes is None else last.started_at if last else None
        lines.append(
            {
                "job": job,
                "last": last,
                "began": began,
                "asked": last is not None and last.asked_at is not None and (began is None or began < last.asked_at),
                "next": upcoming if upcoming and upcoming > now else None,
                "due": bool(upcoming and job.minutes and upcoming <= now),
            }
        )
    return lines
