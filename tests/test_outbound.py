"""Real servers that must not be reached, answers that must not be believed, and encryption that must be right.

The corpus is ``addresses.json``: one address or trick a line. Each is sent with nothing allowed; a real server listens
on every loopback address, and hears of none.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deliveries.engine import send
from deliveries.engine.send import Sender, SendFailed
from integrations.types import Cause, OutgoingRequest
from tests import listening

CASES = json.loads((Path(__file__).parent / "addresses.json").read_text())


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """name → addresses, one list after the other if there are several; other names are looked up as ever."""
    table: dict[str, Any] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if host not in table:
            return real(host, port, *args, **kwargs)
        found = table[host].pop(0) if isinstance(table[host][0], list) else table[host]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return table


@pytest.fixture
def inside() -> Iterator[listening.Server]:
    server = listening.Server("0.0.0.0", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")  # noqa: S104 - on purpose
    yield server
    server.close()


def refused(url: str, hosts: tuple[str, ...] = ()) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        Sender().send(OutgoingRequest(url=url), hosts=hosts, timeout=2)
    return caught.value


def test_there_are_enough_of_them() -> None:
    assert len(CASES) == len({case["name"] for case in CASES}) >= 70


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_nothing_inside_is_reached(case: dict[str, Any], inside: listening.Server, names: dict[str, Any]) -> None:
    url = case["url"].format(port=inside.port)
    for host in ("hooks.example.com", "127.0.0.1.nip.io", "api.segment.io", "evil.example.com", "127.0.0.1."):
        names[host] = case.get("resolves", ["127.0.0.1"])
    names["xn--pi-6kc.segment.io"] = case.get("resolves", [])
    error = refused(url, tuple(case.get("hosts", ())))
    assert error.cause == case.get("cause", "blocked_address"), error.detail
    assert inside.connections == 0


@pytest.fixture
def outside(settings: Any) -> Iterator[listening.Server]:
    """The one address that is allowed: 127.0.0.2 stands for a service, 127.0.0.1 for what is inside."""
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.2/32"]
    server = listening.Server("127.0.0.2")
    yield server
    server.close()


def test_a_name_that_changes_between_two_calls(
    outside: listening.Server, inside_again: listening.Server, names: dict[str, Any]
) -> None:
    """Each connection looks the name up once, and connects to the very address that was checked."""
    names["rebinding.example.com"] = [["127.0.0.2"], ["127.0.0.1"]]
    sender, url = Sender(), f"http://rebinding.example.com:{outside.port}/"
    assert sender.send(OutgoingRequest(url=url)).status == 200
    sender.adapter.forget_connections()
    with pytest.raises(SendFailed) as caught:
        sender.send(OutgoingRequest(url=url))
    assert (caught.value.cause, caught.value.detail) == (Cause.BLOCKED_ADDRESS, "rebinding.example.com → 127.0.0.1")
    assert names["rebinding.example.com"] == []
    assert (outside.connections, inside_again.connections) == (1, 0)


@pytest.fixture
def inside_again(outside: listening.Server) -> Iterator[listening.Server]:
    server = listening.Server("127.0.0.1", port=outside.port)
    yield server
    server.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere(outside: listening.Server, inside_again: listening.Server, status: int) -> None:
    place = f"http://127.0.0.1:{inside_again.port}/"
    outside.answer = f"HTTP/1.1 {status} Go\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
    answer = Sender().send(OutgoingRequest(url=f"http://127.0.0.2:{outside.port}/"))
    assert (answer.status, answer.headers["location"]) == (status, place)
    assert inside_again.connections == 0


def test_no_proxy_from_the_environment(
    outside: listening.Server, inside_again: listening.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{inside_again.port}")
    assert Sender().send(OutgoingRequest(url=f"http://127.0.0.2:{outside.port}/")).status == 200
    assert (outside.connections, inside_again.connections) == (1, 0)


BOMB = gzip.compress(b"\0" * 50_000_000, 9)
NESTED = gzip.compress(gzip.compress(gzip.compress(b"\0" * 200_000_000, 9), 9), 9)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", BOMB), ("x-gzip", BOMB), ("deflate", zlib.compress(b"\0" * 50_000_000, 9)), ("deflate", BOMB),
        ("gzip, gzip, gzip", NESTED), ("br", BOMB), ("zstd", BOMB),
    ],
)  # fmt: skip
def test_a_bomb_as_an_answer(outside: listening.Server, encoding: str, body: bytes) -> None:
    """Cut at the cap, or left as it is, or said to be no answer; never unpacked."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    outside.answer = head.encode() + body
    request, sender = OutgoingRequest(url=f"http://127.0.0.2:{outside.port}/"), Sender()
    tracemalloc.start()
    with contextlib.suppress(SendFailed):
        assert len(sender.send(request).body) <= send.BODY_CAP
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_long_answer_is_cut(outside: listening.Server) -> None:
    """While it is read: what is beyond the cap never comes into memory."""
    outside.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n" + b"x" * 30_000_000
    request, sender = OutgoingRequest(url=f"http://127.0.0.2:{outside.port}/"), Sender()
    tracemalloc.start()
    answer = sender.send(request)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.body == b"x" * send.BODY_CAP
    assert peak < 4_000_000


# --- Encryption -------------------------------------------------------------------------------------------------------

TLS = {
    "expired.example.com": "its security certificate has expired.",
    "early.example.com": "an encrypted connection could not be made.",
    "other.example.com": "its security certificate is for another name.",
    "selfsigned.example.com": "its security certificate is self-signed.",
    "unknown.example.com": "its security certificate comes from nobody we know.",
    "plain.example.com": "an encrypted connection could not be made.",
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> listening.Certificates:
    return listening.Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusting(certificates: listening.Certificates, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Our own authority in the place of the world's, so that only what a case is about is wrong."""
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificates.authority))
    monkeypatch.setattr("requests.adapters._preloaded_ssl_context", None, raising=False)


def test_a_good_certificate(certificates: listening.Certificates, trusting: None, names: dict[str, Any]) -> None:
    names["good.example.com"] = ["127.0.0.1"]
    server = listening.Server("127.0.0.1", tls=certificates.of("good.example.com"))
    assert Sender().send(OutgoingRequest(url=f"https://good.example.com:{server.port}/")).status == 200
    server.close()


@pytest.mark.parametrize("name", TLS)
def test_a_wrong_certificate(
    certificates: listening.Certificates, trusting: None, names: dict[str, Any], name: str
) -> None:
    names[name] = ["127.0.0.1"]
    server = listening.Server("127.0.0.1", tls=certificates.of(name))
    error = refused(f"https://{name}:{server.port}/")
    assert (error.cause, error.detail) == (Cause.TLS, f"{name}: {TLS[name]}")
    assert not any(b"HTTP/1.1" in heard for heard in server.heard)
    server.close()


def test_an_authority_of_our_own_is_not_trusted_by_itself(
    certificates: listening.Certificates, settings: Any, names: dict[str, Any]
) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    names["good.example.com"] = ["127.0.0.1"]
    server = listening.Server("127.0.0.1", tls=certificates.of("good.example.com"))
    assert refused(f"https://good.example.com:{server.port}/").cause is Cause.TLS
    server.close()
