"""The web process's copy of the configuration, read again many times a second beside the requests."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import Error as DatabaseError
from django.db import connection

from deliveries import limits
from integrations import selectors
from integrations.secrets import UnreadableSecret
from integrations.selectors import Snapshot

log = logging.getLogger("signalbox.ingest")
FRESH_FOR = 0.1  # seconds that a revoked key may still work
LOOK_AFTER = 0.06  # seconds: under load the next look is over before anybody must wait for it
_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="configuration")


class Following:
    """``snapshot`` is the configuration as it was :data:`FRESH_FOR` ago or later; None while it was never readable."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.behind = False  # the last look failed, so the configuration may have changed
        self._read_at = 0.0
        self._reading: asyncio.Future[Snapshot] | None = None

    async def follow(self) -> None:
        """Make sure that ``snapshot`` is fresh. The loop itself never reads, and a request waits only where nobody
        looked for a while."""
        now = time.monotonic()
        age = now - self._read_at if self.snapshot is not None else FRESH_FOR
        if age >= LOOK_AFTER and self._reading is None:
            self._reading = asyncio.get_running_loop().run_in_executor(_reader, _read)
            self._reading.add_done_callback(partial(self._keep, now))
        if age >= FRESH_FOR and self._reading is not None:
            await asyncio.wait([self._reading])

    def _keep(self, began: float, reading: asyncio.Future[Snapshot]) -> None:
        self._reading = None
        error = None if reading.cancelled() else reading.exception()
        if error is None and not reading.cancelled():
            self.snapshot, self._read_at, self.behind = reading.result(), began, False
            return
        self.behind = True
        if not isinstance(error, DatabaseError | UnreadableSecret) or self.snapshot is None:
            log.error("The configuration can't be read; senders are asked to come again", exc_info=error)


def _read() -> Snapshot:
    limits.share()
    try:
        return selectors.snapshot()
    except DatabaseError:
        connection.close()
        return selectors.snapshot()
