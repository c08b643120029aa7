"""The connection to a receiver, byte for byte: what goes out, what is understood of the answer, when it is kept.

Receivers here are real sockets on loopback that say exactly what they are told to.
"""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from django.test import override_settings

from deliveries.engine import send
from deliveries.engine.send import Sender, SendFailed
from integrations.types import Cause, OutgoingRequest, Response

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Said = Callable[[socket.socket], None]


class Last(bytes):
    """The connection is closed after this."""


class Receiver:
    """Answers the n-th request with the n-th of ``answers``: bytes, or what is to be done with the socket. ``heads``
    and ``bodies`` are what was received, ``connections`` how often."""

    def __init__(self, *answers: bytes | Said) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            while self.answers and self._took(sock):
                answer = self.answers.pop(0)
                with suppress(OSError):  # the sender may have given up
                    answer(sock) if callable(answer) else sock.sendall(answer)
                if isinstance(answer, Last):
                    return

    def _took(self, sock: socket.socket) -> bool:
        try:
            return self._take(sock)
        except ConnectionResetError:  # given up in the middle of the answer
            return False

    def _take(self, sock: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            part = sock.recv(65536)
            if not part:
                return False
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        while len(body) < length:
            body += sock.recv(65536)
        self.heads.append(head.decode("latin-1"))
        self.bodies.append(body)
        return True


@pytest.fixture(autouse=True)
def _loopback() -> Iterator[None]:
    with override_settings(ALLOWED_PRIVATE_NETWORKS=["127.0.0.0/8"]):
        yield


def post(receiver: Receiver, sender: Sender | None = None, **fields: object) -> Response:
    values = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": b'{"a": 1}'}
    request = OutgoingRequest(**{**values, "url": f"http://127.0.0.1:{receiver.port}/hook?x=1", **fields})  # type: ignore[arg-type]  # any
    return (sender or Sender()).send(request, timeout=2)


def test_the_request_as_it_goes_out() -> None:
    receiver = Receiver(OK)
    post(receiver, headers={"Content-Type": "application/json", "user-agent": "Mine"}, body='{"a": "ü"}'.encode())
    assert receiver.heads == [
        f"POST /hook?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{receiver.port}\r\nuser-agent: Mine\r\nAccept: */*\r\n"
        "Accept-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: 11"
    ]
    assert receiver.bodies == ['{"a": "ü"}'.encode()]


def test_a_get_has_no_body_and_no_length() -> None:
    receiver = Receiver(OK)
    post(receiver, method="GET", headers={}, body=None)
    assert "content-length" not in receiver.heads[0].lower()
    assert receiver.bodies == [b""]


def test_a_body_beyond_one_write_arrives_whole() -> None:
    receiver = Receiver(OK)
    post(receiver, body=b"x" * 500_000)
    assert receiver.bodies == [b"x" * 500_000]


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


PACKED = gzip.compress(b'{"success": true}')
ANSWERS = {
    "length": (b"HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello", 201, b"hello", True),
    "nothing": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "a body that must not be": (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}", 204, b"", False),
    "more than it says": (b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok" + OK, 200, b"ok", False),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hel", b"lo"), 200, b"hello", True),
    "gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(PACKED), PACKED),
        200, b'{"success": true}', True,
    ),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, 200, b"ok", True),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok", True),
    "no reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
    "error": (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n", 503, b"", True),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_understood_and_its_connection_kept_if_it_may_be(name: str) -> None:
    raw, status, body, kept = ANSWERS[name]
    receiver, sender = Receiver(raw, OK), Sender()
    first, second = post(receiver, sender), post(receiver, sender)
    assert (first.status, first.body) == (status, body)
    assert (second.status, second.body) == (200, b"ok")
    assert receiver.connections == (1 if kept else 2)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_comes_byte_by_byte_is_the_same(name: str) -> None:
    raw, status, body, _ = ANSWERS[name]

    def slowly(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(len(raw)):
            sock.sendall(raw[number : number + 1])

    answer = post(Receiver(slowly))
    assert (answer.status, answer.body) == (status, body)


def test_header_names_are_in_lower_case_and_the_last_of_two_counts() -> None:
    answer = post(Receiver(b"HTTP/1.1 200 OK\r\nRetry-AFTER: 3\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"))
    assert answer.headers == {"retry-after": "3", "x-a": "2", "content-length": "0"}


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    assert post(Receiver(Last(b"HTTP/1.1 200 OK\r\n\r\nall of it"))).body == b"all of it"


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    receiver, sender = Receiver(Last(OK), OK), Sender()
    assert post(receiver, sender).status == 200
    next(iter(sender.adapter.lines.values()))._poll.poll(5000)  # until the end of the connection has arrived
    assert post(receiver, sender).status == 200
    assert receiver.connections == 2


def test_a_body_beyond_the_cap_is_cut_and_the_connection_given_up() -> None:
    body = b"x" * 200_000
    receiver, sender = Receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + body, OK), Sender()
    assert post(receiver, sender).body == body[: send.BODY_CAP]
    assert post(receiver, sender).status == 200
    assert receiver.connections == 2


def test_a_packed_body_is_never_unpacked_beyond_the_cap() -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert post(Receiver(head + bomb)).body == b"x" * send.BODY_CAP


def hang(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    sock.recv(1)  # until the sender closes


def drip(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        sock.sendall(b"X-A: b\r\n")
        time.sleep(0.05)


def endless(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        sock.sendall(b"X-A: b\r\n" * 1000)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FAILURES: dict[str, tuple[bytes | Said, Cause]] = {
    "closed at once": (Last(b""), Cause.UNREACHABLE),
    "closed in the head": (Last(b"HTTP/1.1 200"), Cause.UNREACHABLE),
    "closed in the body": (Last(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), Cause.UNREACHABLE),
    "closed between chunks": (Last(CHUNKED + b"3\r\nabc\r\n"), Cause.UNREACHABLE),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", Cause.UNREACHABLE),
    "not gzip": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", Cause.UNREACHABLE),
    "another protocol": (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", Cause.UNREACHABLE
    ),
    "headers without end": (endless, Cause.UNREACHABLE),
    "silent in the head": (hang, Cause.TIMEOUT),
    "byte by byte for ever": (drip, Cause.TIMEOUT),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_no_answer_has_its_cause_and_the_next_call_a_new_connection(name: str) -> None:
    answer, cause = FAILURES[name]
    receiver, sender = Receiver(answer, OK), Sender()
    request = OutgoingRequest(method="POST", url=f"http://127.0.0.1:{receiver.port}/", headers={}, body=b"{}")
    with pytest.raises(SendFailed) as failed:
        sender.send(request, timeout=0.3)
    assert failed.value.cause is cause
    assert post(receiver, sender).status == 200
    assert receiver.connections == 2


@pytest.mark.parametrize(
    "headers",
    [{"X-A": "b\r\nX-B: 1"}, {"X-A": "b\nX-B: 1"}, {"X-A: b\r\nX": "c"}, {"X A": "b"}, {"": "b"}, {"X-A": "漢"}],
)
def test_a_header_that_is_none_is_refused_and_nothing_is_sent(headers: dict[str, str]) -> None:
    receiver = Receiver(OK)
    with pytest.raises(SendFailed) as failed:
        post(receiver, headers=headers)
    assert failed.value.cause is Cause.INTERNAL
    assert receiver.heads == []


def test_what_is_allowed_in_headers_goes_out_as_it_is() -> None:
    receiver = Receiver(OK)
    post(receiver, headers={"X-A": "ü"})
    assert "X-A: ü" in receiver.heads[0]
