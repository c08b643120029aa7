"""Which network addresses we may call. Checked on the very address a socket connects to, so that no name can change
between the check and the call, and checked for every connection, whatever spelling the host had.

Everything that is not plainly public is refused: loopback, private, link-local (cloud metadata), carrier-grade NAT,
multicast, reserved, and public-looking IPv6 forms that carry such an IPv4 address (mapped, compatible, 6to4, Teredo,
NAT64). ``ALLOWED_PRIVATE_NETWORKS`` is the only way around, and the only place where plain http is allowed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA special-purpose registries, where Python 3.11's own tables have gaps.
_NEVER = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "100::/64",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")


class BlockedAddress(Exception):
    """The destination's address is one we never call. The text says which, for people."""


@lru_cache(maxsize=8)
def parse_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text.strip(), strict=False) for text in texts if text.strip())


@lru_cache(maxsize=4096)
def is_public(address: Address) -> bool:
    """Whether the address is on the public internet, looking through IPv6 forms that carry an IPv4 address."""
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    if isinstance(address, IPv6Address) and (inner := _carried(address)) is not None:
        return is_public(inner)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def permitted(address: Address, networks: Iterable[Network], *, encrypted: bool) -> bool:
    """Whether we may connect to the address: allowed by name of its network, or public and encrypted."""
    plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
    if any(plain in network for network in networks if network.version == plain.version):
        return True
    return encrypted and is_public(address)


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
