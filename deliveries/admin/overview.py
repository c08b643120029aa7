"""The first page: how the last day went, which connectors need somebody, and whether the worker lives."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Max, Min, Q
from django.http import HttpRequest
from django.utils import timezone

from deliveries.admin import badges, latency, over_time
from deliveries.admin.charts import SAID, stacked
from deliveries.admin.over_time import DAY, RANGES, Range, kept
from deliveries.alarm import AlertTarget, Problem
from deliveries.log import OPEN, UNUSUAL, Among, not_replayed
from deliveries.models import Delivery, Heartbeat, Status
from integrations.models import Connector, Source

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
    summary = f"Deliveries of the last {RANGES[chosen].label}: " + ", ".join(
        f"{n:,} {SAID.get(k, k)}" for k, n in totals.items()
    )
    return {
        "title": "Overview",
        "console_lines": lines,
        "range_label": RANGES[chosen].label,
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


def first_steps(lines: list[dict[str, Any]]) -> list[tuple[str, bool, str]]:
    """What a new installation still lacks: (words, done, page). Empty once all is done."""
    tried = any(line["row"].tested_at or line["total"] for line in lines)
    # Both in one look: whether there is an alert, asked of the first source that there is.
    alerted = Source.objects.values_list(Exists(AlertTarget.objects.all()), flat=True).first()
    sourced = alerted is not None
    alerted = bool(alerted) if sourced else AlertTarget.objects.exists()
    steps = [
        ("Your account", True, ""),
        ("Tell us where events come from", sourced, "integrations_source_add"),
        (
            "Connect your first service",
            any(not badges.is_draft(line["row"]) for line in lines),
            "integrations_connector_add",
        ),
        ("Send a test event", tried, "integrations_connector_changelist"),
        ("Tell us where to send alerts", alerted, "deliveries_alertrule_changelist"),
    ]
    return [] if all(done for _, done, _ in steps) else steps
