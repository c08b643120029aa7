"""What has to be done inside a Signalbox installation: see ``within``."""

# ruff: noqa: S608 - numbers and names of our own in SQL

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import timedelta
from itertools import count
from statistics import median

from django.conf import settings
from django.db import ProgrammingError, connection
from django.utils import timezone

from benchmarks.console import fill as fill_pages
from benchmarks.console import look as look_at_pages
from benchmarks.console import prepare as prepare_pages
from benchmarks.events import event
from benchmarks.installation import CROWD_KEYS, HEALTHY, KEYS, SEGMENT_KEY
from config.start import prepare as start
from deliveries import erase, retention
from deliveries.accept import Accepted, store
from deliveries.core.normalise import envelope, normalise
from deliveries.engine.claim import LIVE, Want, claim
from deliveries.engine.writing import is_sqlite
from integrations.models import Connector, Source, WriteKey

__all__ = [
    "claims",
    "erase_people",
    "fill",
    "fill_pages",
    "history",
    "look_at_pages",
    "prepare",
    "prepare_pages",
    "retire",
]
GROUP = 1000
CLAIMS, CLAIMED = 10, 500


def prepare(receiver: str) -> None:
    """Migrate; a source with a webhook connector, and one with a Segment connector, both to the receiver."""
    start()
    for vendor, key in KEYS.items():
        source = Source.objects.create(name=f"to {vendor}")
        WriteKey.issue(source, key=key)
        connector = Connector(name=vendor, vendor=vendor)
        if vendor == "webhook":
            connector.settings = {"url": f"{receiver}/hook", "method": "POST", "headers": {}, "batch_size": 1}
        else:
            connector.endpoint, connector.secrets = receiver, {"write_key": SEGMENT_KEY}
        connector.save()
        connector.sources.add(source)


def retry_after(delays: list[int] | None) -> None:
    """The webhook connector's own list of seconds, or the standard schedule again."""
    connector = Connector.objects.get(name="webhook")
    connector.retry = delays or "standard"
    connector.save()


def crowd(receiver: str, sick: int, ways: str) -> None:
    """Five healthy connectors of one source, and so many sick ones of another: they do what ``ways`` says, by turns.
    Made anew where they are not there, and nothing else of their kind is on."""
    no_crowd()
    paths = ways.split(",")
    for name, number in (("healthy", HEALTHY), ("sick", sick)):
        source, _ = Source.objects.get_or_create(name=name)
        if not source.write_keys.exists():
            WriteKey.issue(source, key=CROWD_KEYS[name])
        for index in range(number):
            path = "hook" if name == "healthy" else paths[index % len(paths)]
            settings = {"url": f"{receiver}/{path}", "method": "POST", "headers": {}, "batch_size": 1}
            full = {"vendor": "webhook", "settings": settings, "status": Connector.Status.ACTIVE}
            connector, _ = Connector.objects.update_or_create(name=f"{name} {index:02d}", defaults=full)
            connector.sources.add(source)


def no_crowd() -> None:
    """None of them gets anything: on PostgreSQL only deliveries are emptied, and other rows want no such company."""
    for name in CROWD_KEYS:
        for connector in Connector.objects.filter(name__startswith=f"{name} "):
            connector.sources.clear()
            connector.status = Connector.Status.OFF
            connector.save()


def fill(events: int, run: str, vendor: str = "", source: str = "") -> int:
    """Store events for a connector as ingest does, before anybody delivers them."""
    source_id = Source.objects.get(name=source or f"to {vendor}").id
    stored = 0
    for first in range(0, events, GROUP):
        now = timezone.now()
        shared = envelope(now, {})
        numbers = range(first, min(first + GROUP, events))
        incoming = [normalise(json.loads(event(run, number)), shared, "track") for number in numbers]
        stored += store([Accepted(source_id, now, incoming)])
    return stored


def history(rows: int, tried: bool = False) -> int:
    """Add delivered events until there are ``rows`` of them, with a try each if asked for; the number there was
    before."""
    source = Source.objects.get(name="to webhook")
    connector = Connector.objects.get(name="webhook")
    body = event("history", 0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), coalesce(max(id), 0) FROM deliveries_event")
        before, last = cursor.fetchone()
        wanted = rows - before
        if wanted <= 0:
            return int(before)
        if is_sqlite():
            numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {wanted})"
            series, unique = f"{numbers} SELECT", "lower(hex(randomblob(16)))"
            times = "datetime('now', '-10 days', (i %% 800000) || ' seconds')"
            table = "n"
        else:
            series, unique = "SELECT", "md5(random()::text || i)"
            times = "now() - interval '10 days' + (i %% 800000) * interval '1 second'"
            table = f"generate_series(1, {wanted}) AS n(i)"
        cursor.execute(
            "INSERT INTO deliveries_event (id, source_id, message_id, type, name, user_id, anonymous_id, received_at, "
            f"refused, body) {series} {last} + i, {source.id}, {unique}, 'track', 'Order Completed', "
            f"'user-' || (i %% 10000), '', {times}, '', %s FROM {table}",
            [body],
        )
        cursor.execute(
            "INSERT INTO deliveries_delivery (event_id, connector_id, status, cause, detail, attempts, lane, "
            "created_at, next_attempt_at, lease_owner, finished_at, sent_as, notes, as_sent) SELECT id, "
            f"{connector.id}, 'delivered', '', '', 1, 0, received_at, NULL, '', received_at, '', '', %s "
            f"FROM deliveries_event WHERE id > {last}",
            [False],
        )
        if tried:
            cursor.execute(
                "INSERT INTO deliveries_attempt (delivery_id, number, started_at, duration_ms, request, request_body, "
                "response, response_body, response_status, batch_size, outcome, cause, detail) SELECT d.id, 1, "
                "d.created_at, 120, '{\"method\":\"POST\"}', e.body, '{}', '{}', 200, 1, 'delivered', '', '' "
                f"FROM deliveries_delivery d JOIN deliveries_event e ON e.id = d.event_id WHERE e.id > {last}"
            )
        if is_sqlite():
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            cursor.execute(f"SELECT setval('deliveries_event_id_seq', {last + wanted})")
            cursor.execute("VACUUM ANALYZE deliveries_event")
            cursor.execute("VACUUM ANALYZE deliveries_delivery")
            cursor.execute("VACUUM ANALYZE deliveries_attempt")
            with suppress(ProgrammingError):  # for who may: else the disk is still busy with it when measuring begins
                cursor.execute("CHECKPOINT")
    return int(before)


def claims(run: str) -> dict[str, float]:
    """Claim 500 of at least as many due rows, several times; the median in milliseconds. What was claimed goes again,
    so that the same is found next time."""
    due = CLAIMS * CLAIMED + CLAIMED
    fill(due, run, "webhook")
    connector = Connector.objects.get(name="webhook")
    taken: list[float] = []
    for number in range(CLAIMS):
        begin = time.perf_counter()
        rows = claim([Want(connector.id, LIVE, CLAIMED)], f"bench-{number}", timezone.now())
        taken.append(1000 * (time.perf_counter() - begin))
        assert len(rows) == CLAIMED
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM deliveries_delivery WHERE status <> 'delivered'")
        cursor.execute("DELETE FROM deliveries_event WHERE message_id LIKE %s", [f"{run}-%"])
    return {"ms": median(taken[1:])}


def retire(seconds: float) -> int:
    """Delete what is older than a day, as the hourly job deletes what is past its time; how many events went."""
    ends = time.monotonic() + seconds
    later = timezone.now() + timedelta(days=settings.RETENTION_DAYS - 1)
    return retention.delete_old(later, goes_on=lambda: time.monotonic() < ends)


def erase_people(seconds: float) -> int:
    """Erase one person of the history after the other; how many."""
    ends = time.monotonic() + seconds
    for number in count():
        if time.monotonic() > ends:
            return number
        now = timezone.now()
        erase.advance(erase.ask([f"user-{number}"], [], by="bench", now=now).pk, now)
    raise AssertionError
