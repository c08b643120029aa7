"""What only a real server shows: chunked bodies, bodies that are too large or lie about it, addresses that are none."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from tests import hostile
from tests.door import ERROR_FIELDS, basic
from tests.process.server import Server
from tests.process.waiting import eventually

OK = (200, b'{"success": true}')


@pytest.fixture(scope="module")
def key(running: Server) -> str:
    return running.add("bodies", settings={"url": "http://127.0.0.1:9/"}, status="off")


def stored(server: Server, message_id: str) -> list[Any]:
    rows = server.store.query("SELECT message_id, body FROM deliveries_event")
    return [json.loads(body) for found, body in rows if found == message_id]


def speak(server: Server, raw: bytes | Iterable[bytes], hang_up: bool = True) -> bytes:
    """Exactly these bytes on a connection of their own, then hang up; the answer, or b"" if there is none."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
        for part in [raw] if isinstance(raw, bytes) else raw:
            sock.sendall(part)
        if hang_up:
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        while part := sock.recv(65536):
            answer += part
        return answer


def head(key: str, *lines: str, path: str = "/v1/track") -> bytes:
    credentials = f"Authorization: {basic(key)['Authorization']}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", credentials, *lines, "", ""]).encode()


def document(**fields: Any) -> bytes:
    return json.dumps({"type": "track", "event": "e", "userId": "u1", **fields}).encode()


def assert_four_fields(answer: tuple[int, dict[str, str], bytes], status: int) -> None:
    assert answer[0] == status, answer
    assert set(json.loads(answer[2])) == ERROR_FIELDS


def assert_no_http(answer: bytes) -> None:
    """400 with the four fields, although no view has seen the request, and readable from any site."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), answer
    assert b"access-control-allow-origin: *" in head.lower()
    assert set(json.loads(body)) == ERROR_FIELDS


def test_a_chunked_body_without_a_length(running: Server, key: str) -> None:
    """Older Kotlin clients; under WSGI it would be read as an empty body."""
    body = document(messageId="chunked")
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    chunks = iter([body[:10], body[10:11], body[11:]])
    connection.request("POST", "/v1/track", chunks, basic(key), encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == OK
    connection.close()
    assert len(stored(running, "chunked")) == 1


def test_one_connection_for_many_requests(running: Server, key: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    for number in range(20):
        connection.request("POST", "/v1/track", document(messageId=f"alive-{number}"), basic(key))
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == OK
        connection.request("POST", "/v1/track", b"{", basic(key))
        answer = connection.getresponse()
        assert answer.status == 400
        answer.read()
    connection.close()


@pytest.mark.parametrize("size", [600_000, 10_000_000, 20_000_000])
def test_a_large_body_is_refused_and_the_server_lives(running: Server, key: str, size: int) -> None:
    body = document(messageId="large", properties={"text": "x" * size})
    try:
        assert_four_fields(running.post("/v1/track", body, key), 400)
    except (BrokenPipeError, ConnectionResetError):
        assert size > 16_000_000  # beyond what it reads it may hang up
    assert stored(running, "large") == []
    assert running.request("GET", "/healthz")[0] == 200


def test_a_length_longer_than_the_body(running: Server, key: str) -> None:
    """The client hangs up before it sent what it announced: no event, no answer it could take for a yes."""
    body = document(messageId="cut off")
    answer = speak(running, head(key, f"Content-Length: {len(body) + 10}") + body)
    assert b" 200 " not in answer
    assert stored(running, "cut off") == []
    assert running.request("GET", "/healthz")[0] == 200


def test_a_length_shorter_than_the_body(running: Server, key: str) -> None:
    body = document(messageId="too long")
    assert_no_http(speak(running, head(key, f"Content-Length: {len(body) - 10}") + body))
    assert stored(running, "too long") == []


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: -1"],
        ["Content-Length: ten"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 99999999999999999999999999"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Transfer-Encoding: nonsense"],
    ],
)
def test_lengths_that_are_none(running: Server, key: str, lines: list[str]) -> None:
    assert_no_http(speak(running, head(key, *lines) + document(messageId="lied")))
    assert stored(running, "lied") == []
    assert running.request("GET", "/healthz")[0] == 200


def test_broken_chunks(running: Server, key: str) -> None:
    chunked = head(key, "Transfer-Encoding: chunked")
    for chunks in (b"zz\r\n{}\r\n0\r\n\r\n", b"5\r\n{}", b"ffffffffffffffffff\r\n", b"-5\r\n{}\r\n0\r\n\r\n"):
        answer = speak(running, chunked + chunks)
        assert b" 200 " not in answer
        assert b" 500 " not in answer
    assert running.request("GET", "/healthz")[0] == 200


def test_expect_continue(running: Server, key: str) -> None:
    body = document(messageId="expected")
    lines = ["Expect: 100-continue", f"Content-Length: {len(body)}", "Connection: close"]
    answer = speak(running, [head(key, *lines), body], hang_up=False)
    assert b"HTTP/1.1 200 " in answer
    assert len(stored(running, "expected")) == 1


def test_addresses_that_are_none(running: Server, key: str) -> None:
    for path in ("/v1/unknown", "/v1/track/more", "/v1/", "/connector/nobody", "/v1/track//", "/v1/%2e%2e/track"):
        for method in ("GET", "POST"):
            assert_four_fields(running.request(method, path, b"{}", basic(key)), 404)


def test_wrong_methods_and_preflight(running: Server, key: str) -> None:
    answer = running.request("GET", "/v1/track")
    assert_four_fields(answer, 405)
    assert "POST" in answer[1]["allow"]
    status, headers, _ = running.request("OPTIONS", "/v1/t", None, {"Origin": "https://shop.example.com"})
    assert status in (200, 204)
    assert headers["access-control-allow-origin"] == "*"
    status, headers, body = running.request("GET", f"/v1/projects/{key}/settings/")
    assert json.loads(body)["integrations"]["Segment.io"]["apiHost"] == f"127.0.0.1:{running.port}/v1"
    assert running.request("HEAD", f"/v1/projects/{key}/settings")[0] == 200


def test_hostile_bodies(running: Server, key: str) -> None:
    for name, (raw, headers) in hostile.REFUSED.items():
        answer = running.post("/v1/track", raw, key, **headers)
        assert answer[0] == 400, (name, answer)
        assert set(json.loads(answer[2])) == ERROR_FIELDS
    for name, (raw, properties) in hostile.TAKEN.items():
        answer = running.post("/v1/track", raw[:-1] + f',"messageId":"taken {name}"}}'.encode(), key)
        assert (answer[0], answer[2]) == OK, name
        assert stored(running, f"taken {name}")[0]["properties"].items() >= properties.items()
    for value in hostile.IDS:
        event = {"type": "track", "event": value, "userId": value, "anonymousId": "a", "messageId": value}
        for body in (event, {"batch": [event, {**event, "event": "e"}]}):
            path = "/v1/batch" if "batch" in body else "/v1/track"
            assert running.post(path, body, key)[0] in (200, 400), value


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=hostile.batches, event=hostile.events)
def test_anything(running: Server, key: str, batch: Any, event: Any) -> None:
    """The path through the server's own front, which commits many requests together."""
    assert running.post("/v1/batch", hostile.dumped(batch), key)[0] in (200, 400, 401)
    assert running.post("/v1/track", hostile.dumped(event), key)[0] in (200, 400, 401)


def test_a_key_works_and_stops_working_without_a_restart(running: Server) -> None:
    key = running.add("newcomer", settings={"url": "http://127.0.0.1:9/"}, status="off")
    eventually(lambda: running.post("/v1/track", document(), key)[0] == 200, "the new key works", 10)
    off = [{"name": "newcomer", "vendor": "segment", "status": "off", "write_keys": [{"label": "main", "key": key}]}]
    running.configure(off, [])
    answer = eventually(
        lambda: (found := running.post("/v1/track", document(), key))[0] == 403 and found, "the source is off", 10
    )
    assert_four_fields(answer, 403)
