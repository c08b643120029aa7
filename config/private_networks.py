"""Settings → Network, in words: which addresses inside the own network connectors may call, how to allow another.

Nothing is allowed from here. That takes whoever runs the machine, so that an account of the console alone never opens
the inside of a network to whoever may set a connector's address.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from urllib.parse import urlsplit

from django.conf import settings

from integrations.networks import Network, is_public, parse_networks
from integrations.numbers import thousands

NAME = "ALLOWED_PRIVATE_NETWORKS"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """About one address or network that somebody asks for. ``line`` is what allows it; "" where ``words`` say all."""

    words: str
    line: str = ""


def allowed() -> list[tuple[str, str]]:
    """(as it is written, in words) of each network that may be called."""
    return [(str(network), in_words(network)) for network in _networks()]


def in_words(network: Network) -> str:
    if network.num_addresses == 1:
        return "this one address"
    return f"{network[0]} to {network[-1]}, {thousands(network.num_addresses)} addresses"


def answer(asked: str) -> Answer | None:
    """What to do for ``asked``: an address such as 10.1.2.3, a network such as 10.1.0.0/16, or a web address with one
    in it; None for nothing."""
    if not asked.strip():
        return None
    try:
        wanted = ip_network(_plain(_host(asked.strip())))
    except ValueError:
        return Answer(words="This is no address. Write an address as 10.1.2.3, a network as 10.1.0.0/16.")
    name = str(wanted[0] if wanted.num_addresses == 1 else wanted)
    for network in _networks():
        if network.version == wanted.version and wanted.subnet_of(network):  # type: ignore[arg-type]  # the same version
            return Answer(words=f"{name} is allowed already, by {network}.")
    if wanted.num_addresses == 1 and is_public(wanted[0]):
        return Answer(words=f"{name} is on the public internet: with https it is called without being allowed.")
    networks = ",".join(map(str, [*_networks(), wanted]))
    return Answer(words=f"Allows {name}: {in_words(wanted)}.", line=f"{NAME}={networks}")


def _host(text: str) -> str:
    """Of a web address, as it was refused somewhere, the host."""
    return urlsplit(text).hostname or text if "://" in text else text


def _plain(text: str) -> str:
    """An IPv4 address in IPv6's clothes is checked as the IPv4 address that it is, so it is allowed as that."""
    try:
        mapped = IPv6Address(text).ipv4_mapped
    except ValueError:
        return text
    return str(mapped or text)


def _networks() -> tuple[Network, ...]:
    return parse_networks(tuple(settings.ALLOWED_PRIVATE_NETWORKS))
