"""A small form of `make fuzz`: the described routes are the real ones, and what the description allows is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from deliveries.api import ingest_urls
from tests.fuzz import plan

pytestmark = pytest.mark.django_db
DOCUMENT = json.loads(plan.INGEST.read_text())


def test_every_route_that_takes_events_is_described() -> None:
    described = {resolve(path.replace("{key}", "k")).route for path in DOCUMENT["paths"]}
    assert described == {str(pattern.pattern) for pattern in ingest_urls.urlpatterns}


def test_what_the_description_allows_and_forbids(make_source: Any) -> None:
    _, key = make_source()
    asks = list(plan.from_openapi("in", DOCUMENT, "", 2, key, plan.drawing(1)))
    assert len(asks) >= len(DOCUMENT["paths"])
    for ask in asks:
        headers = {name: value for name, value in ask.headers.items() if name in ("Authorization", "Content-Encoding")}
        answer = Client().generic(ask.method, ask.path, ask.body or b"", headers=headers)
        assert answer.status_code in (200, 400, 401, 404, 405), (ask, answer.content)
