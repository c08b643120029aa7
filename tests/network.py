"""No test reaches a network but loopback. A connection elsewhere, or the look-up of a name, fails the test as itself:
it raises, and where the code under test takes the error for an outage, the test fails all the same at its end.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import pytest
import responses

# The databases given for the tests may stand elsewhere.
ALLOWED = {"localhost", *(urlsplit(os.environ.get(name, "")).hostname for name in ("DATABASE_URL", "REDIS_URL"))}
_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


class UnexpectedConnection(RuntimeError):
    """A test tried to reach the network."""


def is_local(host: Any) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    if text is None or text in ALLOWED:
        return True
    try:
        return ip_address(str(text).partition("%")[0]).is_loopback
    except ValueError:
        return False


def is_address(host: Any) -> bool:
    """Also in the old spellings (127.1, 0x7f000001): turning them into numbers asks nobody."""
    try:
        ip_address(str(host).partition("%")[0])
    except ValueError:
        try:
            socket.inet_aton(str(host))
        except OSError:
            return False
    return True


@contextmanager
def blocked() -> Iterator[list[str]]:
    """Block everything but loopback; gives the list of what was tried."""
    tried: list[str] = []

    def refuse(what: str) -> None:
        tried.append(what)
        raise UnexpectedConnection(f"A test tried to reach {what}.")

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            refuse(f"{address[0]}:{address[1]}")

    def connect(sock: socket.socket, address: Any) -> None:
        check(sock, address)
        return _connect(sock, address)

    def connect_ex(sock: socket.socket, address: Any) -> int:
        check(sock, address)
        return _connect_ex(sock, address)

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host) and not is_address(host):
            refuse(f"the name {host}")
        return _getaddrinfo(host, *args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", connect)
    patch.setattr(socket.socket, "connect_ex", connect_ex)
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        yield tried
    finally:
        patch.undo()


class StrictResponses(responses.RequestsMock):
    """``responses`` whose unregistered requests fail the test, instead of looking like an outage to the code."""

    def __init__(self) -> None:
        super().__init__(assert_all_requests_are_fired=True)
        self.unexpected: list[str] = []

    def _find_match(self, request: Any) -> Any:
        match, reasons = super()._find_match(request)
        if match is None:
            self.unexpected.append(f"{request.method} {request.url}: {'; '.join(reasons) or 'not registered'}")
        return match, reasons
