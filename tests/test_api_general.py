"""Tokens, roles, errors and addresses of the management API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from config.models import ApiToken
from deliveries.api.management_urls import CALLS
from deliveries.models import Delivery, Replay
from integrations.models import Connector
from tests.api import ROLES, Api, answer, refused
from tests.rows import connector, delivery

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows() -> tuple[Connector, Delivery, Replay]:
    to = connector()
    return to, delivery(to, "failed"), Replay.objects.create()


READS = (
    "sources/",
    "connectors/",
    "connectors/{c}/",
    "events/",
    "deliveries/",
    "deliveries/{d}/",
    "replays/{r}/",
    "books/",
)
ACTIONS = (
    "connectors/{c}/pause/",
    "connectors/{c}/resume/",
    "connectors/{c}/test/",
    "deliveries/{d}/replay/",
    "replays/",
    "replays/{r}/stop/",
)


def path_of(route: str, rows: tuple[Connector, Delivery, Replay]) -> str:
    return route.format(c=rows[0].pk, d=rows[1].pk, r=rows[2].pk)


def test_every_call_is_tested_by_role() -> None:
    blank = {route.replace("<str:id>", "x") for route in CALLS}
    assert {route.format(c="x", d="x", r="x") for route in (*READS, *ACTIONS)} == blank


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", READS)
def test_everybody_with_a_token_reads(route: str, role: str, rows: Any) -> None:
    assert Api(role).get(path_of(route, rows))[0] == 200


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ACTIONS)
def test_operators_act_and_viewers_change_nothing(route: str, role: str, rows: Any) -> None:
    before = (state(), Delivery.objects.count(), Replay.objects.count())
    found = Api(role).post(path_of(route, rows), {})
    if role == "viewer":
        assert refused(found, 403) == "This API token's role may not do that."
        assert (state(), Delivery.objects.count(), Replay.objects.count()) == before
    else:
        assert found[0] in (200, 201), found


def state() -> list[Any]:
    return [
        list(Connector.objects.values_list("status", "tested_at")),
        list(Delivery.objects.values_list("id", "status")),
        list(Replay.objects.values_list("state")),
    ]


@pytest.mark.parametrize("route", [*READS, *ACTIONS])
@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic d3Jvbmc6", "Bearer "])
def test_nobody_without_a_token(route: str, header: str, rows: Any) -> None:
    client = Client(headers={"authorization": header} if header else {})
    before = state()
    send = client.get if route in READS else client.post
    response = send(f"/api/v1/{path_of(route, rows)}")
    refused(answer(response), 401)
    assert response["www-authenticate"].startswith("Bearer")
    assert state() == before


def test_a_revoked_token_is_none() -> None:
    api = Api("owner")
    ApiToken.objects.update(revoked_at=timezone.now())
    assert "revoked" in refused(api.get("sources/"), 401)


@pytest.mark.parametrize(
    "path", ["", "v1", "v1/", "v1/nothing", "v1/connectors/1/explode/", "v2/sources/", "v1//sources"]
)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_unknown_addresses_are_404_in_json(path: str, method: str) -> None:
    assert refused(answer(getattr(Client(), method)(f"/api/{path}")), 404) == "There is nothing at this address."


@pytest.mark.parametrize(
    "key", ["0", "-1", "abc", "1.5", "9" * 18, "9223372036854775808", "9" * 60, "%00", "١", "1%20or%201=1", "null"]
)
def test_ids_that_are_none_are_404(key: str, rows: Any) -> None:
    api = Api("owner")
    for route in ("connectors/{}/", "deliveries/{}/", "replays/{}/"):
        refused(api.get(route.format(key)), 404)
    for route in ("connectors/{}/pause/", "connectors/{}/test/", "deliveries/{}/replay/", "replays/{}/stop/"):
        refused(api.post(route.format(key), {}), 404)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"[]",
        b"5",
        b'"text"',
        b"null",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"\xff\xfe",
        b'{"reason": {"a": 1}}',
        b'{"reason": "\\u0000"}',
        b'{"reason": "' + b"x" * 301 + b'"}',
        b'{"resume_at": "soon"}',
        b'{"reason": "' + b"x" * 1_100_000 + b'"}',
    ],
)
def test_bad_bodies_are_400_and_change_nothing(body: bytes, rows: Any) -> None:
    before = state()
    refused(Api("owner").post(f"connectors/{rows[0].pk}/pause/", body), 400)
    assert state() == before


def test_the_content_type_does_not_matter(rows: Any) -> None:
    client = Api("owner").client
    for kind in ("text/plain", "application/x-www-form-urlencoded", "nonsense", ""):
        path = f"/api/v1/connectors/{rows[0].pk}/pause/"
        assert answer(client.post(path, b'{"reason": "x"}', content_type=kind))[0] == 200


def test_wrong_methods_are_405() -> None:
    api = Api("owner")
    refused(api.post("deliveries/", {}), 405)
    refused(answer(api.client.delete("/api/v1/sources/")), 405)
    refused(answer(api.client.put("/api/v1/sources/", b"{}")), 405)


def test_no_call_needs_its_slash_and_none_redirects(rows: Any) -> None:
    api = Api("owner")
    for route in READS:
        assert api.get(path_of(route, rows).rstrip("/"))[0] == 200
    assert api.post(f"connectors/{rows[0].pk}/pause", {})[0] == 200


@pytest.mark.parametrize(
    ("path", "query", "begins"),
    [
        ("deliveries/", {"cursor": "x"}, "cursor: "),
        ("deliveries/", {"cursor": "9" * 30}, "cursor: "),
        ("deliveries/", {"limit": "-1"}, "limit: "),
        ("deliveries/", {"status": "great"}, "status: "),
        ("deliveries/", {"cause": "x"}, "cause: "),
        ("deliveries/", {"connector": "nobody"}, "connector: "),
        ("deliveries/", {"since": "x"}, "since: "),
        ("deliveries/", {"user_id": "a\x00"}, "user_id: "),
        ("events/", {"source": "nobody"}, "source: "),
        ("events/", {"type": "x"}, "type: "),
        ("events/", {"until": "99999-01-01"}, "until: "),
        ("books/", {"day": "x"}, "day: "),
        ("books/", {"day": "0001-01-01"}, "day: "),
        ("books/", {"day": "2025-02-30"}, "day: "),
    ],
)
def test_bad_queries_are_400_and_name_the_field(path: str, query: dict[str, str], begins: str) -> None:
    assert refused(Api().get(path, **query), 400).startswith(begins)


def test_the_openapi_document_lists_every_call() -> None:
    response = Client().get("/api/v1/schema/")
    assert response.status_code == 200
    document = json.loads(response.content)
    assert document["openapi"].startswith("3.")
    assert sorted(document["paths"]) == sorted(f"/api/v1/{route.replace('<str:id>', '{id}')}" for route in CALLS)
    assert document["components"]["securitySchemes"] == {"apiToken": {"type": "http", "scheme": "bearer"}}


def test_the_openapi_document_is_valid_and_made_without_warnings(tmp_path: Any) -> None:
    from django.core.management import call_command

    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yml"))
