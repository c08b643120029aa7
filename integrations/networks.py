"""Which network addresses may be called. Pure.

Everything that is not plainly public is refused: loopback, private, link-local (cloud metadata), carrier-grade NAT,
multicast, reserved, and public-looking IPv6 forms that carry such an IPv4 address (mapped, compatible, 6to4, Teredo,
NAT64). ``ALLOWED_PRIVATE_NETWORKS`` is the only way around, and the only place where plain http is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

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
UNENCRYPTED = "It must begin with https://, so that nobody reads the events on their way."


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


def closed(url: str, networks: tuple[Network, ...]) -> str:
    """Why an address that somebody types would never be called, in words for them; "" where it may be.

    Of a host that has a name nothing is known before it is called: it is looked up, and checked, then.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""  # no address at all, which is said elsewhere
    encrypted, address = parts.scheme == "https", _literal(host)
    if parts.scheme not in ("http", "https") or (address is None and not encrypted and not networks):
        return UNENCRYPTED
    if address is None or permitted(address, networks, encrypted=encrypted):
        return ""
    if is_public(address):
        return UNENCRYPTED
    return f"We do not call addresses inside our own network, such as {host}. Settings → Network says how to allow it."


def is_inside(host: str) -> bool:
    """Whether a service on the internet could not call this address: one of this computer, or of its own network. Of a
    host that has a name nothing is known."""
    try:
        address = _literal((urlsplit(f"//{host}").hostname or "").rstrip("."))
    except ValueError:
        return False
    return address is not None and not is_public(address)


def _literal(host: str) -> Address | None:
    if host == "localhost" or host.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    try:
        return ip_address(host)
    except ValueError:
        return None
