"""A service that events are sent to: a loopback HTTP server in a thread that records every request."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b'{"success": true}')


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events in it: of Segment's batch call, of a list, or the one."""
        document = json.loads(self.body)
        if isinstance(document, list):
            return document
        return list(document.get("batch", [document]))


class Receiver:
    """Answers 200 to everything unless told otherwise for a path (see :meth:`answer`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._answers: dict[str, Callable[[Request, int], Answer]] = {}
        self._delays: dict[str, float] = {}
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, *answers: int | Answer, delay: float = 0.0) -> None:
        """Answer requests to ``path`` with these in turn, and with the last one ever after."""
        ready = [(item, {}, b"{}") if isinstance(item, int) else item for item in answers] or [OK]
        self._delays[path] = delay
        self._answers[path] = lambda _, number: ready[min(number, len(ready) - 1)]

    def requests(self, path: str) -> list[Request]:
        with self._lock:
            return [request for request in self._requests if request.path.partition("?")[0] == path]

    def events(self, path: str) -> list[dict[str, Any]]:
        return [event for request in self.requests(path) for event in request.events]

    def count(self, path: str) -> Counter[str]:
        """How often each message id came in."""
        return Counter(event["messageId"] for event in self.events(path))

    def take(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        with self._lock:
            number = sum(1 for other in self._requests if other.path == request.path) if path in self._answers else 0
            self._requests.append(request)
        if delay := self._delays.get(path, 0.0):
            time.sleep(delay)
        return self._answers[path](request, number) if path in self._answers else OK


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        """A sender that was killed broke its connection: that is what the tests do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    receiver: Receiver

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # the sender died in the middle: nothing was received
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, extra, content = self.receiver.take(Request(self.command, self.path, headers, body))
        self.send_response_only(status)
        for name, value in extra.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, *_: Any) -> None:
        pass
