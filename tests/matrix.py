"""Who may do what, by address: the URL table itself, and every row of the database to see that nothing changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import URLResolver

from config.models import ApiToken
from integrations import selectors
from integrations.models import Connector
from tests.console import EMPTY_TABLES, made, person

JSON = "application/json"
WHO = ("anonymous", "viewer", "operator", "editor", "owner")
TABLE: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "matrix.json").read_text())
# A sign-in moves with every page that is looked at.
NOT_COMPARED = ("django_session",)
NOT_COMPARED_COLUMNS = {"config_apitoken": ("last_used_at",)}


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Every address of the URL table, as it is written there."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{before}{pattern.pattern}"
        else:
            yield from routes(pattern, f"{before}{pattern.pattern}")


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            if table in NOT_COMPARED:
                continue
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - our own tables
            names = [column.name if hasattr(column, "name") else column[0] for column in cursor.description]
            left_out = {names.index(name) for name in NOT_COMPARED_COLUMNS.get(table, ())}
            lines = [tuple(v for at, v in enumerate(row) if at not in left_out) for row in cursor.fetchall()]
            found[table] = sorted(lines, key=repr)
    return found


class World:
    """One of everything, and somebody of each role in front of it: signed in here, with a token at the API."""

    def __init__(self) -> None:
        m = self.m = made()
        m.tried = Connector.objects.create(name="Tried", vendor="practice", settings={"script": "works"})
        m.tried.sources.add(m.source)
        m.forms["connector"] |= {"name": "Renamed"}
        self.console = {who: Client() if who == "anonymous" else person(who) for who in WHO}
        self.api = {who: Client() if who == "anonymous" else _with_token(who) for who in WHO}
        for client in (*self.console.values(), *self.api.values()):
            client.raise_request_exception = True
        names = ("failed", "delivered", "held", "replay", "connector", "paused", "off", "draft", "problem", "tried",
                 "source", "key", "rule", "target", "hook", "address", "token", "viewer", "trial")  # fmt: skip
        self.names: dict[str, Any] = {name: getattr(m, name).pk for name in names}
        self.names |= {"event": m.failed.event_id, "secured": m.secured.user_id, "device": m.secured.pk}
        self.names |= {"region": m.connector.region_id, "write_key": m.key.key}
        self.before = rows()

    def ask(self, route: str, row: dict[str, Any], who: str, method: str) -> tuple[str, bool]:
        """What this visitor hears, and whether any row has changed. Everything is undone afterwards."""
        client = (self.api if route.startswith("api/") else self.console)[who]
        path = f"/{row.get('path', route)}".format(**self.names)
        cookies = client.cookies.copy()
        with transaction.atomic():
            if "first" in row:
                assert self.console["owner"].post(f"/{row['first']}").status_code == 302
            before = rows() if "first" in row else self.before
            if method == "POST":
                answer = client.post(path, self.data(row), **({"content_type": JSON} if "json" in row else {}))
            else:
                answer = getattr(client, method.lower())(path)
            changed = rows() != before
            transaction.set_rollback(True)
        client.cookies = cookies
        selectors.forget()
        cache.clear()
        to_sign_in = answer.status_code == 302 and answer["Location"].startswith("/login/")
        return "login" if to_sign_in else str(answer.status_code), changed

    def data(self, row: dict[str, Any]) -> Any:
        """What is posted for this line of the table."""
        if "json" in row:
            return json.dumps(row["json"])
        given = {name: str(value).format(**self.names) for name, value in row.get("data", {}).items()}
        return {**(EMPTY_TABLES if row.get("tables") else {}), **given}


def _with_token(role: str) -> Client:
    return Client(headers={"authorization": f"Bearer {ApiToken.issue(f'matrix {role}', role)[1]}"})
