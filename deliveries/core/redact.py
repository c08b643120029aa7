"""Secrets out of what is stored and shown. Pure.

Redact first and truncate afterwards: a secret cut in half is not found any more.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus

import orjson

from integrations.numbers import thousands
from integrations.types import ConnectorConfig, Vendor

MASK = "••••"
SHORTEST = 4  # a shorter secret would black out ordinary words
SHOWN_FROM = 12  # of a shorter secret nothing is shown
LONG_ENOUGH = 8  # for a key, in a header whose name says nothing of one
PLAIN_HEADERS = frozenset({
    "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "content-language",
    "content-type", "origin", "referer", "user-agent",
})  # fmt: skip

_SECRET_NAME = re.compile(
    r"auth(?!enticate$|or$|ority$)|cookie|token|secret|passw|credential|session"
    r"|(?:^|[-_])(?:api|app|access|write|private|client|license|subscription|functions|master|service)[-_]?key"
    r"|^key$",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"([A-Za-z][\w-]{0,30})\s+(\S.*)", re.DOTALL)


def headers(values: Mapping[str, object], secrets: Iterable[str] = ()) -> dict[str, str]:
    """The headers with every value masked whose name promises a secret: "Basic ••••4f2a".

    The scheme and the secret's last four characters stay; of Basic's text the ones before the closing colon, so that
    they are the same as the key's. In the other headers only ``secrets`` are replaced.
    """
    secrets = tuple(secrets)
    return {
        name: _masked_header(name, str(value)) if _promises_secret(name) else text(str(value), secrets)
        for name, value in values.items()
    }


def of_connector(config: ConnectorConfig, vendor: Vendor) -> tuple[str, ...]:
    """What must not be shown of a connector: its secrets, the ones they replaced, and the values of extra headers:
    where the header's name promises a key, and else where the value is long enough for one."""
    found = [
        value for part in (config.secrets, config.old_secrets) for value in part.values() if isinstance(value, str)
    ]
    private = {setting.name for setting in vendor.settings if setting.private}
    for setting, values in config.settings.items():
        for name, value in values.items() if isinstance(values, dict) else ():
            text = str(value)
            if _promises_secret(str(name)):
                found += [text, *text.split()[1:][-1:]]
            elif setting in private and len(text) >= LONG_ENOUGH and str(name).lower() not in PLAIN_HEADERS:
                found.append(text)
    return tuple(found)


@lru_cache(maxsize=4096)
def _promises_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def text(value: str, secrets: Iterable[str]) -> str:
    """The text without the secrets of four characters and more, in whichever of their usual spellings they stand.

    Known spellings: as it is, escaped as in JSON, in a URL or a form, Base64 of itself and of Basic's "secret:".
    """
    found = [
        (form, mask(secret))
        for secret in secrets
        if isinstance(secret, str) and len(secret) >= SHORTEST
        for form in _forms(secret)
        if form in value
    ]
    for form, masked in sorted(found, key=lambda pair: -len(pair[0])):
        value = value.replace(form, masked)
    return value


def mask(secret: str) -> str:
    """ "••••" and the last four characters, or "••••" alone where that would tell too much."""
    return MASK + secret[-4:] if len(secret) >= SHOWN_FROM else MASK


def truncate(value: str, limit: int) -> str:
    """At most ``limit`` characters; what is cut ends in "…" and, where there is room, says how long it was."""
    if len(value) <= limit:
        return value
    end = f"… (cut: {thousands(len(value))} characters in all)"
    if limit < 4 * len(end):
        end = "…"
    return value[: max(0, limit - len(end))] + end[:limit]


def _masked_header(name: str, value: str) -> str:
    if "cookie" in name.lower():
        return MASK
    found = _SCHEME.fullmatch(value.strip())
    if found is None:
        return mask(value.strip()) if value.strip() else ""
    scheme, secret = found.groups()
    return f"{scheme} {mask(_basic_key(secret) if scheme.lower() == 'basic' else secret)}"


def _basic_key(encoded: str) -> str:
    """What Basic's text says, without the colons around a lone key; the text itself where it is not Base64."""
    try:
        return base64.b64decode(encoded, validate=True).decode("ascii").strip(":") or encoded
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return encoded


@lru_cache(maxsize=1024)
def _forms(secret: str) -> tuple[str, ...]:
    raw = secret.encode("utf-8", "replace")
    encoded = [base64.b64encode(source).decode() for source in (raw + b":", b":" + raw, raw)]
    urlsafe = [form.translate(str.maketrans("+/", "-_")) for form in encoded]
    unpadded = [form.rstrip("=") for form in (*encoded, *urlsafe)]
    return tuple(
        dict.fromkeys(
            (
                secret,
                orjson.dumps(raw.decode())[1:-1].decode(),
                json.dumps(secret)[1:-1],
                quote(raw, safe=""),
                quote(raw, safe="").lower(),
                quote_plus(raw),
                *encoded,
                *urlsafe,
                *unpadded,
            )
        )
    )
