"""Bodies that no client of good will sends, and strategies that make more of them. Used against the views and against
a running server."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from hypothesis import strategies as st

GOOD = b'{"type":"track","event":"e","userId":"u1"}'
BOMB = gzip.compress(b"[" + b"0," * 20_000_000 + b"0]", 9)  # 40 MB in 40 KB


def nested(depth: int, opening: str = '{"a":', closing: str = "}") -> bytes:
    """An event whose properties are ``depth`` levels deep; the event itself is one more."""
    return (
        '{"type":"track","event":"e","userId":"u1","properties":' + opening * depth + "1" + closing * depth + "}"
    ).encode()


def with_value(text: str) -> bytes:
    return f'{{"type":"track","event":"e","userId":"u1","properties":{{"v":{text}}}}}'.encode()


# name → (body, extra headers). The answer to each is 400; nothing of it is stored.
REFUSED: dict[str, tuple[bytes, dict[str, str]]] = {
    "cut gzip": (gzip.compress(GOOD)[:-9], {"Content-Encoding": "gzip"}),
    "cut gzip head": (gzip.compress(GOOD)[:5], {"Content-Encoding": "gzip"}),
    "gzip of nothing": (b"", {"Content-Encoding": "gzip"}),
    "no gzip at all": (GOOD, {"Content-Encoding": "gzip"}),
    "gzip with a wrong checksum": (gzip.compress(GOOD)[:-8] + b"\0" * 8, {"Content-Encoding": "gzip"}),
    "gzip bomb": (BOMB, {"Content-Encoding": "gzip"}),
    "deflate bomb": (zlib.compress(b" " * 40_000_000, 9), {"Content-Encoding": "deflate"}),
    "unknown encoding": (GOOD, {"Content-Encoding": "br"}),
    "two encodings": (gzip.compress(gzip.compress(GOOD)), {"Content-Encoding": "gzip, gzip"}),
    "latin-1": ('{"type":"track","event":"Café","userId":"u1"}'.encode("latin-1"), {}),
    "utf-16": (GOOD.decode().encode("utf-16"), {}),
    "a stray byte": (b'{"event":"\xff"}', {}),
    "nesting": (nested(101), {}),
    "nesting of lists": (nested(101, "[", "]"), {}),
    "nesting that breaks recursion": (b"[" * 200_000, {}),
    "closed nesting that breaks recursion": (b'{"a":' * 60_000 + b"1" + b"}" * 60_000, {}),
    "NaN": (with_value("NaN"), {}),
    "Infinity": (with_value("Infinity"), {}),
    "minus Infinity": (with_value("-Infinity"), {}),
    "a number beyond every float": (with_value("1e999"), {}),
    "more digits than Python converts": (with_value("9" * 5000), {}),
    "10 MB": (b'{"type":"track","event":"' + b"x" * 10_000_000 + b'"}', {}),
    "10 MB of spaces": (b" " * 10_000_000, {}),
    "no string": (b'{"event": "open', {}),
    "a control character": (b'{"event": "a\nb", "userId": "u"}', {}),
    "a broken escape": (b'{"event": "\\ud83"}', {}),
    "comments": (b'{"event": "e" /* */}', {}),
    "python": (b"{'event': True}", {}),
    "nul bytes": (b"\0" * 100, {}),
}
# name → (body, what its stored payload must hold).
TAKEN: dict[str, tuple[bytes, dict[str, Any]]] = {
    "nesting as deep as allowed": (nested(99), {}),
    "an integer of 31 digits": (with_value("1234567890123456789012345678901"), {"v": 1234567890123456789012345678901}),
    "an integer beyond 64 bits": (with_value("18446744073709551616"), {"v": 18446744073709551616}),
    "a negative one": (with_value("-9223372036854775809"), {"v": -9223372036854775809}),
    "the largest of 64 bits": (with_value("18446744073709551615"), {"v": 18446744073709551615}),
    "a lone surrogate": (with_value(r'"cut \ud83d"'), {"v": "cut \ufffd"}),
    "a low surrogate in a key": (with_value(r'{"\udc00": 1}'), {"v": {"\ufffd": 1}}),
    "a whole pair": (with_value(r'"\ud83d\ude00"'), {"v": "😀"}),
    "NUL": (with_value(r'"a\u0000b"'), {"v": "a\0b"}),
    "duplicate keys": (with_value('1,"v":2'), {"v": 2}),
    "an empty key": (with_value('{"":1}'), {"v": {"": 1}}),
    "precision": (with_value("0.1"), {"v": 0.1}),
    "a tiny number": (with_value("1e-400"), {"v": 0.0}),
}
IDS: tuple[Any, ...] = (
    "", " ", "\0", "a\0b", "x" * 300, "x" * 20_000, 0, 1, -1, 1.5, 1e300, 10**30, True, False, None, [], [1], {},
    {"id": 1}, "\n\r", "é😀", "a.b", "'; DROP TABLE deliveries_event; --", "%s", "\u202e", "\ufffe",
)  # fmt: skip

texts = st.text(max_size=30) | st.sampled_from(["\0", "x" * 300, "é😀", "track", "identify", "2025-11-22T09:00:00Z"])
scalars = st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
FIELDS = (
    "type", "event", "userId", "anonymousId", "messageId", "timestamp", "sentAt", "originalTimestamp", "context",
    "integrations", "properties", "traits", "name", "previousId", "groupId", "writeKey", "receivedAt", "batch",
)  # fmt: skip
events = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, values)) | values
batches = st.fixed_dictionaries(
    {"batch": st.lists(events, max_size=4) | values},
    optional={"context": values, "integrations": values, "sentAt": values, "writeKey": values},
)


def dumped(document: Any) -> bytes:
    return json.dumps(document).encode()
