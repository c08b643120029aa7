"""The one way to the network: every socket that a call opens. Checked on the very address it connects to, so that no
name can change between the check and the call, and checked for every connection, whatever spelling the host had
(``integrations.networks`` says which addresses may be called).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from integrations.networks import Network, is_public, permitted


class BlockedAddress(Exception):
    """The destination's address is one we never call. The text says which, for people."""


def connect(connection: HTTPConnection, networks: Iterable[Network], *, encrypted: bool) -> socket.socket:
    """A socket to the first permitted address of the connection's host that answers.

    Raises BlockedAddress when the host has no permitted address at all.
    """
    host, port = connection._dns_host.strip("[]"), connection.port
    try:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        failure = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(host, connection, failure) from error
    addresses = list(dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found))
    usable = [
        (family, sockaddr)
        for family, sockaddr in addresses
        if permitted(ip_address(str(sockaddr[0]).partition("%")[0]), networks, encrypted=encrypted)
    ]
    if not usable:
        raise BlockedAddress(_blocked_words(host, addresses, encrypted=encrypted))
    return _first_answering(connection, usable)


def _blocked_words(host: str, addresses: list[Any], *, encrypted: bool) -> str:
    first = ip_address(str(addresses[0][1][0]).partition("%")[0])
    if not encrypted and is_public(first):
        return f"{host} would be called without encryption (http). Use an https address."
    return f"{host} → {first}"


def _first_answering(connection: HTTPConnection, usable: list[Any]) -> socket.socket:
    problem: OSError | None = None
    for family, sockaddr in usable:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(connection.timeout if isinstance(connection.timeout, int | float) else None)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(sockaddr)
        except OSError as error:
            sock.close()
            problem = error
        else:
            return sock
    if isinstance(problem, TimeoutError):
        raise ConnectTimeoutError(connection, f"{connection.host} did not answer") from problem
    raise NewConnectionError(connection, str(problem)) from problem


def pool_classes(networks: tuple[Network, ...]) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3 connection pools whose every socket went through :func:`connect`."""

    class PlainConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self, networks, encrypted=False)

    class EncryptedConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self, networks, encrypted=True)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = EncryptedConnection

    return {"http": PlainPool, "https": EncryptedPool}
