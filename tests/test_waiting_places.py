"""No more than so many requests wait in one web process, whatever it is that they wait for."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from django.db import OperationalError

from deliveries.api import following, front

PLACES, CLIENTS = 3, 10


def request(mine: front.IngestFront, statuses: list[int]) -> Any:
    scope = {"method": "POST", "path": "/v1/track", "headers": [(b"content-type", b"application/json")]}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"event": "e", "userId": "u"}'}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    return mine(scope, receive, send)


async def crowd(slow: threading.Event) -> tuple[list[int], list[int], front.IngestFront]:
    """What was answered while the configuration could not be had, and in the end."""
    mine, statuses = front.IngestFront(), list[int]()
    tasks = [asyncio.ensure_future(request(mine, statuses)) for _ in range(CLIENTS)]
    for _ in range(50):
        await asyncio.sleep(0)
    meanwhile = list(statuses)
    slow.set()
    await asyncio.gather(*tasks)
    return meanwhile, statuses, mine


def test_who_waits_for_the_configuration_has_a_place_like_who_waits_for_the_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = threading.Event()

    def read() -> None:
        slow.wait(60)
        raise OperationalError("gone")

    monkeypatch.setattr(following, "_read", read)
    monkeypatch.setattr(front, "MOST_WAITING", PLACES)
    meanwhile, statuses, mine = asyncio.run(crowd(slow))
    assert meanwhile == [503] * (CLIENTS - PLACES)
    assert statuses == [503] * CLIENTS
    assert (mine._waiting, mine._waiting_bytes) == (0, 0)
