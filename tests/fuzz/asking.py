"""Asks a running server, over connections that are kept, and notes what it hears and how long that took."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from queue import Queue
from urllib.parse import urlencode

from tests.fuzz.plan import Ask

THREADS = 4
SLOW = 1.0  # seconds
GIVE_UP = 20.0


@dataclass
class Heard:
    """What the answers were."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    slow: list[tuple[float, Ask]] = field(default_factory=list)
    slowest: float = 0.0


class Caller:
    """One connection, with a session of the console and a token of the API."""

    def __init__(self, port: int, session: str, token: str) -> None:
        self.port, self.session, self.token = port, session, token
        self.connection: http.client.HTTPConnection | None = None

    def ask(self, ask: Ask) -> tuple[int, float, bytes]:
        """The status (0: none came), the seconds it took, and the body."""
        headers = dict(ask.headers)
        if ask.who == "owner":
            headers["Cookie"] = self.session
        if ask.who == "token":
            headers["Authorization"] = f"Bearer {self.token}"
        for last in (False, True):
            fresh = self.connection is None
            connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=GIVE_UP)
            self.connection = connection
            started = time.monotonic()
            try:
                connection.putrequest(ask.method, ask.path, skip_accept_encoding=True)
                for name, value in {"Content-Length": str(len(ask.body or b"")), **headers}.items():
                    connection.putheader(name, value.encode("latin-1", "replace"))
                connection.endheaders(ask.body)
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.connection = None
                if fresh or last:  # an idle connection may have been closed in the meantime; a new one may not
                    return 0, time.monotonic() - started, b""
                continue
            return answer.status, time.monotonic() - started, body
        raise AssertionError


def ask_all(asks: Iterable[Ask], port: int, session: str, token: str) -> Heard:
    heard, lock = Heard(), threading.Lock()
    waiting: Queue[Ask | None] = Queue(maxsize=100)

    def work() -> None:
        caller = Caller(port, session, token)
        while (ask := waiting.get()) is not None:
            if not sendable(ask):
                continue
            status, took, body = caller.ask(ask)
            with lock:
                heard.statuses[ask.part, status] += 1
                heard.slowest = max(heard.slowest, took)
                if took > SLOW:
                    heard.slow.append((took, ask))
                if status >= 500 or status == 0:
                    heard.bad.append(
                        f"{status} {ask.method} {ask.path[:150]} {(ask.body or b'')[:150]!r} → {body[:200]!r}"
                    )

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for ask in asks:
        waiting.put(ask)
    for _ in threads:
        waiting.put(None)
    for thread in threads:
        thread.join()
    return heard


def sendable(ask: Ask) -> bool:
    """Whether it is HTTP at all: what is not never gets to us."""
    one_line = not any("\r" in text or "\n" in text for text in (*ask.headers.values(), ask.path))
    return one_line and ask.path.isascii() and " " not in ask.path


def still_slow(heard: Heard, port: int, session: str, token: str) -> list[str]:
    """Of the slow ones those that are slow again when nothing else is going on: the rest waited for their turn."""
    caller = Caller(port, session, token)
    found = []
    for _, ask in heard.slow:
        took = caller.ask(ask)[1]
        if took > SLOW:
            found.append(f"{took:.1f} s {ask.method} {ask.path[:150]} {(ask.body or b'')[:100]!r}")
    return found


def sign_in(port: int, email: str, password: str) -> str:
    """The session cookie of the console."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP)
    connection.request("GET", "/login/")
    answer = connection.getresponse()
    token = _cookie(answer, "csrftoken")
    field = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', answer.read())
    assert field is not None
    data = {"username": email, "password": password, "csrfmiddlewaretoken": field.group(1).decode()}
    headers = {"Cookie": f"csrftoken={token}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/login/", urlencode(data), headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 302, answer.status
    return f"sessionid={_cookie(answer, 'sessionid')}"


def _cookie(answer: http.client.HTTPResponse, name: str) -> str:
    lines = [value for header, value in answer.getheaders() if header.lower() == "set-cookie"]
    return next(line for line in lines if line.startswith(f"{name}=")).partition(";")[0].partition("=")[2]
