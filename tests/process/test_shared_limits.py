"""A limit is one for all machines: who is turned away at one has no more room at another."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.process.server import Server
from tests.process.stores import given_urls
from tests.process.waiting import eventually

pytestmark = pytest.mark.skipif(not given_urls()[0], reason="needs DATABASE_URL: SQLite is for one machine")
EVENT = {"event": "Order Completed", "userId": "u1"}


def test_calls_at_one_machine_count_at_the_other(tmp_path: Path) -> None:
    """Ten calls a second are allowed. The second machine is asked five times a second: what turns the caller away there
    are the calls at the first."""
    first = Server(tmp_path, RATE_LIMIT_PER_KEY="10")
    second = Server(tmp_path, first.store, RATE_LIMIT_PER_KEY="10")
    over = threading.Event()
    try:
        first.start("--web-only")
        second.start("--web-only")
        key = first.add("limited", settings={"url": "http://127.0.0.1:9/"})

        def hammer() -> None:
            while not over.is_set():
                first.post("/v1/track", EVENT, key)

        thread = threading.Thread(target=hammer)
        thread.start()
        try:
            heard: list[int] = []

            def turned_away() -> bool:
                status, headers, _ = second.post("/v1/track", EVENT, key)
                heard.append(status)
                over.wait(0.2)  # five a second: half of what is allowed
                return status == 429 and 1 <= int(headers["retry-after"]) <= 10

            eventually(turned_away, "the second machine turns the caller away")
        finally:
            over.set()
            thread.join()
        assert set(heard) == {200, 429}
        assert second.post("/v1/track", EVENT, first.add("another", settings={"url": "http://127.0.0.1:9/"}))[0] == 200
    finally:
        second.close()
        first.close()
