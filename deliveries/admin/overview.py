"""The first page: how the last day went, which connectors need somebody, and whether the worker lives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Max, Min, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from deliveries.admin import badges, latency, over_time
from deliveries.admin.charts import SAID, stacked
from deliveries.admin.over_time import DAY, RANGES, Range, kept
from deliveries.alarm import AlertTarget, Problem
from deliveries.log import OPEN, UNUSUAL, Among
from deliveries.models import Delivery, Heartbeat, Status
from deliveries.siblings import not_replayed
from integrations.models import Connector, Source
from integrations.numbers import thousands

SILENT = timedelta(seconds=60)
SAMPLE = 1000
MOST = 1000  # "1000+": a count that nobody reads to the end is not counted to the end


def context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    chosen = request.GET.get("range", "24h")
    chosen = chosen if chosen in RANGES else "24h"
    lines = badges.worst_first(Connector.objects.filter(archived_at=None))
    took = times_taken(RANGES[chosen], now)
    lines = [{**line, "took": took.get(line["row"].pk)} for line in lines]
    bars = over_time.bars(RANGES[chosen], now)
    totals = {
        name: sum(bar.counts.get(name, 0) for bar in bars) for name in ("delivered", "failed", "held", "retrying")
    }
    summary = f"Deliveries of the last {RANGES[chosen].last}: " + ", ".join(
        f"{thousands(n)} {SAID.get(k, k)}" for k, n in totals.items()
    )
    return {
        "title": "Overview",
        "console_lines": lines,
        "range_label": RANGES[chosen].last,
        "sampled": any(one.sample for one in took.values()),
        "numbers": numbers(now),
        "chart": stacked(bars, summary),
        "chart_note": over_time.note(RANGES[chosen], now),
        "summary": summary,
        "ranges": [(name, one.label, name == chosen) for name, one in RANGES.items()],
        "worker": worker(now),
        "steps": first_steps(lines),
        "open_problems": Problem.objects.filter(state__in=["open", "seen"]).select_related("connector")[:10],
    }


def times_taken(chosen: Range, now: datetime) -> dict[int, latency.Took]:
    made = kept(f"overview:took:{chosen.kept}", chosen.kept, lambda: latency.by_connector(now - chosen.span))
    return dict(made)


def numbers(now: datetime) -> dict[str, Any]:
    """The four numbers of the last 24 hours, with the day before for comparison."""
    return kept("overview:numbers", 10, lambda: _numbers(now))


def _numbers(now: datetime) -> dict[str, Any]:
    today, before = _ended(now)
    failed = Delivery.objects.filter(Among(UNUSUAL), status=Status.FAILED, created_at__gte=now - DAY)
    look = not_replayed(failed)
    times = latency.of_newest(SAMPLE, now - DAY, now)
    earlier = latency.of_newest(SAMPLE, now - 2 * DAY, now - DAY)
    success, was = badges.success(*today), badges.success(*before)
    return {
        "delivered": today[0],
        "ended": sum(today),
        "delivered_before": before[0],
        "success": success,
        "success_change": round(success - was, 1) if success is not None and was is not None else None,
        "typical": times[len(times) // 2] if times else None,
        "slowest": times[int(len(times) * 0.95)] if times else None,
        "typical_before": earlier[len(earlier) // 2] if earlier else None,
        "failed_before": before[1],
        "look": look[:MOST].count(),
        "look_more": MOST,
    }


def _ended(now: datetime) -> tuple[tuple[int, int], tuple[int, int]]:
    """How many were delivered and how many failed: today, and the day before."""
    rows = Delivery.objects.filter(created_at__gte=now - 2 * DAY, created_at__lt=now).order_by().values("status")
    today = Count("id", filter=Q(created_at__gte=now - DAY))
    counts = {row["status"]: (row["today"], row["both"]) for row in rows.annotate(today=today, both=Count("id"))}
    delivered, failed = counts.get(Status.DELIVERED, (0, 0)), counts.get(Status.FAILED, (0, 0))
    return (delivered[0], failed[0]), (delivered[1] - delivered[0], failed[1] - failed[0])


def worker(now: datetime) -> dict[str, Any]:
    """Whether anything is being sent: the newest sign of life, and how long the oldest due delivery has waited."""
    seen = Heartbeat.objects.aggregate(seen=Max("seen_at"))["seen"]
    due = Delivery.objects.filter(Among(OPEN), status__in=[Status.WAITING, Status.RETRYING], next_attempt_at__lte=now)
    oldest = due.aggregate(oldest=Min(F("next_attempt_at")))["oldest"]
    return {
        "seen": seen,
        "alive": seen is not None and now - seen <= SILENT,
        "oldest": (now - oldest).total_seconds() if oldest else 0,
    }


@dataclass(frozen=True)
class FirstStep:
    """``url`` is where it is done, ``left`` what is missing yet, in words."""

    words: str
    done: bool
    url: str = ""
    left: str = ""


def first_steps(lines: list[dict[str, Any]]) -> list[FirstStep]:
    """What a new installation still lacks; empty once all is done. Practice data is nobody's connection."""
    connected = [line for line in lines if not badges.is_draft(line["row"])]
    real = [line for line in connected if line["row"].vendor != "practice"]
    tried = any(line["row"].tested_at for line in lines) or any(line["total"] for line in real)
    # Both in one look: whether there is an alert, asked of the first source that there is.
    sources = Source.objects.exclude(pk__in=Source.objects.filter(settings__practice=True))
    alerted = sources.values_list(Exists(AlertTarget.objects.all()), flat=True).first()
    sourced = alerted is not None
    steps = [
        FirstStep("Account", True),
        _connect(real, sourced),
        FirstStep("Send a test event", tried, _test_page(real or connected)),
        FirstStep(
            "Tell us where to send alerts",
            bool(alerted) if sourced else AlertTarget.objects.exists(),
            reverse("admin:deliveries_alertrule_changelist"),
        ),
    ]
    return [] if all(step.done for step in steps) else steps


def _connect(real: list[dict[str, Any]], sourced: bool) -> FirstStep:
    """Events come in somewhere and go out somewhere: done with both, and it leads to the one that is missing."""
    words = "Connect your first service"
    if real and sourced:
        return FirstStep(words, True)
    if real:
        left = f"{real[0]['row'].name} is set up. Now say where its events come from."
        return FirstStep(words, False, reverse("admin:integrations_source_add"), left)
    left = "A source is there. Now choose where its events go." if sourced else ""
    return FirstStep(words, False, reverse("admin:integrations_connector_add"), left)


def _test_page(connected: list[dict[str, Any]]) -> str:
    if not connected:
        return reverse("admin:integrations_connector_changelist")
    return reverse("admin:integrations_connector_test", args=[connected[0]["row"].pk])
