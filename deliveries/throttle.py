"""Speed limits of sources: a bucket that fills with the limit's rate and holds one second's worth.

In the process's own memory: a shared counter would cost a network call per event. With several web processes, each
lets through its even share.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from django.conf import settings

LONGEST_WAIT = 300  # official clients honour no more


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


_buckets: dict[int, _Bucket] = {}


def wait(source_id: int, limit: int | None, now: float | None = None) -> int:
    """Take one request's token. 0 if there was one, else the whole seconds after which there will be."""
    if not limit:
        return 0
    rate = limit / settings.WEB_PROCESSES
    now = time.monotonic() if now is None else now
    bucket = _buckets.get(source_id)
    if bucket is None:
        bucket = _buckets[source_id] = _Bucket(max(rate, 1.0), now)
    bucket.left = min(max(rate, 1.0), bucket.left + (now - bucket.at) * rate)
    bucket.at = now
    if bucket.left >= 1:
        bucket.left -= 1
        return 0
    return min(LONGEST_WAIT, max(1, math.ceil((1 - bucket.left) / rate)))


def forget() -> None:
    _buckets.clear()
