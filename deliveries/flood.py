"""How often one caller may call: by key, by address, and by address without a key that is known here.

Far above normal use (see the settings): they are there for a client gone wild and for somebody who tries keys. Counted
in the process, since every event passes here; only what grows large is added up with the other processes and machines,
about once a second, through the shared cache. So a limit may be passed by a few per cent for a second.
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

KEY, ADDRESS, REFUSED, SIGN_IN = "key", "address", "refused", "sign-in"
WINDOW = 10  # seconds
SHARE_EVERY = 1.0
LARGE = 0.02  # of a limit: smaller counts are not worth a word between processes
MOST_NAMES = 100_000
clock = time.time
log = logging.getLogger("signalbox.flood")
Name = tuple[str, str | int]


@dataclass(slots=True)
class _Window:
    number: int = 0
    own: dict[Name, int] = field(default_factory=dict)
    others: dict[Name, int] = field(default_factory=dict)
    told: dict[Name, int] = field(default_factory=dict)  # of our own, what the others know already


_window = _Window()
_shared_at = 0.0


def limit_of(kind: str) -> int:
    """Calls a second, on average over a window; 0 is no limit."""
    limits = {
        KEY: settings.RATE_LIMIT_PER_KEY,
        ADDRESS: settings.RATE_LIMIT_PER_ADDRESS,
        REFUSED: settings.RATE_LIMIT_REFUSED,
        SIGN_IN: settings.RATE_LIMIT_SIGN_IN,
    }
    return int(limits[kind])


def wait(kind: str, who: str | int, limit: int, now: float | None = None) -> int:
    """Count one call. 0 if it is within the limit, else the whole seconds after which there is room again."""
    global _window
    if not limit:
        return 0
    now = clock() if now is None else now
    number = int(now) // WINDOW
    if number != _window.number:
        _window = _Window(number)
    name = (kind, who)
    count = _window.own.get(name, 0) + 1
    if count > 1 or len(_window.own) < MOST_NAMES:
        _window.own[name] = count
    if count + _window.others.get(name, 0) <= limit * WINDOW:
        return 0
    return max(1, math.ceil((number + 1) * WINDOW - now))


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
    large = {kind: limit_of(kind) * WINDOW * LARGE for kind in (KEY, ADDRESS, REFUSED, SIGN_IN)}
    try:
        for name, count in list(window.own.items()):
            if count >= large[name[0]] and (new := count - window.told.get(name, 0)):
                key = f"flood:{window.number}:{name[0]}:{name[1]}"
                cache.add(key, 0, 3 * WINDOW)
                window.others[name] = cache.incr(key, new) - count
                window.told[name] = count
    except (DatabaseError, RedisError, OSError, ValueError) as error:  # ValueError: it went between add and incr
        log.warning("Counts of calls could not be shared: %s", type(error).__name__)


def forget() -> None:
    global _window
    _window = _Window()
