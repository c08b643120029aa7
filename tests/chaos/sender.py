"""Clients as the official ones are: they send, and what is not answered with 200 they send again, unchanged."""

from __future__ import annotations

import http.client
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.door import basic

PATIENCE = 20.0  # seconds until a client gives a request up and sends it again
LONGEST_WAIT = 1.0  # of a Retry-After; the official clients wait longer, and would only make the run longer


class Pace:
    """How much may have been sent by now: spread over the plan, however long a step really takes. Within a step it
    comes ever closer to the step's share, so that there is always load."""

    def __init__(self, whole: float) -> None:
        self.whole = whole
        self.before = self.span = 0.0
        self.since = time.monotonic()

    def next(self, span: float) -> None:
        """The step before is over; the next one is planned to take ``span`` seconds."""
        self.before, self.span, self.since = self.before + self.span, span, time.monotonic()

    def share(self) -> float:
        within = 1 - math.exp(-2 * (time.monotonic() - self.since) / self.span) if self.span else 0
        return (self.before + within * self.span) / self.whole


class Sender(threading.Thread):
    """Sends ``events`` numbered events, ``size`` to a request."""

    def __init__(self, port: int, name: str, events: int, size: int, pace: Pace, make: Callable[[int], Any]) -> None:
        super().__init__(name=f"sender-{name}", daemon=True)
        self.port, self.source = port, name
        self.events, self.size, self.pace, self.make = events, size, pace, make
        self.accepted: list[str] = []
        self.answers: Counter[int] = Counter()  # 0: none
        self.unexpected: list[str] = []
        self.ended = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        for first in range(0, self.events, self.size):
            numbers = [f"{self.source}-{number}" for number in range(first, min(first + self.size, self.events))]
            while first > self.events * self.pace.share() + 1 and not self.ended.wait(0.01):
                pass
            batch = [{"messageId": f"id-{n}", **self._event(n)} for n in numbers]
            if not self._until_taken(json.dumps({"batch": batch}).encode()):
                return
            self.accepted += numbers

    def _event(self, number: str) -> dict[str, Any]:
        event = {"type": "track", "userId": f"user-{number[-3:]}", **self.make(int(number.rpartition("-")[2]))}
        event["properties"] = {"number": number, **event.get("properties", {})}
        return event

    def _until_taken(self, body: bytes) -> bool:
        while not self.ended.is_set():
            status, wait = self._post(body)
            self.answers[status] += 1
            if status == 200:
                return True
            if status not in (0, 429, 503):
                self.unexpected.append(f"answered {status}")
            self.ended.wait(min(LONGEST_WAIT, wait))
        return False

    def _post(self, body: bytes) -> tuple[int, float]:
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            headers = {**basic(f"wk_{self.source}"), "Content-Type": "application/json"}
            self._connection.request("POST", "/v1/batch", body, headers)
            answer = self._connection.getresponse()
            answer.read()
            wait = answer.headers.get("Retry-After")
            if answer.status in (429, 503) and not (wait and 1 <= int(wait) <= 300):
                self.unexpected.append(f"{answer.status} with Retry-After {wait}")
            return answer.status, float(wait or 0.2)
        except (OSError, http.client.HTTPException):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 0, 0.2
