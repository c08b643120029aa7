"""More comes in than can be stored: those who can't be served soon hear so at once, and nobody's yes is broken."""

from __future__ import annotations

import json
import socket
from collections import Counter

from tests.door import basic
from tests.process.server import Server
from tests.process.waiting import eventually

MOST_WAITING = 512  # in each web process: deliveries/api/front.py
PROCESSES = 2  # at most
CLIENTS = MOST_WAITING * PROCESSES + 300


def ask(server: Server, key: str, message_id: str) -> socket.socket:
    body = json.dumps({"event": "e", "userId": "u", "messageId": message_id})
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    lines = ["POST /v1/track HTTP/1.1", "Host: x", f"Authorization: {basic(key)['Authorization']}"]
    sock.sendall("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode())
    return sock


def answered(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        sock.settimeout(60)


def test_who_cannot_be_served_soon_hears_so_at_once(running: Server) -> None:
    key = running.add("crowd", status="off", settings={"url": "http://127.0.0.1:9/"})
    with running.store.locked():
        clients = {f"crowd-{number}": ask(running, key, f"crowd-{number}") for number in range(CLIENTS)}
        at_once = eventually(
            lambda: len(found := [name for name, sock in clients.items() if answered(sock)]) >= 300 and found,
            "all but those that may wait are answered while nothing can be stored",
        )
    answers = {name: sock.recv(65536).decode() for name, sock in clients.items()}
    for sock in clients.values():
        sock.close()
    statuses = Counter(answer.split()[1] for answer in answers.values())
    assert set(statuses) == {"200", "503"}
    assert all(answers[name].startswith("HTTP/1.1 503 ") for name in at_once)
    assert all("\r\nretry-after: 5\r\n" in text.lower() for text in answers.values() if " 503 " in text[:14])
    stored = {message_id for (message_id,) in running.store.query("SELECT message_id FROM deliveries_event")}
    assert {name for name, text in answers.items() if " 200 " in text[:14]} == stored
    assert running.request("GET", "/healthz")[0] == 200


def test_a_sender_hears_to_come_again_before_it_gives_up(running: Server) -> None:
    """However long somebody else holds the database: the official clients wait 10 to 15 seconds for an answer."""
    key = running.add("patience", status="off", settings={"url": "http://127.0.0.1:9/"})
    with running.store.locked():
        sock = ask(running, key, "patience-1")
        sock.settimeout(15)
        answer = sock.recv(65536).decode()
    sock.close()
    assert answer.startswith("HTTP/1.1 503 ")
    assert "\r\nretry-after: 5\r\n" in answer.lower()
    assert running.store.query("SELECT count(*) FROM deliveries_event WHERE message_id = 'patience-1'") == [(0,)]
    running.send(key, "patience-1")
    assert running.store.query("SELECT count(*) FROM deliveries_event WHERE message_id = 'patience-1'") == [(1,)]
