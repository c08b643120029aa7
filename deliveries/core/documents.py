"""JSON as it really arrives: fast for what is well formed, forgiving where nothing is lost by it. Pure.

Accepted besides plain JSON: a byte-order mark, integers beyond 64 bits (kept exactly) and lone surrogates (a cut emoji;
they become U+FFFD, since neither UTF-8 nor a database can hold them). Of duplicate keys the last one counts. Refused:
NaN and Infinity, which are not JSON, text that is not UTF-8, and nesting deeper than any real event.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

MAX_DEPTH = 100
ERASED_BODY = "{}"  # what is left of an erased event's body; no event that was accepted is as empty
_BOM = b"\xef\xbb\xbf"
# Digits become "0" and all else a space: to find a long run of digits so costs a twentieth of a regular expression.
_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else ord(" ") for byte in range(256))
_HUGE = b"0" * 19
_SURROGATES = re.compile("[\ud800-\udfff]")


class BadDocument(ValueError):
    """The text is not JSON that we can keep; the message says why, for the sender."""


def parse(raw: bytes) -> Any:
    """The JSON value in ``raw``. Raises BadDocument."""
    if raw.startswith(_BOM):
        raw = raw[3:]
    if not raw.strip():
        raise BadDocument("The body is empty. Send a JSON object.")
    # orjson turns integers beyond 64 bits into floats: rare enough to pay for exactness only where it may matter.
    if _HUGE not in raw.translate(_DIGITS):
        try:
            document = orjson.loads(raw)
        except orjson.JSONDecodeError:
            document = _parse_slowly(raw)
    else:
        document = _parse_slowly(raw)
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _too_deep(document):
        raise BadDocument(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
    return document


def load(text: str) -> Any:
    """A stored document, its integers to the last digit. Raises ValueError."""
    raw = text.encode()
    return json.loads(raw) if _HUGE in raw.translate(_DIGITS) else orjson.loads(raw)


def dump(document: Any) -> str:
    """Compact JSON text of a parsed document."""
    try:
        return orjson.dumps(document).decode()
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def clean(text: str) -> str:
    """Text that every database can hold in a column: NUL becomes U+FFFD."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def _parse_slowly(raw: bytes) -> Any:
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise BadDocument("The body is not UTF-8 text. Send JSON in UTF-8.") from None
    except RecursionError:
        raise BadDocument(f"The JSON is nested more than {MAX_DEPTH} levels deep.") from None
    except json.JSONDecodeError as error:
        raise BadDocument(f"malformed JSON: {error.msg.removesuffix(' at')} at character {error.pos}.") from None
    except BadDocument:
        raise
    except ValueError as error:  # an integer of more digits than Python converts
        raise BadDocument(f"malformed JSON: {error}.") from None
    if _too_deep(document):
        raise BadDocument(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
    return _without_surrogates(document)


def _refuse_constant(name: str) -> Any:
    raise BadDocument(f"malformed JSON: {name} is not a JSON value.")


def _too_deep(document: Any) -> bool:
    level = [document] if type(document) is dict or type(document) is list else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        level = [
            child
            for item in level
            for child in (item.values() if type(item) is dict else item)
            if type(child) is dict or type(child) is list  # parsed JSON has no subclasses, and this costs half
        ]
    return bool(level)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise BadDocument("malformed JSON: a number is too large.")
    return value
