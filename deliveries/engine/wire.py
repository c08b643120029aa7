"""HTTP/1.1 on one kept connection: the quick way under requests' own adapter, which calls :meth:`Line.urlopen` where it
would call a pool of urllib3's.

Resolving, the address check, connecting and TLS stay urllib3's (``addresses``). What is done here is writing a request
that is complete already, and reading its answer with llhttp, Node's parser: a tenth of what the general way costs.

One deadline holds for the whole answer, because a socket's time-out is for one read only: a receiver that sends byte by
byte would hold a thread, and with it the delivery and the worker's orderly end, for hours.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from urllib3.exceptions import DecodeError, InvalidHeader, ProtocolError, ReadTimeoutError, SSLError

LONGEST = 1.5  # times the read time-out, from the request's last byte to the answer's last
BODY_CAP = 65_536  # bytes kept, unpacked; of a longer answer the rest is not read and the connection is given up
HEAD_CAP = 65_536
CHUNK = 65_536
TOGETHER = 65_536  # a body up to this size travels in the same write as its head
NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Line:
    """One connection to one origin, made by the origin's urllib3 pool when it is needed. For one thread."""

    def __init__(self, pool: Any, url: str) -> None:
        self.pool = pool
        scheme, netloc, *_ = urlsplit(url)
        self.host = netloc.rpartition("@")[2].removesuffix(DEFAULT_PORTS.get(scheme, ":80"))
        self.sock: socket.socket | None = None
        self._poll = select.poll()

    def urlopen(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: Any = None,
        **_: Any,
    ) -> Answer:
        """What requests' adapter asks of a pool: the whole answer, its body cut at the cap. A connection that failed is
        not used again. Raises urllib3's errors, and :class:`~deliveries.engine.addresses.BlockedAddress`."""
        message = self._head(method, url, headers or {})
        sock = self._ready(timeout)
        try:
            if body and len(body) <= TOGETHER:
                sock.sendall(message + body)
            else:
                sock.sendall(message)
                if body:
                    sock.sendall(body)
            answer = self._read(sock, timeout.read_timeout)
        except TimeoutError:
            self.close()
            raise ReadTimeoutError(self.pool, url, "The answer did not end in time.") from None
        except BaseException as error:
            self.close()
            if isinstance(error, HttpParserError | HttpParserUpgrade):
                raise ProtocolError("The answer is no HTTP.", error) from error
            raise
        if not answer.reusable:
            self.close()
        return answer

    def close(self) -> None:
        if self.sock is not None:
            self._poll.unregister(self.sock)
            self.sock.close()
            self.sock = None

    def _head(self, method: str, url: str, headers: Mapping[str, str]) -> bytes:
        lines = [f"{method} {url} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{_name(name)}: {value}" for name, value in headers.items()]
        text = "\r\n".join(lines)
        if text.count("\r") != len(lines) - 1 or text.count("\n") != len(lines) - 1:
            raise InvalidHeader("There is a line break in the request's address or headers.")
        try:
            return text.encode("latin-1") + b"\r\n\r\n"
        except UnicodeEncodeError as error:
            raise InvalidHeader(f"A header has characters that headers can't have: {error.object[:50]}") from error

    def _ready(self, timeout: Any) -> socket.socket:
        """The kept connection, unless the other side has closed it or has said something unasked; else a new one."""
        if self.sock is not None and self._poll.poll(0):
            self.close()
        if self.sock is None:
            connection = self.pool._new_conn()
            connection.timeout = timeout.connect_timeout
            try:
                connection.connect()
            except ssl.SSLError as error:
                connection.close()
                raise SSLError(error) from error
            except BaseException:
                connection.close()
                raise
            self.sock = connection.sock
            self._poll.register(self.sock, select.POLLIN)
        self.sock.settimeout(timeout.read_timeout)
        return self.sock

    def _read(self, sock: socket.socket, patience: float) -> Answer:
        answer = Answer()
        try:
            data = sock.recv(CHUNK)
            deadline = 0.0
            while not answer.feed(data):
                now = time.monotonic()
                deadline = deadline or now + LONGEST * patience
                if now >= deadline:
                    raise TimeoutError
                if deadline - now < patience:
                    sock.settimeout(deadline - now)
                data = sock.recv(CHUNK)
        finally:
            answer.end()
        return answer


class Answer:
    """An answer while and after it is read, with what requests reads of urllib3's. ``headers`` has the last value of
    what was sent twice; ``reusable`` says whether the connection may carry another request."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.reusable = False
        self.reason = ""
        self.status = 0
        self._parser = HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._size = self._head_size = 0
        self._in_body = self._complete = False
        self._unpack: Any = None

    def feed(self, data: bytes) -> bool:
        """Take the next bytes (none: the other side has closed). Returns whether the answer is complete, or as much of
        it as is kept. Raises HttpParserError, ProtocolError, DecodeError."""
        if not data:
            return self._closed()
        if not self._in_body:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            if not self._complete:
                raise
            self.reusable = False  # more came than the answer, such as a body after 204: not ours to understand
        if not self._in_body and self._head_size > HEAD_CAP:
            raise ProtocolError("The answer's headers do not end.")
        return self._complete or self._size >= BODY_CAP

    def end(self) -> None:
        """Nothing more is read. The parser and this hold each other: only the garbage collector would free them."""
        del self._parser

    def _closed(self) -> bool:
        """An answer that says neither its length nor that it comes in chunks ends when the connection does."""
        names = {name.lower() for name in self.headers}
        if not self._in_body or names & {"content-length", "transfer-encoding"}:
            raise ProtocolError("The connection was closed before the answer ended.")
        return True

    # --- Called by the parser -----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            raise ProtocolError("Something follows the answer.")
        self.headers, self.reason = {}, ""

    def on_status(self, status: bytes) -> None:
        self.reason += status.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1")] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._in_body = self.status >= 200  # what comes before is an interim answer, such as 103 Early Hints
        for name, value in self.headers.items():
            if name.lower() == "content-encoding" and value.strip().lower() in ("gzip", "x-gzip"):
                self._unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def on_body(self, part: bytes) -> None:
        if self._unpack is not None:
            try:
                part = self._unpack.decompress(part, max(1, BODY_CAP - self._size))
            except zlib.error as error:
                raise DecodeError("The answer says it is gzip, but it is not.") from error
        self._parts.append(part)
        self._size += len(part)

    def on_message_complete(self) -> None:
        self._complete = self._in_body
        self.reusable = self._complete and bool(self._parser.should_keep_alive())

    # --- Read by requests' adapter and by the sender ------------------------------------------------------------------

    def read1(self, amount: int, decode_content: bool = True) -> bytes:
        """Everything at once, then nothing: it is in memory anyway."""
        body = b"".join(self._parts)[:BODY_CAP]
        self._parts = []
        return body

    def close(self) -> None:
        self._parts = []

    release_conn = close


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    if not NAME.fullmatch(name.encode("utf-8", "replace")):
        raise InvalidHeader(f"“{name[:50]}” is no name of a header.")
    return name
