"""A worker cluster's sign of life."""

from __future__ import annotations

import os
from datetime import datetime

from deliveries.models import Heartbeat


def beat(now: datetime) -> None:
    """Note that this worker cluster is alive. Written by the tasks that its workers run, so it tells that they do."""
    cluster = os.environ.get("SIGNALBOX_CLUSTER", "worker")
    if not Heartbeat.objects.filter(cluster=cluster).update(seen_at=now):
        Heartbeat.objects.update_or_create(cluster=cluster, defaults={"seen_at": now})
