"""Group commit: the events of all requests that are waiting are stored in one transaction, so that the cost of a
commit, a disk's flush included, is shared by as many requests as there are. A request is answered only after its own
commit.

On SQLite the event loop's own thread commits, once per round of the loop: handing over to a thread would cost more
than the commit, because SQLite's driver gives up Python's lock at every statement and must win it back. Only when
another writer has the database, or the disk is slow, does a thread wait, so that the loop never does. Large batches
are worth the thread, and on PostgreSQL it always stores: the loop computes while the database works.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
import threading
import time
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection

from deliveries.accept import Accepted, store
from deliveries.chores import Chores
from deliveries.engine.writing import is_sqlite

log = logging.getLogger("signalbox.ingest")
MOST_WAITING = 64_000_000  # bytes of events in memory; beyond it senders are asked to come again
GROUP_EVENTS = 2500
MANY_EVENTS = 100  # so many are worth handing over to the thread: the loop computes while SQLite writes
GROUP_REQUESTS = 64
GATHER_FOR = 0.004  # seconds
SLOW_DISK = 0.001  # seconds of waiting in a commit: more of it than handing over to the thread costs
SLOW_FOR = 1.0  # seconds until it is tried again
PATIENCE_MS = 4000  # for somebody else's lock: who comes meanwhile waits twice that, and senders give up after 10-15 s
AT_ONCE = 1.0  # seconds: a connection that broke while it was idle says so sooner


class Overloaded(Exception):
    """Too much is waiting to be stored already, or nobody is there any more who would store it."""


class _Waiting(NamedTuple):
    accepted: Accepted
    answer: asyncio.Future[None]
    size: int


class GroupWriter:
    """Stores what the event loop hands over. One per web process; :meth:`submit` is called from the loop only."""

    def __init__(self) -> None:
        self._gathered: list[_Waiting] = []  # by this round of the loop and those just before
        self._since = 0.0
        self._here_from = 0.0  # until then the disk is too slow for the loop to wait for it
        self._waiting: deque[_Waiting] = deque()  # for the thread
        self._waiting_bytes = 0
        self._in_hand: list[_Waiting] = []  # the thread's own
        self._chores = Chores()
        self._condition = threading.Condition()
        self._closing = self._broken = False
        self._in_loop = False
        # Django's connection belongs to a context. Without one of its own each commit would run in that of some
        # request, and open a connection of its own.
        self._context = contextvars.copy_context()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Called in the event loop's thread."""
        self._in_loop = is_sqlite()
        self._chores.start()
        self._thread.start()

    def close(self) -> None:
        """Store what is waiting, then end."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(timeout=20)
        self._chores.close()

    def submit(self, accepted: Accepted) -> asyncio.Future[None]:
        """A future that is done when the events are committed, and fails if they could not be. Raises Overloaded."""
        size = sum(len(event.body) for event in accepted.events)
        if self._waiting_bytes + size > MOST_WAITING or self._closing:
            raise Overloaded
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        waiting = _Waiting(accepted, answer, size)
        self._gathered.append(waiting)
        if len(self._gathered) == 1:
            self._since = time.monotonic()
            loop.call_soon(self._round, loop, 1, context=self._context)
        return answer

    def _round(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """The end of a round of the loop. While every round brings more requests, wait for them a moment; then store
        what was gathered, here if nobody else is writing."""
        count = len(self._gathered)
        if count > before and count < GROUP_REQUESTS and time.monotonic() - self._since < GATHER_FOR:
            loop.call_soon(self._round, loop, count, context=self._context)
            return
        group, self._gathered = self._gathered, []
        few = sum(len(waiting.accepted.events) for waiting in group) < MANY_EVENTS
        here = few and self._in_loop and not self._waiting and time.monotonic() >= self._here_from
        if here and self._store_here(group):
            return
        self._hand_over(group)

    def _hand_over(self, group: list[_Waiting]) -> None:
        with self._condition:
            if not self._broken:
                self._waiting.extend(group)
                self._waiting_bytes += sum(waiting.size for waiting in group)
                self._condition.notify()
                return
        _resolve([waiting.answer for waiting in group], Overloaded())

    def _store_here(self, group: list[_Waiting]) -> bool:
        began, computed = time.monotonic(), time.thread_time()
        try:
            _prepare_connection(5)
            store([waiting.accepted for waiting in group], wait=False)
        except Exception:  # noqa: BLE001 - the thread waits, tries again, and says what is wrong
            return False
        now = time.monotonic()
        if now - began - (time.thread_time() - computed) > SLOW_DISK:
            self._here_from = now + SLOW_FOR
        _resolve([waiting.answer for waiting in group], None)
        self._chores.ask(_keys(group))
        return True

    # --- The thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._connect()
            while not (self._closing and not self._waiting):
                group = self._take()
                if group:
                    self._store(group)
        except BaseException:  # whatever it was: nobody may wait for a thread that is gone
            log.critical("Nobody stores events here any more: this web process ends, to be started anew", exc_info=True)
            self._break_down()
        finally:
            connection.close()

    def _break_down(self) -> None:
        """Without this thread senders would wait for ever. Who waits, or comes yet, is asked to come again, and the
        process ends as if told to: `serve` starts another, and its port stays open."""
        with self._condition:
            self._closing = self._broken = True
            group = [*self._in_hand, *self._waiting]
            self._waiting.clear()
        os.kill(os.getpid(), signal.SIGTERM)
        _answer(group, Overloaded())

    def _connect(self) -> None:
        """Before there is anything to store, so that the first request need not wait for it."""
        with suppress(DatabaseError):
            _prepare_connection(PATIENCE_MS)

    def _take(self) -> list[_Waiting]:
        """The next group; empty at the end."""
        with self._condition:
            if not self._waiting and not self._closing:
                self._condition.wait()
            group: list[_Waiting] = []
            events = 0
            while self._waiting and (not group or events < GROUP_EVENTS):
                group.append(self._waiting.popleft())
                events += len(group[-1].accepted.events)
            self._waiting_bytes -= sum(waiting.size for waiting in group)
            self._in_hand = group
            return group

    def _store(self, group: list[_Waiting]) -> None:
        try:
            _store_patiently([waiting.accepted for waiting in group])
        except DatabaseError as error:
            if len(group) > 1 and not isinstance(error, OperationalError | InterfaceError):
                for waiting in group:  # one bad event must not fail the others' requests
                    self._store([waiting])
                return
            log.exception("Events could not be stored; their senders were asked to send them again")
            _answer(group, error)
        except Exception as error:  # the thread must live: an unforeseen error is this group's, and is logged
            log.exception("Events could not be stored")
            _answer(group, DatabaseError(str(error)))
        else:
            _answer(group, None)
            self._chores.ask(_keys(group))


def _keys(group: list[_Waiting]) -> set[int]:
    return {waiting.accepted.key_id for waiting in group if waiting.accepted.key_id}


def _prepare_connection(busy_ms: int) -> None:
    """This thread's connection, and how long it waits for somebody else's lock. On SQLite its commits are durable
    against power loss too, which a shared flush makes cheap."""
    connection.ensure_connection()
    if getattr(connection, "prepared_for_events", None) is not connection.connection:
        with connection.cursor() as cursor:
            if is_sqlite():
                cursor.execute("PRAGMA synchronous=FULL")
                cursor.execute(f"PRAGMA busy_timeout={busy_ms}")
            else:
                cursor.execute(f"SET lock_timeout = {busy_ms}")
        connection.prepared_for_events = connection.connection  # type: ignore[attr-defined]  # our mark


def _store_patiently(requests: list[Accepted]) -> None:
    """A connection that broke while it was idle (a restarted database) is made anew once. Whoever waited in vain, for
    somebody else's lock or for a database that is away, has waited long enough: the sender comes again."""
    began = time.monotonic()
    try:
        _prepare_connection(PATIENCE_MS)
        store(requests)
    except (OperationalError, InterfaceError):
        connection.close()
        if time.monotonic() - began > AT_ONCE:
            raise
        _prepare_connection(PATIENCE_MS)
        store(requests)


def _answer(group: list[_Waiting], error: Exception | None) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for waiting in group:
        by_loop.setdefault(waiting.answer.get_loop(), []).append(waiting.answer)
    for loop, answers in by_loop.items():
        loop.call_soon_threadsafe(_resolve, answers, error)


def _resolve(answers: list[asyncio.Future[None]], error: Exception | None) -> None:
    for answer in answers:
        if answer.done():  # its client has gone
            continue
        if error is None:
            answer.set_result(None)
        else:
            answer.set_exception(error)
