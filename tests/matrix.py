"""Who may do what, by address: the URL table itself; and every row of the database, every statement that writes and
whatever is set going outside of it, to see that nothing changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.core.cache import cache as processes_memory
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import URLResolver
from django.utils import timezone
from django_q.models import Schedule, Task

from config.models import ApiToken, User
from integrations import selectors
from integrations.models import Connector
from tests import looking
from tests.console import EMPTY_TABLES, made, person

JSON = "application/json"
WHO = ("anonymous", "viewer", "operator", "editor", "owner")
TABLE: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "matrix.json").read_text())
# What a request asks of the workers: those of ``deliveries.queue`` that the tests put in the place of the real ones.
ASKED: list[str] = []
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


def expected(answers: str) -> list[str]:
    words = answers.split()
    return words * len(WHO) if len(words) == 1 else words


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, in the order in which they lie there: a row that is written again moves."""
    found = {}
    with connection.cursor() as cursor:
        for table, columns in _tables():
            cursor.execute(f'SELECT {columns} FROM "{table}"')  # noqa: S608 - our own tables
            found[table] = cursor.fetchall() if columns == "*" else sorted(cursor.fetchall())
    return found


@cache
def _tables() -> list[tuple[str, str]]:
    """Each table with the columns that are compared."""
    found = dict.fromkeys(sorted(set(connection.introspection.table_names()) - set(NOT_COMPARED)), "*")
    with connection.cursor() as cursor:
        for table, left_out in NOT_COMPARED_COLUMNS.items():
            names = [column.name for column in connection.introspection.get_table_description(cursor, table)]
            found[table] = ", ".join(f'"{name}"' for name in names if name not in left_out)
    return list(found.items())


class World:
    """One of everything, and somebody of each role in front of it: signed in here, with a token at the API."""

    def __init__(self) -> None:
        m = self.m = made()
        m.tried = Connector.objects.create(name="Tried", vendor="practice", settings={"script": "works"})
        m.tried.sources.add(m.source)
        m.forms["connector"] |= {"name": "Renamed"}
        self.console = {who: Client() if who == "anonymous" else person(who) for who in WHO}
        self.api = {who: Client() if who == "anonymous" else with_token(who) for who in WHO}
        names = ("failed", "delivered", "held", "replay", "connector", "paused", "off", "draft", "problem", "tried",
                 "source", "key", "rule", "target", "hook", "address", "token", "viewer", "trial")  # fmt: skip
        self.names: dict[str, Any] = {name: getattr(m, name).pk for name in names}
        self.names |= {"event": m.failed.event_id, "secured": m.secured.user_id, "device": m.secured.pk}
        self.names |= {"region": m.connector.region_id, "write_key": m.key.key}
        self.names |= {"people": ContentType.objects.get_for_model(User).pk, **_jobs()}
        self.before = rows()

    def ask(self, route: str, who: str, method: str, **how: Any) -> tuple[str, str]:
        """What this visitor hears, and what has changed. Everything is undone afterwards.

        ``client`` asks instead of ``who``, ``path`` is asked instead of the route's own, ``data`` is sent instead of
        what the table says.
        """
        row = TABLE[route]
        client: Client = how.get("client") or (self.api if route.startswith("api/") else self.console)[who]
        path = "/" + how.get("path", row.get("path", route)).format(**self.names)
        cookies = client.cookies.copy()
        with transaction.atomic():
            if "first" in row:
                assert self.console["editor"].post(f"/{row['first']}").status_code == 302
            before = rows() if "first" in row else self.before
            outside = _outside()
            with looking.written() as written:
                answer = self._sent(client, method, path, row, how.get("data"))
            changed = "rows" if rows() != before else ""
            if not changed and (written or _outside() != outside):
                changed = f"wrote {written}, asked {ASKED}"
            transaction.set_rollback(True)
        client.cookies = cookies
        ASKED.clear()
        selectors.forget()
        processes_memory.clear()
        to_sign_in = answer.status_code == 302 and answer["Location"].startswith("/login/")
        return "login" if to_sign_in else str(answer.status_code), changed

    def _sent(self, client: Client, method: str, path: str, row: dict[str, Any], data: Any) -> Any:
        if method == "POST":
            kind = {"content_type": JSON} if "json" in row else {}
            return client.post(path, self.data(row) if data is None else data, **kind)
        return getattr(client, method.lower())(path, **({} if data is None else {"data": data}))

    def data(self, row: dict[str, Any]) -> Any:
        """What is posted for this line of the table."""
        if "json" in row:
            return json.dumps(row["json"])
        given = {name: str(value).format(**self.names) for name, value in row.get("data", {}).items()}
        return {**(EMPTY_TABLES if row.get("tables") else {}), **given}


def with_token(role: str) -> Client:
    return Client(headers={"authorization": f"Bearer {ApiToken.issue(f'matrix {role}', role)[1]}"})


def _outside() -> tuple[int, int, int]:
    """What is to happen outside of the database, or once the transaction is over."""
    return len(mail.outbox), len(ASKED), len(connection.run_on_commit)


def _jobs() -> dict[str, Any]:
    """One row in each of django-q2's own lists."""
    times = {"started": timezone.now(), "stopped": timezone.now()}
    tasks = {
        name: Task.objects.create(id=name * 4, name=name, func="deliveries.tasks.hourly", success=fine, **times).pk
        for name, fine in (("success", True), ("failure", False))
    }
    return {"schedule": Schedule.objects.create(func="deliveries.tasks.hourly").pk, **tasks}
