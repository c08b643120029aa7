"""The workers' silence, told by a process that is not one of them: `serve` looks, because no task runs any more.

The problem belongs to no connector. It opens here and is reminded of here; the minute sweep ends it, because a sweep
that runs is a sign of life.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Max

from deliveries.alarm import AlertRule, Problem
from deliveries.models import Heartbeat
from deliveries.problems import REMIND, Tell, rules

KIND = AlertRule.Kind.SILENT


def check(now: datetime, since: datetime, tell: Tell) -> None:
    """Open a problem, or remind of it, if no worker anywhere gave a sign of life for as long as the rule says.

    ``since`` is when somebody began to look: before, nobody was there to be alive.
    """
    rule = rules()[KIND]
    seen = max(Heartbeat.objects.aggregate(seen=Max("seen_at"))["seen"] or since, since)
    if not rule.enabled or now - seen < timedelta(minutes=rule.limit):
        return
    problem = Problem.objects.filter(kind=KIND, connector=None, state__in=["open", "seen"]).first()
    if problem is None:
        try:
            with transaction.atomic():
                problem = Problem.objects.create(kind=KIND, opened_at=seen, last_seen_at=now, told_at=now)
        except IntegrityError:  # another machine was first, and tells
            return
        tell(problem, "opened")
    elif problem.state == Problem.State.OPEN and problem.told_at and now - problem.told_at >= REMIND:
        Problem.objects.filter(pk=problem.pk).update(told_at=now, last_seen_at=now)
        tell(problem, "reminder")
