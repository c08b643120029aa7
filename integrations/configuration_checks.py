"""Reading a configuration document: every mistake is found, each with its path, before anything is written.

Pure but for ``settings.ALLOWED_PRIVATE_NETWORKS``; what the database holds already is passed in as :class:`Known`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from integrations import registry
from integrations.types import Setting, Vendor

Json = Any
RETRIES = ("standard", "patient")
MAX_RETRIES = 50
MAX_DELAY = 7 * 86_400
MAX_INTEGER = 2**31 - 1


class BadConfiguration(ValueError):
    """The document can't be imported. ``problems`` has one line for each mistake: "path: what is wrong"."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is there already, by name: sources, connectors' vendors and secrets, regions by vendor, keys' owners."""

    sources: frozenset[str] = frozenset()
    connector_vendors: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    regions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    key_owners: Mapping[str, str] = field(default_factory=dict)


class Notes:
    """The mistakes found so far."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, path: str, words: str) -> None:
        self.problems.append(f"{path}: {words}" if path else words)


class Reader:
    """One object of the document. Every getter notes what is wrong and then returns something harmless."""

    def __init__(self, value: Json, path: str, allowed: Iterable[str], notes: Notes) -> None:
        self.path, self.notes = path, notes
        self.value: dict[str, Json] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            notes.add(path, f"an object was expected, not {kind_of(value)}.")
        allowed = tuple(allowed)
        for key in self.value:
            if key not in allowed:
                notes.add(self.at(key), f"there is no such field; there are {', '.join(allowed)}.")

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        return self.value.get(key) is not None

    def wrong(self, key: str, words: str) -> None:
        self.notes.add(self.at(key), words)

    def text(self, key: str, default: str = "", *, required: bool = False, most: int = 200) -> str:
        value = self.value.get(key)
        if value is None or value == "":
            if required:
                self.wrong(key, "missing.")
            return default
        if words := text_problem(value, most):
            self.wrong(key, words)
            return default
        return str(value)

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self.value.get(key)
        if value is None:
            return default
        if not isinstance(value, str) or value not in choices:
            self.wrong(key, f"{shown(value)} is not one of {', '.join(choices)}.")
            return default
        return value

    def boolean(self, key: str, default: bool) -> bool:
        value = self.value.get(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, f"true or false was expected, not {kind_of(value)}.")
            return default
        return default if value is None else value

    def number(self, key: str, *, whole: bool = False) -> Any:
        """A number above 0, or None."""
        value = self.value.get(key)
        if value is None:
            return None
        if not is_number(value) or (whole and not isinstance(value, int)) or not 0 < value <= MAX_INTEGER:
            self.wrong(key, f"{shown(value)} is not a {'whole ' if whole else ''}number above 0.")
            return None
        return value

    def items(self, key: str) -> list[tuple[Json, str]]:
        """The elements of a list with their paths."""
        value = self.value.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(key, f"a list was expected, not {kind_of(value)}.")
            return []
        return [(item, f"{self.at(key)}[{index}]") for index, item in enumerate(value)]

    def mapping(self, key: str) -> dict[str, Json]:
        value = self.value.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.wrong(key, f"an object was expected, not {kind_of(value)}.")
            return {}
        return value

    def vendor(self, default: str, able: Callable[[Vendor], bool], verb: str) -> Vendor | None:
        slug = self.text("vendor", default, required=not default)
        vendor = registry.get(slug)
        able_ones = [item.slug for item in registry.vendors().values() if able(item)]
        if vendor is None:
            if slug:
                self.wrong("vendor", f"there is no service “{slug}”; there are {', '.join(able_ones)}.")
            return None
        if not able(vendor):
            self.wrong("vendor", f"{vendor.label} {verb}; these can: {', '.join(able_ones)}.")
            return None
        return vendor


def check_settings(
    reader: Reader, given: Mapping[str, Json], fields: Iterable[Setting], saved: Mapping[str, str] | None = None
) -> dict[str, Json]:
    """The values of ``settings``, or of ``secrets`` where ``saved`` (the stored ones) is given, with defaults."""
    key = "settings" if saved is None else "secrets"
    wanted = {setting.name: setting for setting in fields if setting.secret is (saved is not None)}
    for name in given:
        if name not in wanted:
            there = f"there are {', '.join(wanted)}" if wanted else f"there are no {key} here"
            reader.wrong(f"{key}.{name}", f"there is no such field; {there}.")
    values: dict[str, Json] = {}
    for name, setting in wanted.items():
        value = given.get(name)
        if value is None or value == "":
            value = (saved or {}).get(name, setting.default)
            if setting.required and (value is None or value == ""):
                reader.wrong(f"{key}.{name}", f"missing: {setting.label}.")
        elif words := setting_problem(setting, value):
            reader.wrong(f"{key}.{name}", words)
        if value is not None and value != "":
            values[name] = value
    return values


def setting_problem(setting: Setting, value: Json) -> str:
    """What is wrong with a setting's value; "" when nothing is."""
    match setting.kind:
        case "integer" | "days":
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
                return f"{shown(value)} is not a whole number from 0."
        case "number":
            if not is_number(value):
                return f"{shown(value)} is not a number."
        case "boolean":
            return "" if isinstance(value, bool) else f"true or false was expected, not {kind_of(value)}."
        case "choice":
            choices = [choice for choice, _ in setting.choices]
            return "" if value in choices else f"{shown(value)} is not one of {', '.join(choices)}."
        case "map":
            return map_problem(value)
        case "url":
            return address_problem(value, 500)
        case _:
            if words := text_problem(value, 2000):
                return words
    if setting.pattern and not re.fullmatch(setting.pattern, str(value)):
        return setting.pattern_hint or "this does not look right."
    return ""


def map_problem(value: Json) -> str:
    if not isinstance(value, dict):
        return f"an object was expected, not {kind_of(value)}."
    for name, text in value.items():
        if not name or text_problem(name, 200):
            return f"“{name[:50]}” can't be a name."
        if words := text_problem(text, 2000):
            return f"{name}: {words}"
    return ""


def text_problem(value: Json, most: int) -> str:
    if not isinstance(value, str):
        return f"a text was expected, not {kind_of(value)}."
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        return "there are characters in it that no text has."
    return f"longer than {most} characters." if len(value) > most else ""


def address_problem(value: Json, most: int = 200) -> str:
    """What is wrong with an address to send to. Plain http is for the installation's own network only."""
    if words := text_problem(value, most):
        return words
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"{shown(value)} is not an address."
    schemes = ("https", "http") if settings.ALLOWED_PRIVATE_NETWORKS else ("https",)
    if parts.scheme not in ("http", "https") or not host or any(char.isspace() for char in value):
        return f"{shown(value)} is not an address such as https://example.com."
    if parts.scheme not in schemes:
        return "it must begin with https://. Plain http is possible only inside ALLOWED_PRIVATE_NETWORKS."
    if parts.username is not None or parts.fragment:
        return "an address has no user name and no # in it."
    return ""


def retry_problem(value: Json) -> str:
    """What is wrong with a connector's ``retry``: a schedule's name, or a list of seconds."""
    if isinstance(value, str) and value in RETRIES:
        return ""
    if not isinstance(value, list):
        return f"{shown(value)} is not {' or '.join(RETRIES)}, and no list of seconds."
    if not 1 <= len(value) <= MAX_RETRIES:
        return f"the list has {len(value)} waits; from 1 to {MAX_RETRIES} are possible."
    for place, seconds in enumerate(value, 1):
        if not is_number(seconds) or not 0 <= seconds <= MAX_DELAY:
            return f"wait {place} is {shown(seconds)}, which is not a number of seconds from 0 to {MAX_DELAY}."
    return ""


def is_number(value: Json) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)


def kind_of(value: Json) -> str:
    """A JSON value's kind, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def shown(value: Json) -> str:
    """A value in a sentence: never a whole document."""
    text = value if isinstance(value, str) else repr(value)
    return f"“{text[:60]}”"
