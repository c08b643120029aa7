"""The receiving end, in a process of its own: answers every POST with 200 after some milliseconds, counts requests and
events, and remembers ids and moments. ``python -m benchmarks.receiver PORT``.

``/hangs`` is never answered, ``/fails`` always with 500; neither is counted.

Control, by GET on the same port: ``/_reset?delay=MS&refuse=N`` (the first N tries of every fourth event get a 503),
``/_stats?total=N`` and ``/_between?since=T&until=T`` (moments are of the machine's monotonic clock).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from array import array
from bisect import bisect_left
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import uvloop

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"success":true}'
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
FAILURE = b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"
MESSAGE_ID = re.compile(rb'"messageId": ?"([^"]+)"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
WEBHOOK_ID = re.compile(rb"\r\nwebhook-id: *([^\r]+)", re.IGNORECASE)


class Book:
    """What was received since the last reset."""

    def __init__(self, delay: float = 0.0, refuse: int = 0) -> None:
        self.delay, self.refuse = delay, refuse
        self.tries: Counter[bytes] = Counter()
        self.places: dict[bytes, int] = {}
        self.moments = array("d")
        self.events = array("L")  # received up to and with the request of the same index
        self.ids: set[bytes] = set()
        self.waits = array("d")  # ms since the moment that is in an id

    def note(self, head: bytes, body: bytes) -> None:
        found = WEBHOOK_ID.search(head)
        ids = [found.group(1)] if found else MESSAGE_ID.findall(body)
        self.ids.update(ids)
        self.waits.extend((time.monotonic_ns() - int(known[3:])) / 1e6 for known in ids if known.startswith(b"at-"))
        self.moments.append(time.monotonic())
        self.events.append((self.events[-1] if self.events else 0) + len(ids))

    def refuses(self, head: bytes) -> bool:
        """Every fourth event: a service that refuses all would be let rest."""
        found = WEBHOOK_ID.search(head)
        identifier = found.group(1) if found else b""
        self.tries[identifier] += 1
        place = self.places.setdefault(identifier, len(self.places))
        return place % 4 == 3 and self.tries[identifier] <= self.refuse

    def received(self) -> int:
        return self.events[-1] if self.events else 0

    def stats(self, total: int) -> dict[str, float]:
        """Counts, and the rate from a tenth of ``total`` to the last one: what comes before is the workers' start."""
        received = self.received()
        result: dict[str, float] = {"requests": len(self.moments), "events": received, "distinct": len(self.ids)}
        if received:
            result.update(first=self.moments[0], last=self.moments[-1])
        if self.waits:
            result["p95"] = sorted(self.waits)[len(self.waits) * 95 // 100]
        begin = bisect_left(self.events, max(1, total // 10))
        if total and begin < len(self.events) - 1:
            seconds = self.moments[-1] - self.moments[begin]
            result["rate"] = (received - self.events[begin]) / seconds if seconds else 0.0
        return result

    def between(self, since: float, until: float) -> int:
        first, last = (bisect_left(self.moments, moment) for moment in (since, until))
        return (self.events[last - 1] if last else 0) - (self.events[first - 1] if first else 0)


book = Book()


def control(target: str) -> dict[str, float]:
    global book
    parts = urlsplit(target)
    query = {name: float(values[0]) for name, values in parse_qs(parts.query).items()}
    if parts.path == "/_reset":
        book = Book(query.get("delay", 0.0) / 1000, int(query.get("refuse", 0)))
        return {}
    if parts.path == "/_between":
        return {"events": book.between(query["since"], query["until"])}
    return book.stats(int(query.get("total", 0)))


class Receiver(asyncio.Protocol):
    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # a socket writes

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[: end + 2]
            found = LENGTH.search(head)
            whole = end + 4 + (int(found.group(1)) if found else 0)
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            self.take(head, body)

    def take(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /_"):
            text = json.dumps(control(head.split(b" ", 2)[1].decode())).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            return
        if book.refuse and book.refuses(head):
            self.transport.write(REFUSAL)
            return
        if head.startswith(b"POST /hangs"):
            return
        if head.startswith(b"POST /fails"):
            self.transport.write(FAILURE)
            return
        book.note(head, body)
        if book.delay:
            asyncio.get_running_loop().call_later(book.delay, self.transport.write, ANSWER)
        else:
            self.transport.write(ANSWER)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
