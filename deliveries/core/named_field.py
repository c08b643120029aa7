"""Which field of what was sent a service's words are about, and what was asked for by name. Pure.

"phone is not a valid number" names ``phone``, if there is one in what was sent. A word that may as well be none ("this
event is …") counts only where it is quoted, or has a dot or an underscore in it: no field is better than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

WORD = re.compile(r"[A-Za-z_$][\w$.\[\]-]*")
QUOTES = "\"'`“”‘’"
ABOUT = re.compile(r"\s*(?::|(?:is|are|was|has|must|should|cannot|can't|may|does|needs)\b)")
LEADS_TO = re.compile(r"\b(?:field|property|attribute|parameter|trait|for|in)\s+$", re.IGNORECASE)
WORDS = frozenset(
    {"type", "event", "events", "name", "batch", "data", "user", "message", "payload", "key", "value", "to"}
)
DEEPEST = 12
LONGEST = 100


def named_field(said: str, sent: str) -> str:
    """The first field of the JSON text ``sent`` that ``said`` is about, as it is written there; "" for none."""
    try:
        names = set(_names(orjson.loads(sent), DEEPEST))
    except ValueError:
        return ""
    for found in WORD.finditer(said):
        word = found[0].rstrip(".-")
        name = re.split(r"[.\[\]]+", word.rstrip("]"))[-1] or word
        if name in names and _is_meant(said, found.start(), found.start() + len(word), word):
            return word
    return ""


def asked_for(field: str, sent: str) -> str:
    """What stands in this field at the top of the JSON text ``sent``, cut short; "" for none, or where that is cut."""
    try:
        found = orjson.loads(sent).get(field)
    except (ValueError, AttributeError):
        return ""
    return found[:LONGEST] if isinstance(found, str) else ""


def _names(value: Any, deep: int) -> Iterator[str]:
    if deep and isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner, deep - 1)
    elif deep and isinstance(value, list):
        for inner in value:
            yield from _names(inner, deep - 1)


def _is_meant(said: str, start: int, end: int, word: str) -> bool:
    if said[start - 1 : start] in QUOTES and said[end : end + 1] in QUOTES and start and said[end : end + 1]:
        return True
    if "." in word or "_" in word:
        return True
    if word in WORDS:
        return False
    return start == 0 or bool(ABOUT.match(said, end)) or bool(LEADS_TO.search(said[:start]))
