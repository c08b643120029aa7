"""Texts that no page of ours expects, for every place where a text may stand."""

from __future__ import annotations

from urllib.parse import quote, quote_from_bytes

# Halves of surrogate pairs and broken UTF-8 only exist as bytes of an address.
RAW = (b"\xff", b"\xed\xa0\xbd", b"a\xc3", b"\xf4\x90\x80\x80")
VALUES: tuple[str, ...] = (
    "\x00", "a\x00b", "0", "-1", "1.5", "9" * 18, "9" * 19, "9" * 20, "9" * 5000, "18446744073709551616", "²", "٣",
    "1e400", "NaN", "x" * 300, "x" * 20_000, "é😀", "\u202e", "\ufffe", "'; DROP TABLE x; --", "%s", "%", "a,b,,", ",",
    "null", "[]", '{"a": 1}', "../../etc/passwd", "<script>alert(1)</script>", "\r\nSet-Cookie: a=b", "0001-01-01",
    "9999-12-31T23:59:59+14:00", "9999-12-31", "0000-00-00", "2026-02-30", "-9999", "true",
)  # fmt: skip
NAMES = (
    "q", "view", "status", "cause", "connector", "event", "source", "type", "name", "user_id", "message_id", "since",
    "until", "range", "before", "after", "newest", "replay", "day", "cursor", "limit", "service", "by", "kind",
    "sample", "pasted", "as_sent", "include_delivered", "next", "o", "p", "e", "_facets", "back", "format",
)  # fmt: skip


def query(name: str, value: str | bytes) -> str:
    """The pair as it stands in an address."""
    return f"{quote(name)}={quote_from_bytes(value) if isinstance(value, bytes) else quote(value, safe='')}"
