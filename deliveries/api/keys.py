"""Write keys: where clients put them, and the source a key belongs to."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.request import Request

from deliveries import limits
from deliveries.api.body import Refusal
from integrations.selectors import Snapshot, SourceRoute


@lru_cache(maxsize=4096)
def header_key(value: str) -> str:
    """The key in an Authorization header: the user of Basic (with or without its colon), or the Bearer token."""
    scheme, _, rest = value.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest, validate=False).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def body_key(document: Any) -> str:
    """``writeKey`` in the body, or in the first item of a batch (browsers)."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return ""
    if isinstance(key := document.get("writeKey"), str) and key:
        return key
    items = document.get("batch")
    first = items[0] if isinstance(items, list) and items else None
    key = first.get("writeKey") if isinstance(first, dict) else None
    return key if isinstance(key, str) else ""


def check_header_key(request: Request, snapshot: Snapshot, path_key: str = "") -> None:
    """Refuse a wrong key before the body is read. A Bearer token may be an OAuth token beside a key in the body."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    key = header_key(header) or path_key
    if key and not header.lower().startswith("bearer") and snapshot.key(key) is None:
        raise unknown_key()


def find_route(key: str, document: Any, snapshot: Snapshot) -> tuple[SourceRoute, int]:
    """The source that ``key``, or else the key in the body, belongs to, and the key's id.

    Raises Refusal: no or unknown key 401, source switched off 403, too fast 429.
    """
    found = snapshot.key(key) if key else None
    if found is None and (in_body := body_key(document)):
        key, found = in_body, snapshot.key(in_body)
    if found is None or (found.expires_at is not None and found.expires_at <= timezone.now()):
        raise unknown_key() if key else no_key()
    route = snapshot.sources[found.source_id]
    if not route.active:
        raise Refusal(403, "source_off", f"The source “{route.name}” is switched off, so its events are not taken.")
    if wait := limits.wait(limits.SOURCE, route.id, route.rate_limit):
        raise too_many("for this source", wait)
    if wait := limits.wait(limits.KEY, found.key_id, settings.RATE_LIMIT_PER_KEY):
        raise too_many("with this key", wait)
    return route, found.key_id


def too_many(words: str, wait: int) -> Refusal:
    return Refusal(429, "rate_limited", f"Too many requests {words}. Wait, then send again.", wait)


def no_key() -> Refusal:
    words = "There is no write key. Send it as the user name of Basic authorization, or as writeKey."
    return Refusal(401, "no_key", words)


def unknown_key() -> Refusal:
    return Refusal(401, "unknown_key", "This write key is not known here, or was revoked.")
