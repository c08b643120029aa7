"""Who only looks, or hears "no", changes nothing: what requests write, by the statements that reach the database.

Stricter than a comparison of rows: an UPDATE that met no row in this test may meet one elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.core.handlers.base import BaseHandler
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse

WRITES = re.compile(
    r"(?:INSERT (?:OR \w+ )?INTO|REPLACE INTO|(?<!FOR )(?<!KEY )(?<!DO )UPDATE(?: OR \w+)?(?: ONLY)?|DELETE FROM"
    r'|TRUNCATE(?: TABLE)?|COPY|ALTER TABLE|DROP TABLE|CREATE TABLE)\s+"?(\w+)"?',
    re.IGNORECASE,
)
SAFE = ("GET", "HEAD", "OPTIONS")
NO = (401, 403, 404, 405)
# A session belongs to the browser that looks: what it is shown once is taken out of it, and its end moves.
SESSIONS = "django_session"
# What counts calls against the limits, where neither Redis nor a single process does.
COUNTERS = "signalbox_cache"
SAVEPOINT = re.compile(r'(ROLLBACK TO )?SAVEPOINT "?(\w+)"?')
TOKEN_WAS_USED = re.compile(r'UPDATE "config_apitoken" SET "last_used_at" = (?:\S+) WHERE [^,]*$')


@contextmanager
def written() -> Iterator[list[str]]:
    """The statements of this thread that change a table and are not taken back."""
    found: list[str] = []
    savepoints: dict[str, int] = {}

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        text = str(sql)
        if text.startswith("SELECT"):  # nearly all of them, and none writes
            return execute(sql, params, many, context)
        if savepoint := SAVEPOINT.match(text):
            back, name = savepoint.groups()
            if back:  # to look what a file would change, it is imported and taken back
                del found[savepoints.get(name, 0) :]
            else:
                savepoints[name] = len(found)
        tables = {name.lower() for name in WRITES.findall(text)} - {SESSIONS, COUNTERS}
        if tables and not TOKEN_WAS_USED.match(text):
            found.append(text)
        return execute(sql, params, many, context)

    database = connections[DEFAULT_DB_ALIAS]  # itself, not what stands for it
    rollback = database.rollback

    def taken_back() -> None:
        found.clear()
        rollback()

    with patch.object(database, "rollback", taken_back), database.execute_wrapper(note):
        yield found


@contextmanager
def watched() -> Iterator[list[str]]:
    """Every request that passes Django's handler meanwhile; gives those that broke the rule."""
    broke: list[str] = []
    answer_of = BaseHandler.get_response

    def get_response(self: BaseHandler, request: HttpRequest) -> HttpResponse:
        with written() as found:
            answer = answer_of(self, request)
        if found and (request.method in SAFE or answer.status_code in NO):
            broke.append(f"{request.method} {request.path} ({answer.status_code}): {found[0][:200]}")
        return answer

    BaseHandler.get_response = get_response  # type: ignore[method-assign]  # for this test only
    try:
        yield broke
    finally:
        BaseHandler.get_response = answer_of  # type: ignore[method-assign]  # as it was
