"""Short write transactions on the hot tables, the same for both databases.

SQLite has one writer at a time, and its busy handler waits by sleeping up to 100 ms a go: with several writing
processes that alone is 130-870 ms at p99. So every hot writer first takes a file lock, which the kernel hands over at
once, and only then begins. PostgreSQL needs no such thing.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson
from django.db import DatabaseError, connection, transaction

ROWS_A_STATEMENT = 100, 10, 1  # few sizes, so that the driver keeps them all prepared
OFTEN, SELDOM = 1.0, 10.0  # seconds between checkpoints, at least and at most
MANY_PAGES = 8_000  # in the write-ahead log
_local = threading.local()


def is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def stored_time(moment: datetime) -> Any:
    """A time as the database's driver takes it in raw SQL: on SQLite the text that Django stores, "+00:00" cut off."""
    if connection.vendor == "sqlite":
        return str(moment if moment.tzinfo is UTC else moment.astimezone(UTC))[:-6]
    return moment


def read_time(value: Any) -> datetime:
    """A time as the driver gave it, aware: SQLite's are text, or naive where the column's type shows through."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def insert(table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert many rows, as fast as the database can: COPY on PostgreSQL, many rows a statement on SQLite.

    There a statement for each row would check the row's constraints from scratch (their lists of allowed words are made
    into a table each time: two thirds of the cost of a delivery), and would give up Python's lock each time.
    """
    if not is_sqlite():
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    start = 0
    for size in ROWS_A_STATEMENT:
        while len(rows) - start >= size:
            connection.connection.execute(_statement(table, columns, size), [*chain(*rows[start : start + size])])
            start += size


@lru_cache(maxsize=64)
def _statement(table: str, columns: str, rows: int) -> str:
    marks = f"({','.join('?' * len(columns.split(',')))})"
    return f"INSERT INTO {table} ({columns}) VALUES {','.join([marks] * rows)}"  # noqa: S608 - names of our own


def json_text(values: Sequence[str]) -> str:
    """Texts as one parameter, for SQLite's ``json_each``."""
    return orjson.dumps(values).decode()


def among_ids(ids: Sequence[int]) -> tuple[str, str]:
    """The condition that a row's ``id`` is one of these, and its one parameter. As a text: a list takes the driver as
    long as the rest of such a statement. PostgreSQL's planner must not see how many there are: for some thousands it
    would rather read the whole table than look each up in the index, which takes several times as long."""
    text = orjson.dumps(ids).decode()
    if is_sqlite():
        return "id IN (SELECT value FROM json_each(%s))", text
    return "id = ANY((SELECT %s::bigint[])::bigint[])", f"{{{text[1:-1]}}}"


class Busy(Exception):
    """Another hot writer is in its transaction."""


@contextmanager
def write_transaction(*, wait: bool = True) -> Iterator[None]:
    """A transaction for hot tables. On SQLite begun only when no other hot writer is in one: ``wait`` for that, or
    raise Busy. Errors of the driver itself (raw SQLite, COPY) come out as Django's."""
    if not is_sqlite() or connection.in_atomic_block:
        with connection.wrap_database_errors, transaction.atomic():
            yield
        return
    with _writing_alone(wait=wait), connection.wrap_database_errors, transaction.atomic():
        yield


@contextmanager
def _writing_alone(*, wait: bool = True) -> Iterator[None]:
    """On SQLite: no other hot writer is in a transaction meanwhile."""
    descriptor = _lock_file()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy from None
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def checkpoint(since: float) -> float:
    """Move SQLite's write-ahead log into the database, outside anybody's commit. ``since`` is how many seconds ago that
    was done; returns after how many to do it again. Nothing on PostgreSQL.

    It flushes the disk, and every commit meanwhile waits for that: so no more often than the log's growth asks for. A
    log that has grown begins anew: what is little by then is moved while nobody writes. Else it would grow as long as
    somebody writes, and to flush a file that grows takes longer than to flush one that is written over.
    """
    if not is_sqlite() or connection.in_atomic_block:
        return SELDOM
    pages = _checkpoint()
    if pages >= MANY_PAGES // 2:
        with _writing_alone():
            _checkpoint()
    return min(SELDOM, max(OFTEN, since * MANY_PAGES / max(pages, 1)))


def _checkpoint() -> int:
    """The pages that the log had."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        return int(cursor.fetchone()[1])


@contextmanager
def checkpoints() -> Iterator[None]:
    """Checkpoint meanwhile, in a thread."""
    if not is_sqlite() or connection.in_atomic_block:
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_checkpoint_until, args=(ended,), name="checkpoints", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _checkpoint_until(ended: threading.Event) -> None:
    pause = OFTEN
    try:
        while not ended.wait(pause):
            try:
                pause = checkpoint(pause)
            except DatabaseError:  # somebody has the database for long: the next one does it
                connection.close()
    finally:
        connection.close()


def _lock_file() -> int:
    """This thread's own open file: flock belongs to the open file, so threads must not share one."""
    name = str(connection.settings_dict["NAME"])
    opened: dict[str, int] = _local.__dict__.setdefault("files", {})
    key = f"{os.getpid()}:{name}"  # after a fork the parent's file must not be shared either
    if key not in opened:
        path = f"{name}.lock" if not name.startswith(("file:", ":memory:")) else os.devnull
        opened[key] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return opened[key]
