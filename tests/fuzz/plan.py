"""What is asked: the corpus of hostile bodies, every address with every parameter, whatever the OpenAPI documents allow
and forbid, and random documents. The same seed makes the same plan.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from tests import hostile
from tests.door import basic
from tests.hostile_texts import NAMES, RAW, VALUES, query

INGEST = Path(__file__).resolve().parents[2] / "docs" / "ingest.openapi.json"
JSON = {"Content-Type": "application/json"}
ONE_EVENT = ("/v1/track", "/v1/identify", "/v1/page", "/v1/group", "/v1/alias", "/v1/delete", "/connector/segment",
             "/connector/customerio", "/connector/surveys")  # fmt: skip
API_BODIES = ("connectors/1/test/", "connectors/1/pause/", "connectors/1/resume/", "deliveries/1/replay/", "replays/")
Draw = Callable[[Any, int], list[Any]]


@dataclass(frozen=True)
class Ask:
    """One request. ``who``: "" as it is, "owner" with a session of the console, "token" with one of the API."""

    part: str
    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    who: str = ""


def drawing(number: int) -> Draw:
    """Draws examples of a strategy, the same ones for the same number."""

    def draw(strategy: Any, count: int) -> list[Any]:
        found: list[Any] = []

        @seed(number)
        @given(strategy)
        @hypothesis_settings(
            max_examples=count, database=None, deadline=None, derandomize=False, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def collect(example: Any) -> None:
            found.append(example)

        with contextlib.suppress(Unsatisfiable):  # a call without anything that could be forbidden
            collect()
        return found

    return draw


def everything(key_of: dict[str, str], pages: list[str], calls: list[str], api: Any, number: int) -> Iterator[Ask]:
    """The whole plan, about 21,000 requests. ``key_of``: a write key for each receiving service."""
    draw, chance = drawing(number), random.Random(number)
    yield from corpus(key_of)
    yield from documents(key_of, draw)
    yield from addresses("console", pages, "owner", chance, 1500)
    yield from addresses("API", [f"/api/v1/{call}" for call in calls], "token", chance, 4500)
    yield from api_bodies(draw)
    yield from from_openapi("OpenAPI in", json.loads(INGEST.read_text()), "", 20, key_of["segment"], draw)
    yield from from_openapi("OpenAPI API", api, "token", 40, "", draw)


def corpus(key_of: dict[str, str]) -> Iterator[Ask]:
    for at in range(60):  # to the connectors with filters, and to the services that say when to come again
        event = {"type": "track", "event": "e" * at, "userId": f"u{at}", "properties": {"a": at, "v": "x"}}
        yield Ask("corpus", "POST", "/v1/track", json.dumps(event).encode(), basic(key_of["few"]))
    for path in ("/v1/track", "/v1/batch", "/connector/segment", "/connector/customerio", "/connector/surveys"):
        key = key_of.get(path.rpartition("/")[2], key_of["segment"])
        for raw, headers in hostile.REFUSED.values():
            yield Ask("corpus", "POST", path, raw, {**basic(key), **headers})
        for raw, _ in hostile.TAKEN.values():
            yield Ask("corpus", "POST", path, raw, basic(key))
        for value in hostile.IDS:
            for name in hostile.FIELDS:
                event = {"type": "track", "event": "e", "userId": "u", name: value}
                yield Ask("corpus", "POST", path, json.dumps(event).encode(), basic(key))


def documents(key_of: dict[str, str], draw: Draw) -> Iterator[Ask]:
    key = basic(key_of["segment"])
    for document in draw(hostile.events, 700):  # drawing costs more than asking: each goes everywhere
        for path in ONE_EVENT:
            own = basic(key_of.get(path.rpartition("/")[2], key_of["segment"]))
            yield Ask("documents", "POST", path, hostile.dumped(document), own)
    for document in draw(hostile.batches, 700):
        for path in ("/v1/batch", "/v1/import", "/v1/b/"):
            yield Ask("documents", "POST", path, hostile.dumped(document), key)
    for raw in draw(st.binary(max_size=300), 500):
        for encoding in ("", "gzip", "deflate", "br"):
            yield Ask("documents", "POST", "/v1/track", raw, {**key, "Content-Encoding": encoding})
    latin = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80)
    for text in draw(latin, 500):
        yield Ask("documents", "POST", "/v1/track", hostile.GOOD, {"Authorization": text.strip()})


def addresses(part: str, paths: list[str], who: str, chance: random.Random, count: int) -> Iterator[Ask]:
    every = [(path, name, value) for path in paths for name in NAMES for value in (*VALUES, *RAW)]
    for path, name, value in chance.sample(every, min(count, len(every))):
        yield Ask(part, "GET", f"{path}?{query(name, value)}", who=who)


def api_bodies(draw: Draw) -> Iterator[Ask]:
    fields = ("event", "send", "reason", "resume_at", "backlog", "as_sent", "preview", "filters", "status", "connector",
              "user_id", "since", "include_delivered")  # fmt: skip
    bodies = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, hostile.values)) | hostile.values
    tested = st.fixed_dictionaries({"event": hostile.events, "send": st.booleans()})
    for at, body in enumerate(draw(bodies, 400) + draw(tested, 300)):
        path = API_BODIES[at % len(API_BODIES)] if at < 400 else API_BODIES[0]
        yield Ask("API bodies", "POST", f"/api/v1/{path}", hostile.dumped(body), JSON, "token")


def from_openapi(part: str, document: Any, who: str, each: int, key: str, draw: Draw) -> Iterator[Ask]:
    """For every call what its description allows, and what it forbids."""
    base = "http://127.0.0.1"
    schema = schemathesis.openapi.from_dict(document)
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            for case in draw(operation.as_strategy(generation_mode=mode), each // 2):
                yield from _prepared(part, case, base, who, key)


def _prepared(part: str, case: Any, base: str, who: str, key: str) -> Iterator[Ask]:
    try:
        prepared = requests.Request(**case.as_transport_kwargs(base_url=base)).prepare()
    except (requests.RequestException, ValueError, TypeError):
        return  # no client could send it
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    headers = {name: str(value) for name, value in prepared.headers.items() if name != "Content-Length"}
    if key and "Authorization" not in headers:
        headers |= basic(key)
    yield Ask(part, str(prepared.method), prepared.path_url, body, headers, who)
