"""Which addresses are called, and that the check is made on the very address a socket connects to."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from deliveries.engine.send import Sender, SendFailed
from integrations.networks import closed, is_public, parse_networks, permitted
from integrations.types import Cause, OutgoingRequest

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "0.1.2.3", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "::", "::1", "fe80::1", "fc00::1",
    "fd12:3456::1", "ff02::1", "fec0::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "64:ff9b:1::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::a00:1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("text", PRIVATE)
def test_addresses_that_are_never_called(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not permitted(ip_address(text), (), encrypted=True)


INSIDE = "We do not call addresses inside our own network, such as {}. Settings → Network says how to allow it."
PLAIN = "It must begin with https://, so that nobody reads the events on their way."


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://api.segment.io", ""),
        ("https://8.8.8.8/in", ""),
        ("https://hooks.internal/in", ""),  # looked up when it is called
        ("https://[half", ""),  # no address at all
        ("http://example.com/in", PLAIN),
        ("http://8.8.8.8/in", PLAIN),
        ("ftp://example.com/in", PLAIN),
        ("https://10.0.0.5:8443/in", INSIDE.format("10.0.0.5")),
        ("http://10.0.0.5/in", INSIDE.format("10.0.0.5")),
        ("https://localhost./in", INSIDE.format("localhost")),
        ("https://a.localhost", INSIDE.format("a.localhost")),
        ("https://[::1]/in", INSIDE.format("::1")),
    ],
)
def test_what_is_said_beside_an_address_that_is_never_called(url: str, words: str) -> None:
    assert closed(url, ()) == words


def test_nothing_is_said_beside_an_address_that_is_allowed() -> None:
    allowed = parse_networks(("10.0.0.0/8",))
    for url in ("http://10.0.0.5", "https://10.0.0.5", "http://hooks.internal"):
        assert closed(url, allowed) == ""
    assert closed("http://127.0.0.1", allowed) == INSIDE.format("127.0.0.1")
    assert closed("http://8.8.8.8", allowed) == PLAIN


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_called_with_encryption_only(text: str) -> None:
    assert permitted(ip_address(text), (), encrypted=True)
    assert not permitted(ip_address(text), (), encrypted=False)


def test_allowed_networks_are_the_only_way_around() -> None:
    networks = parse_networks(("10.1.0.0/16", " fd00::/8 ", ""))
    for text in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1"):
        assert permitted(ip_address(text), networks, encrypted=False)
    for text in ("10.2.0.1", "127.0.0.1", "::1"):
        assert not permitted(ip_address(text), networks, encrypted=True)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        families = [socket.AF_INET6 if ":" in text else socket.AF_INET for text in addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (text, port)) for family, text in zip(families, addresses, strict=True)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def failure(url: str) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        Sender().send(OutgoingRequest(url=url))
    return caught.value


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]",
        "169.254.169.254", "0",
    ],
)  # fmt: skip
def test_loopback_in_every_spelling(host: str) -> None:
    """No connection is tried: a connection to loopback that is refused would say "unreachable"."""
    for scheme in ("http", "https"):
        assert failure(f"{scheme}://{host}:9/").cause is Cause.BLOCKED_ADDRESS


def test_a_public_name_with_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "10.0.0.7")
    error = failure("https://hooks.example.com/")
    assert error.cause is Cause.BLOCKED_ADDRESS
    assert error.detail == "hooks.example.com → 10.0.0.7"


def test_plain_http_to_a_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "93.184.216.34")
    error = failure("http://hooks.example.com/")
    assert error.cause is Cause.BLOCKED_ADDRESS
    assert "https" in error.detail


def test_of_several_addresses_only_permitted_ones_are_tried(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.2/32"]
    with socket.create_server(("127.0.0.1", 0)) as forbidden:
        resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")
        error = failure(f"http://two.example.com:{forbidden.getsockname()[1]}/")
        assert error.cause is Cause.UNREACHABLE  # nobody listens at the permitted one
        forbidden.settimeout(0)
        with pytest.raises(BlockingIOError):
            forbidden.accept()


@pytest.mark.parametrize(
    "url", ["", "ftp://example.com/", "https://", "example.com", "https://[", "file:///etc/passwd"]
)
def test_what_is_no_web_address(url: str) -> None:
    assert failure(url).cause is Cause.UNREACHABLE


def test_hosts_bound_where_a_request_may_go() -> None:
    with pytest.raises(SendFailed) as caught:
        Sender().send(OutgoingRequest(url="https://evil.example.com/"), hosts=("api.segment.io",))
    assert caught.value.cause is Cause.BLOCKED_ADDRESS


def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = failure("https://nowhere.example.com/")
    assert error.cause is Cause.UNREACHABLE
    assert "nowhere.example.com" in error.detail


@pytest.fixture
def answering(settings: Any) -> Any:
    """A loopback service that answers each connection with the given bytes; gives a function that asks it."""
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    server = socket.create_server(("127.0.0.1", 0))

    def ask(raw: bytes, timeout: float = 2.0, pause: float = 0.0) -> Any:
        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):  # who asked may have gone
                connection.recv(65536)
                for part in [raw[at : at + 1] for at in range(len(raw))] if pause else [raw]:
                    connection.sendall(part)
                    time.sleep(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        request = OutgoingRequest(url=f"http://127.0.0.1:{server.getsockname()[1]}/", json={"a": 1})
        return Sender().send(request, timeout=timeout)

    yield ask
    server.close()


def test_answers(answering: Callable[..., Any]) -> None:
    answer = answering(b"HTTP/1.1 422 Nope\r\nContent-Length: 2\r\nX-Reason: a\r\n\r\nno")
    assert (answer.status, answer.text, answer.headers["x-reason"]) == (422, "no", "a")


def test_a_redirect_is_an_answer_and_not_followed(answering: Callable[..., Any]) -> None:
    answer = answering(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
    assert answer.status == 302


def test_an_endless_answer_is_cut(answering: Callable[..., Any]) -> None:
    answer = answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000)
    assert len(answer.body) == 65_536


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 2", b"no http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"]
)
def test_broken_answers(answering: Callable[..., Any], raw: bytes) -> None:
    with pytest.raises(SendFailed) as caught:
        answering(raw)
    assert caught.value.cause is Cause.UNREACHABLE


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\nX-Reason: " + b"x" * 40, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 40])
def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(answering: Callable[..., Any], raw: bytes) -> None:
    """Each byte comes well within the time-out: only a deadline for the whole answer ends it."""
    with pytest.raises(SendFailed) as caught:
        answering(raw + b"\r\n\r\n", timeout=0.4, pause=0.05)
    assert caught.value.cause is Cause.TIMEOUT
