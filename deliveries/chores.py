"""What has to be done after events were stored, but not by whoever stores them, nor before their senders are answered:
wake the workers, note which keys were used, move SQLite's log into the database. In a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from queue import SimpleQueue

from django.db import connection
from django.utils import timezone

from deliveries import queue
from deliveries.engine.writing import OFTEN, checkpoint, write_transaction
from integrations.models import WriteKey

log = logging.getLogger("signalbox.ingest")
EVERY = 0.1  # seconds
USED_EVERY = 60.0  # seconds between notes of a key's last use


class Chores:
    """At once after the first events, then as long as there are some every tenth of a second."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[set[int] | None] = SimpleQueue()  # None: the end
        self._used: dict[int, float] = {}
        self._checked, self._pause = time.monotonic(), OFTEN  # the last checkpoint, and until the next
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask(self, keys: set[int]) -> None:
        """Events were stored that came with these keys."""
        self._asked.put(keys)

    def close(self) -> None:
        """Do what was asked for, then end."""
        self._asked.put(None)
        self._thread.join(timeout=20)

    def _run(self) -> None:
        try:
            going_on = True
            while going_on:
                asked = [self._asked.get()]
                while not self._asked.empty():
                    asked.append(self._asked.get())
                stored = [keys for keys in asked if keys is not None]
                if stored:
                    self._do(set().union(*stored))
                going_on = len(stored) == len(asked)
                if going_on:
                    time.sleep(EVERY)
        finally:
            connection.close()

    def _do(self, keys: set[int]) -> None:
        """Failing here loses nothing: the sweep finds the rows. And the thread must live, whatever it was."""
        try:
            queue.wake(timezone.now())
            self._note_use(keys)
            since = time.monotonic() - self._checked
            if since >= self._pause:
                self._pause = checkpoint(since)
                self._checked = time.monotonic()
        except Exception:  # whatever it was: nothing is lost by it, and nobody else would do the chores
            log.warning("The workers could not be woken; the sweep will", exc_info=True)
            connection.close()

    def _note_use(self, keys: set[int]) -> None:
        moment = time.monotonic()
        stale = [key for key in keys if moment - self._used.get(key, -USED_EVERY) >= USED_EVERY]
        if stale:
            with write_transaction():
                WriteKey.objects.filter(id__in=stale).update(last_used_at=timezone.now())
            self._used.update(dict.fromkeys(stale, moment))
