"""A small load generator in a process of its own, used for what is paced, and for everything where wrk is missing.

``python -m benchmarks.load '{json options}'`` prints one JSON line. With a ``rate`` it is an open loop: requests are
issued at random moments (Poisson) whether or not earlier ones were answered, over ``connections`` kept-alive
connections; one that finds none free waits, and its waiting counts. Without a rate every connection sends again as soon
as it was answered. Requests that are under way at the end are waited for, so every accepted event is counted.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import deque
from typing import Any

import uvloop

from benchmarks.events import batch, event

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PATIENCE = 30.0


class Connection(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self.load = load
        self.buffer = b""
        self.issued = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # a socket writes

    def send(self, issued: float) -> None:
        self.issued = issued
        self.transport.write(self.load.request())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = LENGTH.search(self.buffer, 0, end)
        if len(self.buffer) < end + 4 + (int(found.group(1)) if found else 0):
            return
        good = self.buffer.startswith(b"HTTP/1.1 200")
        if not good and not (
            self.buffer.startswith((b"HTTP/1.1 429", b"HTTP/1.1 503"))
            and b"\r\nretry-after:" in self.buffer[:end].lower()
        ):
            self.load.bare += 1
        issued, self.issued, self.buffer = self.issued, 0.0, b""
        self.load.answered(self, issued, good)

    def connection_lost(self, error: Exception | None) -> None:
        self.load.lost(self, self.issued > 0)


class Load:
    def __init__(self, options: dict[str, Any]) -> None:
        self.host, self.port = "127.0.0.1", int(options["port"])
        self.run, self.size = options["run"], int(options.get("batch", 0))
        self.rate = float(options.get("rate", 0))
        self.connections = int(options["connections"])
        self.warm, self.seconds = float(options.get("warm", 0)), float(options["seconds"])
        path = "/v1/batch" if self.size else "/v1/track"
        self.head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: {options['authorization']}\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        )
        self.counter = 0
        self.free: deque[Connection] = deque()
        self.waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.accepted = self.measured = self.refused = self.broken = self.pending = 0
        self.bare = 0  # refused, but not by 429 or 503 with a word about when to come again
        self.begin = self.end = 0.0

    def request(self) -> bytes:
        first = self.counter
        self.counter += self.size or 1
        body = batch(self.run, first, self.size) if self.size else event(self.run, first)
        return (self.head % len(body)).encode() + body.encode()

    def issue(self, moment: float) -> None:
        self.pending += 1
        if self.free:
            self.free.popleft().send(moment)
        else:
            self.waiting.append(moment)

    def answered(self, connection: Connection, issued: float, good: bool) -> None:
        now = time.monotonic()
        self.pending -= 1
        if good:
            self.accepted += 1
        else:
            self.refused += 1
        if self.begin <= issued < self.end:
            self.latencies.append(now - issued)
        if good and self.begin <= now < self.end:
            self.measured += 1
        if not self.rate and now < self.end:
            self.pending += 1
            connection.send(now)
        elif self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.free.append(connection)

    def lost(self, connection: Connection, busy: bool) -> None:
        if busy:
            self.broken += 1
            self.pending -= 1
        if connection in self.free:
            self.free.remove(connection)
        if time.monotonic() < self.end:
            asyncio.get_running_loop().create_task(self.connect())

    async def connect(self) -> None:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self), self.host, self.port
        )
        if self.rate:
            self.free.append(connection)
        else:
            self.pending += 1
            connection.send(time.monotonic())

    async def go(self) -> dict[str, Any]:
        self.begin = time.monotonic() + self.warm
        self.end = self.begin + self.seconds
        for _ in range(self.connections):
            await self.connect()
        moment = time.monotonic()
        while (now := time.monotonic()) < self.end:
            while self.rate and moment <= now:
                self.issue(now)
                moment += random.expovariate(self.rate)
            await asyncio.sleep(min(0.05, max(0.0, moment - now)) if self.rate else 0.05)
        deadline = self.end + PATIENCE
        while self.pending and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return self.result()

    def result(self) -> dict[str, Any]:
        ordered = sorted(self.latencies) or [0.0]
        p50, p99 = (1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99))
        return {
            "answered": self.measured, "accepted": self.accepted, "refused": self.refused, "bare": self.bare,
            "broken": self.broken + self.pending, "seconds": self.seconds, "p50": p50, "p99": p99,
            "worst": 1000 * ordered[-1], "begin": self.begin, "end": self.end,
        }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(uvloop.run(Load(json.loads(sys.argv[1])).go())))
