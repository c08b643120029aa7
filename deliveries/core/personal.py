"""Personal fields out of what a viewer sees. Pure.

A viewer follows what happened to events, and need not know whose they are: ids become "us••••", the usual personal
fields and everything that looks like an e-mail address are masked, at any depth.
"""

from __future__ import annotations

import re
from typing import Any

MASK = "••••"
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
FIELDS = frozenset(
    {
        *("name", "firstname", "lastname", "fullname", "middlename", "username", "birthday", "dateofbirth", "age"),
        *("gender", "avatar", "email", "emailaddress", "phone", "phonenumber", "mobile", "sms", "whatsapp", "slack"),
        *("address", "street", "city", "postalcode", "zip", "ip"),
        *("userid", "anonymousid", "distinctid", "subscriberid", "previousid", "groupid"),
    }
)
# An event's or a page's name is no person's: it stands at the top, or in properties of page and screen.
NOT_PERSONAL = frozenset({"event", "type"})


def hidden_id(value: str) -> str:
    """The first two characters of an id, so that neighbours can be told apart."""
    return f"{value[:2]}{MASK}" if value else ""


def masked(value: Any, key: str = "", depth: int = 0) -> Any:
    """A copy of a JSON value without what is personal. ``name`` is masked below traits and the like, not at the top."""
    if depth > 40:
        return MASK
    if isinstance(value, dict):
        return {name: masked(part, name, depth + 1) for name, part in value.items()}
    if isinstance(value, list):
        return [masked(part, key, depth + 1) for part in value]
    if value is None or isinstance(value, bool):
        return value
    if _personal(key, depth):
        return MASK
    return masked_text(value) if isinstance(value, str) else value


def masked_text(text: str, *ids: str) -> str:
    """Without e-mail addresses and, of an event's own ``ids``, those long enough not to be a common word's part."""
    for one in ids:
        text = text.replace(one, hidden_id(one)) if len(one) > 3 else text
    return EMAIL.sub(MASK, text)


def _personal(key: str, depth: int) -> bool:
    plain = re.sub(r"[^a-z]", "", key.lower())
    if plain in NOT_PERSONAL or (plain == "name" and depth <= 1):
        return False
    return plain in FIELDS
