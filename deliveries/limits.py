"""How often somebody may call. One question, ``wait``, for every kind of caller.

A source's limit is its owner's: so many a second, from the first call on. It is a bucket that fills at that rate and
holds one second's worth, in the process's own memory; with several web processes each lets through its even share.

The others (a key, an address, an address without a key that is known here, sign-ins) are far above normal use, see the
settings: they are there for a client gone wild and for somebody who tries keys. Averaged over ten seconds, they are
counted in the process too, since every event passes here; only what grows large is added up with the other processes
and machines, about once a second, through the shared cache. So they may be passed by a few per cent for a second.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

from django.conf import settings
from django.core.cache import caches
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

SOURCE, KEY, ADDRESS, REFUSED, SIGN_IN = "source", "key", "address", "refused", "sign-in"
COUNTED_TOGETHER = (KEY, ADDRESS, REFUSED, SIGN_IN)
LONGEST_WAIT = 300  # seconds; official clients honour no more
WINDOW = 10  # seconds
SHARE_EVERY = 1.0
LARGE = 0.02  # of a limit: smaller counts are not worth a word between processes
MOST_NAMES = 100_000
clock = time.time  # windows are the same on every machine
log = logging.getLogger("signalbox.limits")
Name = tuple[str, str | int]


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass(slots=True)
class _Window:
    number: int = 0
    own: dict[Name, int] = field(default_factory=dict)
    others: dict[Name, int] = field(default_factory=dict)
    told: dict[Name, int] = field(default_factory=dict)  # of our own, what the others know already


_buckets: dict[str | int, _Bucket] = {}
_window = _Window()
_shared_at = 0.0


def wait(kind: str, who: str | int, limit: int | None, now: float | None = None) -> int:
    """Count one call. 0 if it is within the limit, else the whole seconds after which there is room again.

    ``limit`` is in calls a second; 0 or None is no limit."""
    if not limit:
        return 0
    return _by_bucket(who, limit, now) if kind == SOURCE else _by_window((kind, who), limit, now)


def refused(address: str) -> int:
    """One more call from there without a key or token that is known. The seconds to wait, or 0."""
    return wait(REFUSED, network(address), settings.RATE_LIMIT_REFUSED)


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """Who an address belongs to: with IPv6 everybody has at least a /64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:50]
    return parsed.exploded[:19] if parsed.version == 6 else address


def share(*, at_once: bool = False) -> None:
    """Add our large counts to everybody's, and learn the others'. Waits for the cache: not for the event loop."""
    global _shared_at
    now = time.monotonic()
    if settings.ALONE or not (at_once or now - _shared_at >= SHARE_EVERY):
        return
    _shared_at = now
    window, cache = _window, caches["shared"]
    large = {kind: _limit_of(kind) * WINDOW * LARGE for kind in COUNTED_TOGETHER}
    try:
        for name, count in list(window.own.items()):
            if count >= large[name[0]] and (new := count - window.told.get(name, 0)):
                key = f"limit:{window.number}:{name[0]}:{name[1]}"
                cache.add(key, 0, 3 * WINDOW)
                window.others[name] = cache.incr(key, new) - count
                window.told[name] = count
    except (DatabaseError, RedisError, OSError, ValueError) as error:  # ValueError: it went between add and incr
        log.warning("Counts of calls could not be shared: %s", type(error).__name__)


def forget() -> None:
    global _window
    _window = _Window()
    _buckets.clear()


def _by_bucket(source_id: str | int, limit: int, now: float | None) -> int:
    rate = limit / settings.WEB_PROCESSES
    holds = max(rate, 1.0)
    now = time.monotonic() if now is None else now
    bucket = _buckets.get(source_id) or _buckets.setdefault(source_id, _Bucket(holds, now))
    bucket.left = min(holds, bucket.left + (now - bucket.at) * rate)
    bucket.at = now
    if bucket.left >= 1:
        bucket.left -= 1
        return 0
    return min(LONGEST_WAIT, max(1, math.ceil((1 - bucket.left) / rate)))


def _by_window(name: Name, limit: int, now: float | None) -> int:
    global _window
    now = clock() if now is None else now
    number = int(now) // WINDOW
    if number != _window.number:
        _window = _Window(number)
    count = _window.own.get(name, 0) + 1
    if count > 1 or len(_window.own) < MOST_NAMES:
        _window.own[name] = count
    if count + _window.others.get(name, 0) <= limit * WINDOW:
        return 0
    return max(1, math.ceil((number + 1) * WINDOW - now))


def _limit_of(kind: str) -> int:
    limits = {
        KEY: settings.RATE_LIMIT_PER_KEY,
        ADDRESS: settings.RATE_LIMIT_PER_ADDRESS,
        REFUSED: settings.RATE_LIMIT_REFUSED,
        SIGN_IN: settings.RATE_LIMIT_SIGN_IN,
    }
    return int(limits[kind])
