"""The row about the console, inside a Signalbox installation: fill its log, open every page, count and time."""

# ruff: noqa: S608 - numbers and names of our own in SQL

from __future__ import annotations

import logging
import random
import sys
import time
from statistics import median
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks import console_pages
from config.models import User
from deliveries import problems, tally
from deliveries.engine.writing import is_sqlite
from integrations import installation, selectors

DAYS = 30
SLOW = 1.0  # seconds: what takes longer is said while it happens
# Of 1000 deliveries: up to which number a status and its cause go. What waits or retries is among the newest only.
SHARES = (
    (925, "delivered", ""),
    (945, "failed", "key_refused"),
    (955, "failed", "data_refused"),
    (965, "failed", "gave_up"),
    (985, "skipped", "switched_off"),
    (996, "held", "paused"),
    (998, "retrying", "service_error"),
    (1000, "waiting", ""),
)
# So that with ten rows, too, every saved view has something to show.
FIRST = {
    1: ("held", "paused"),
    2: ("skipped", "switched_off"),
    5: ("retrying", "service_error"),
    6: ("waiting", ""),
    7: ("failed", "data_refused"),
    8: ("failed", "key_refused"),
    9: ("failed", "gave_up"),
}
ANSWERS = {"key_refused": 401, "data_refused": 400, "gave_up": 503, "service_error": 503, "": 200}


def prepare() -> dict[str, Any]:
    return console_pages.make()


def fill(made: dict[str, Any], rows: int, others: int) -> int:
    """Add events, one delivery and one try of each, up to ``rows``; ``others`` more of the small tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM deliveries_event")
        first = cursor.fetchone()[0] + 1
        for statement in _statements(made, first, rows):
            cursor.execute(statement)
        if connection.in_atomic_block:
            pass  # a test, which is rolled back
        elif is_sqlite():
            cursor.execute("ANALYZE")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            for table in ("event", "delivery", "attempt"):
                cursor.execute(f"SELECT setval('deliveries_{table}_id_seq', {rows})")
                cursor.execute(f"VACUUM ANALYZE deliveries_{table}")
    console_pages.grow(made, others)
    problems.rules()
    tally.refresh(timezone.now())
    return rows


def _statements(made: dict[str, Any], first: int, last: int) -> list[str]:
    """Events evenly over the last 30 days, the newest now; deliveries to the connectors in turn."""
    step = min(DAYS * 86400 / last, 3600)  # ten rows are of the last hours
    if is_sqlite():
        numbers = f"WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
        table = "n"
        at = f"strftime('%Y-%m-%d %H:%M:%f', 'now', (-(({last} - i) * {step})) || ' seconds')"
        later = "strftime('%Y-%m-%d %H:%M:%f', {0}, '+{1} seconds')"
    else:
        numbers, table = "", f"generate_series({first}, {last}) AS n(i)"
        at = f"now() - ({last} - i) * interval '{step} seconds'"
        later = "{0} + interval '{1} seconds'"
    source = _chosen("i", made["sources"])
    body = (
        """'{"type":"track","messageId":"m-' || i || '","userId":"user-' || (i % 50000) || '","event":"Event ' || """
        """(i % 30) || '","properties":{"email":"p' || (i % 50000) || '@example.com","plan":"free","score":9},"""
        """"context":{"library":{"name":"analytics.js","version":"2.1.0"},"page":{"path":"/pricing"}}}'"""
    )
    answers = " ".join(f"WHEN '{cause}' THEN {code}" for cause, code in ANSWERS.items())
    mix = "(id * 7919) % 1000"
    again = "i % 500 = 0 OR i = 10"
    recent = f"id > {last} - {max(100, last // 200)}"
    due = later.format("{now}", "240").replace("{now}", "'now'" if is_sqlite() else "now()")
    return [
        "INSERT INTO deliveries_event (id, source_id, message_id, type, name, user_id, anonymous_id, email, "
        f"received_at, refused, body) {numbers}SELECT i, {source}, 'm-' || i, "
        "CASE WHEN i % 10 = 0 THEN 'identify' ELSE 'track' END, "
        "CASE WHEN i % 10 = 0 THEN '' ELSE 'Event ' || (i % 30) END, "
        "CASE WHEN i % 20 = 11 THEN '' ELSE 'user-' || (i % 50000) END, 'anon-' || (i % 70000), "
        f"'p' || (i % 50000) || '@example.com', {at}, "
        f"CASE WHEN i % 2000 = 3 THEN 'It has no event name.' ELSE '' END, {body} FROM {table}",
        "INSERT INTO deliveries_delivery (id, event_id, connector_id, status, cause, detail, attempts, lane, "
        "created_at, next_attempt_at, lease_owner, finished_at, sent_as, notes, as_sent, replay_id, replay_of_id) "
        f"SELECT i, i, CASE WHEN status = 'held' THEN {made['paused']} ELSE {_chosen('i', made['connectors'])} END, "
        "status, cause, '', CASE WHEN status IN ('delivered', 'failed', 'retrying') THEN 1 ELSE 0 END, 0, received_at, "
        f"CASE WHEN status IN ('waiting', 'retrying') THEN {due} END, '', "
        f"CASE WHEN status IN ('delivered', 'failed', 'skipped') THEN {later.format('received_at', '1')} END, '', '', "
        f"{_false()}, CASE WHEN {again} THEN {made['replay']} END, CASE WHEN {again} THEN i - 1 END FROM "
        f"(SELECT id AS i, received_at, {_share(mix, recent, 1)} AS status, {_share(mix, recent, 2)} AS cause "
        f"FROM deliveries_event WHERE id BETWEEN {first} AND {last} AND refused = '') AS made",
        "INSERT INTO deliveries_attempt (delivery_id, number, started_at, duration_ms, request, request_body, response,"
        " response_body, response_status, batch_size, outcome, cause, detail) "
        'SELECT d.id, 1, d.created_at, 120, \'{"method":"POST","url":"https://api.example.com/v1"}\', e.body, '
        "'{\"headers\":{}}', '{\"success\":true}', "
        f"CASE d.cause {answers} ELSE 200 END, 1, "
        "d.status, d.cause, '' FROM deliveries_delivery d JOIN deliveries_event e ON e.id = d.event_id "
        f"WHERE d.attempts > 0 AND d.id BETWEEN {first} AND {last}",
    ]


def _chosen(number: str, ids: list[int]) -> str:
    whens = " ".join(f"WHEN {place} THEN {key}" for place, key in enumerate(ids))
    return f"CASE {number} % {len(ids)} {whens} END"


def _share(mix: str, recent: str, part: int) -> str:
    """Where the newest are not meant, what would wait or retry was delivered long ago."""
    whens = [f"WHEN id = {key} THEN '{words[part - 1]}'" for key, words in FIRST.items()]
    for until, *words in SHARES:
        only = f" AND {recent}" if words[0] in ("waiting", "retrying") else ""
        whens.append(f"WHEN {mix} < {until}{only} THEN '{words[part - 1]}'")
    return f"CASE {' '.join(whens)} ELSE '{SHARES[0][part]}' END"


def _false() -> str:
    return "0" if is_sqlite() else "false"


def look(made: dict[str, Any], visits: int) -> list[dict[str, Any]]:
    """Every page ``visits`` times, in another order each time and each time with empty caches: milliseconds, CPU
    milliseconds of this process, and queries. Raises RuntimeError for a page that does not open."""
    settings.ALLOWED_HOSTS = ["testserver"]
    logging.disable(logging.WARNING)  # pages that answer 403 and 405 are expected among them
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) / 2 FROM deliveries_delivery")
        made = {**made, "middle": cursor.fetchone()[0]}
    client = Client(raise_request_exception=True)
    client.force_login(User.objects.get(pk=made["person"]), "config.backends.RoleBackend")
    client.cookies["timezone"] = "Asia/Kolkata"  # as a browser says it, from its second page on
    # What a process that serves has in memory.
    ContentType.objects.get_for_models(*apps.get_models())
    selectors.snapshot()
    installation.zone()
    found: dict[str, dict[str, Any]] = {}
    for address in console_pages.pages(made):
        cache.clear()
        begin = time.perf_counter()
        with CaptureQueriesContext(connection) as queries:
            status = client.get(address).status_code
        if time.perf_counter() - begin > SLOW:
            print(f"    {time.perf_counter() - begin:.1f} s: {address}", file=sys.stderr, flush=True)
        if status == 200:
            found[address] = {"queries": len(queries), "ms": [], "cpu": []}
        elif status not in (302, 403, 405):
            raise RuntimeError(f"{address} answered {status}")
    shuffled = random.Random(1)
    for _ in range(visits):
        for address in shuffled.sample(list(found), len(found)):
            cache.clear()
            begin, cpu = time.perf_counter(), time.process_time()
            client.get(address)
            found[address]["ms"].append(1000 * (time.perf_counter() - begin))
            found[address]["cpu"].append(1000 * (time.process_time() - cpu))
    return [{"page": _named(address, made), **_summed(one)} for address, one in found.items()]


def _summed(one: dict[str, Any]) -> dict[str, Any]:
    ms = sorted(one["ms"])
    if not ms:
        return {"queries": one["queries"]}
    p95 = ms[max(0, -(-len(ms) * 95 // 100) - 1)]
    return {"queries": one["queries"], "p50": median(ms), "p95": p95, "worst": ms[-1], "cpu": median(one["cpu"])}


def _named(address: str, made: dict[str, Any]) -> str:
    """The same page is called the same at 10 rows and at a million."""
    path, _, query = address.partition("?")
    names = {str(made[name]): name for name in ("connector", "paused", "off", "draft", "quiet")}
    connectors = path.startswith("/connectors/")
    parts = [names.get(part, "…") if part.isdigit() and connectors else "…" if part.isdigit() else part
             for part in path.split("/")]  # fmt: skip
    pairs = [f"{name}={'…' if name != 'answer' and value[:4].isdigit() else value}" for name, _, value in
             (pair.partition("=") for pair in query.split("&") if pair)]  # fmt: skip
    named = "/".join(parts) + (f"?{'&'.join(pairs)}" if pairs else "")
    return named.replace("connector=…", f"connector={_which(query, made)}")


def _which(query: str, made: dict[str, Any]) -> str:
    return "quiet" if f"connector={made['quiet']}" in query.split("&") else "busy"
