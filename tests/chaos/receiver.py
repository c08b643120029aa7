"""The receiving ends, one port for each connector, in a thread of their own. Each behaves as it is told and writes down
every event with the id it came under."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable
from typing import Any

from tests.chaos.ledger import Arrivals
from tests.process.ports import free_port

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"success": true}'
REFUSALS = {
    "answers-500": b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
    "answers-429": b"HTTP/1.1 429 Slow down\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n",
    "key-refused": b'HTTP/1.1 401 No\r\nContent-Length: 19\r\n\r\n{"error":"bad key"}',
    "garbage": b"\x00\x01\x02 what is this\r\n\r\n\xff\xfe",
}
NOT_ACCEPTED = b'HTTP/1.1 422 No\r\nContent-Length: 22\r\n\r\n{"error":"score high"}'
TAKES = 0.03  # seconds to an ordinary answer, so that a killed worker has something in hand
DRIP_EVERY = 0.3  # seconds a byte: an answer takes 30 s, twice what the engine gives it


class Endpoint:
    """One receiver. ``mode`` is "" or the name of a fault."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.port = free_port()
        self.mode = ""
        self.arrivals = Arrivals()
        self.server: asyncio.Server | None = None
        self.open: set[asyncio.BaseTransport] = set()
        self.do(self.listen)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def do(self, step: Callable[[], Any]) -> None:
        asyncio.run_coroutine_threadsafe(step(), self.loop).result(30)

    async def listen(self) -> None:
        if self.server is None:
            self.server = await self.loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=512)

    async def vanish(self) -> None:
        """Nobody listens, and what was connected is broken."""
        if self.server is not None:
            self.server.close()
            self.server = None
        for transport in list(self.open):
            transport.abort()  # type: ignore[attr-defined]  # a socket's

    async def release(self) -> None:
        """Who was left hanging hears that it is over: the connection ends."""
        for transport in list(self.open):
            transport.abort()  # type: ignore[attr-defined]  # a socket's

    def behave(self, mode: str) -> None:
        self.mode = mode
        if mode in ("refuses", "away"):
            self.do(self.vanish)
        elif not mode:
            self.do(self.listen)
            self.do(self.release)


class Receivers:
    """Named endpoints on one event loop."""

    def __init__(self, *names: str) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="receivers", daemon=True).start()
        self.endpoints = {name: Endpoint(self.loop) for name in names}

    def __getitem__(self, name: str) -> Endpoint:
        return self.endpoints[name]

    def close(self) -> None:
        for endpoint in self.endpoints.values():
            endpoint.do(endpoint.vanish)
        self.loop.call_soon_threadsafe(self.loop.stop)


class _Connection(asyncio.Protocol):
    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # a socket's
        self.endpoint.open.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.endpoint.open.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            found = LENGTH.search(self.buffer, 0, end + 2)
            whole = end + 4 + (int(found.group(1)) if found else 0)
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            self.take(body)

    def take(self, body: bytes) -> None:
        mode = self.endpoint.mode
        document = json.loads(body)
        events = document.get("batch", [document])
        refused = not mode and any(event.get("properties", {}).get("refuse") for event in events)
        numbers = [str(event["properties"]["number"]) for event in events]
        for number, event in zip(numbers, events, strict=True):
            self.endpoint.arrivals.came(number, event["messageId"])
        if mode == "hangs":
            return
        if mode == "drips":
            self.drip(OK, numbers)
        elif mode == "cuts":
            self.transport.write(OK[:-9])
            self.transport.close()
        elif mode in REFUSALS:
            self.transport.write(REFUSALS[mode])
            if mode == "garbage":
                self.transport.close()
        elif refused:
            self.transport.write(NOT_ACCEPTED)
        else:
            self.endpoint.loop.call_later(TAKES, self.accept, numbers)

    def accept(self, numbers: list[str]) -> None:
        if not self.transport.is_closing():
            self.transport.write(OK)
            self.endpoint.arrivals.answered.update(numbers)

    def drip(self, rest: bytes, numbers: list[str]) -> None:
        if not rest:
            self.endpoint.arrivals.answered.update(numbers)
        elif not self.transport.is_closing():
            self.transport.write(rest[:1])
            self.endpoint.loop.call_later(DRIP_EVERY, self.drip, rest[1:], numbers)
