"""The rules for vendors find what they are for: shown on made-up vendors."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from integrations.types import (
    ConnectorConfig,
    Event,
    EventKind,
    OutgoingRequest,
    Receive,
    Region,
    Setting,
    Vendor,
    Verdict,
)
from tests.vendors.rules import RULES
from tests.vendors.rules_of_behaviour import answers_never_raise
from tests.vendors.subject import STATUSES, subject_of

GOOD_SOURCE = '"""Acme: https://acme.example.com/docs"""\nimport json\nfrom integrations.types import Vendor\n'


def build(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    headers = {"Authorization": f"Bearer {config.secret('key')}"}
    return OutgoingRequest(url=f"{config.base_url}/events", headers=headers, json={"event": event.name})


ACME = Vendor(
    slug="acme",
    label="Acme",
    summary="Made up.",
    docs_url="https://acme.example.com/docs",
    prepare=("Have a key.",),
    settings=(Setting(name="key", label="Key", secret=True, help="Opens.", where_to_find="In Acme: Settings."),),
    regions=(Region(slug="global", label="Acme", base_url="https://api.acme.example.com"),),
    allowed_hosts=("api.acme.example.com",),
    builders={EventKind.TRACK: build},
    test_event={"type": "track", "event": "A", "userId": "u1"},
    look_at="Acme → Inbox",
    not_there=("Is it the right inbox?",),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Cases that a vendor like Acme needs."""
    folder = tmp_path / "acme"
    folder.mkdir()
    event = {"type": "track", "event": "A", "userId": "u1"}
    _write(folder, "track", {"connector": {"secrets": {"key": "k"}}, "event": event, "request": {}})
    _write(folder, "answer_200", {"answer": {"status": 200}, "verdict": {"disposition": "delivered"}})
    for status in STATUSES:
        _write(folder, f"answer_{status}", {"answer": {"status": status}, "verdict": {"disposition": "rejected"}})
    return tmp_path


def _write(folder: Path, name: str, document: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_bytes(orjson.dumps({"about": "Made up.", **document}))


def _problems(vendor: Vendor, root: Path, source: str = GOOD_SOURCE) -> list[str]:
    subject = subject_of(vendor, source, root)
    return [problem for rule in RULES for problem in rule(subject)]


def test_a_vendor_that_keeps_the_rules_has_no_problems(root: Path) -> None:
    assert _problems(ACME, root) == []


def test_a_vendor_without_cases_is_found(tmp_path: Path) -> None:
    problems = _problems(ACME, tmp_path)
    assert "there is no case in tests/vendors/acme/" in problems
    assert "no case shows a success" in problems
    assert "no case shows the request of track" in problems


def test_a_documented_answer_without_a_case_is_found(root: Path) -> None:
    (root / "acme" / "answer_422.json").unlink()
    assert _problems(ACME, root) == ["no case shows the answer 422"]


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({"remembers_ids": timedelta(hours=24)}, []),
        ({"remembers_ids": timedelta(minutes=90)}, ["remembers_ids is not a number of whole hours"]),
        ({"remembers_ids": timedelta(0)}, ["remembers_ids is not a number of whole hours"]),
        (
            {"remembers_ids": timedelta(hours=24), "deduplicates": False},
            ["remembers_ids is said of a service that does not deduplicate"],
        ),
    ],
)
def test_a_memory_that_cannot_be_is_found(root: Path, change: dict[str, Any], problems: list[str]) -> None:
    assert _problems(replace(ACME, **change), root) == problems


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"help": " "}, "setting key has no help text"),
        ({"where_to_find": ""}, "setting key does not say where to find the secret"),
        ({"pattern": r"\d+"}, "setting key: the pattern is not put into words"),
        ({"kind": "choice", "default": "x"}, "setting key: the default is none of the choices"),
    ],
)
def test_a_setting_that_explains_nothing_is_found(root: Path, change: dict[str, Any], problem: str) -> None:
    vendor = replace(ACME, settings=(replace(ACME.settings[0], **change),))
    assert _problems(vendor, root) == [problem]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (GOOD_SOURCE + "import requests\n", "it imports requests"),
        (GOOD_SOURCE + "from django.conf import settings\n", "it imports django.conf"),
        (GOOD_SOURCE + "from integrations.models import Connector\n", "it imports integrations.models"),
        (GOOD_SOURCE + "def f():\n    import urllib.request\n", "it imports urllib.request"),
        ('"""Acme."""\n', "the module's docstring has no documentation address"),
    ],
)
def test_an_impure_or_undocumented_module_is_found(root: Path, source: str, problem: str) -> None:
    assert _problems(ACME, root, source) == [problem]


def _bad(**parts: Any) -> Any:
    """A builder that differs from Acme's in one thing."""
    return lambda event, config: replace(build(event, config), **{k: v(event, config) for k, v in parts.items()})


@pytest.mark.parametrize(
    ("builder", "problem"),
    [
        (_bad(json=lambda e, c: {"key": c.secret("key")}), "the secret key is in the body"),
        (
            _bad(url=lambda e, c: f"{c.base_url}/{c.secret('key')}"),
            "the secret key is in the address, a header or a note",
        ),
        (_bad(url=lambda e, c: "https://evil.example.com/"), "https://evil.example.com/ is outside of allowed_hosts"),
        (_bad(url=lambda e, c: "http://api.acme.example.com/"), "http://api.acme.example.com/ is not https"),
        (_bad(notes=lambda e, c: (e.payload.pop("userId", ""),)), "track: the event was changed"),
        (
            _bad(notes=lambda e, c: (e.payload["properties"]["x"],)),
            "track: None raises TypeError(\"'NoneType' object is not subscriptable\")",
        ),
    ],
)
def test_a_careless_builder_is_found(root: Path, builder: Any, problem: str) -> None:
    if "payload[" in problem or "TypeError" in problem:
        (root / "acme" / "track.json").unlink()
        _write(
            root / "acme", "track", {"event": {"type": "track", "event": "A", "properties": {"x": "y"}}, "request": {}}
        )
    assert problem in _problems(replace(ACME, builders={EventKind.TRACK: builder}, test_event={}), root)


def test_a_classify_that_trusts_the_body_is_found(root: Path) -> None:
    vendor = replace(ACME, classify=lambda response, config: response.json()["x"])
    assert any("raises" in problem for rule in [answers_never_raise] for problem in rule(subject_of(vendor, "", root)))


def test_a_failure_without_a_cause_is_found(root: Path) -> None:
    vendor = replace(ACME, classify=lambda response, config: Verdict(disposition="delivered"))  # type: ignore[arg-type]  # wrong on purpose
    assert "the answer 500 b'' has no cause" in _problems(vendor, root)


def test_a_receiver_that_explains_nothing_is_found(root: Path) -> None:
    receive = Receive(path="/acme", parse=lambda document, source: [document["type"]], paste=("Paste it.",))
    problems = _problems(replace(ACME, receive=receive), root)
    assert "the route is not below /connector/" in problems
    assert "paste does not say where address and key go" in problems
    assert "no case shows what comes in" in problems
