"""Segment's official clients, unmodified: all six calls through a running server, out to Segment and to a webhook."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from segment.analytics.client import Client
from standardwebhooks import Webhook

from tests import npm
from tests.process.receiver import Receiver
from tests.process.server import Server
from tests.process.waiting import eventually

CLIENTS = Path(__file__).parent.parent / "clients"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KINDS = ["alias", "group", "identify", "page", "screen", "track"]
# What a server adds to an event or takes from it (Segment's "Spec: Common Fields").
SERVER_FIELDS = {"receivedAt", "sentAt", "originalTimestamp", "timestamp", "writeKey", "_metadata", "messageId"}
Sent = dict[str, dict[str, Any]]


def send_with_python(host: str, key: str, mark: str, *, gzip: bool) -> Sent:
    """Returns what the client was given to send, by message id."""
    errors: list[Any] = []
    client = Client(
        write_key=key, host=host, gzip=gzip, max_retries=2, timeout=30, on_error=lambda error, _: errors.append(error)
    )
    user = f"user-{mark}"
    sent = [
        client.identify(user, {"email": "jane@example.com", "größe": 1.5}),
        client.track(user, "Order Completed", {"total": 9.5, "items": [{"sku": "a"}], "note": "Café 😀"}),
        client.page(user, "Docs", "Home", {"path": "/"}),
        client.screen(anonymous_id=f"anon-{mark}", name="Start", properties={"variant": "b"}),
        client.group(user, f"group-{mark}", {"name": "Initech", "employees": 329}),
        client.alias(f"anon-{mark}", user),
    ]
    client.shutdown()
    assert errors == []
    assert all(success for success, _ in sent)
    return {message["messageId"]: message for _, message in sent}


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], Sent]:
    """Installs the client once per version into a cache, and gives a function that sends with it."""
    directory = npm.installed(CLIENTS)
    if directory is None:
        pytest.skip("needs Node.js and npm, to send with Segment's client for Node")

    def send(host: str, key: str, mark: str) -> Sent:
        shutil.copy(CLIENTS / "send.mjs", directory)
        done = subprocess.run(
            ["node", "send.mjs", host, key, mark],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        messages = [json.loads(line) for line in done.stdout.splitlines()]
        return {message["messageId"]: message for message in messages}

    return send


@pytest.fixture(scope="module")
def key(running: Server, receiver: Receiver) -> str:
    webhook = {"settings": {"url": f"{receiver.url}/hook"}, "secrets": {"signing_secret": SECRET}}
    segment = {"endpoint": f"{receiver.url}/segment", "secrets": {"write_key": "theirs"}}
    running.configure(
        [{"name": "shop", "vendor": "segment", "write_keys": [{"label": "main", "key": "wk_shop"}]}],
        [
            {"name": "hook", "vendor": "webhook", "sources": ["shop"], **webhook},
            {"name": "their segment", "vendor": "segment", "sources": ["shop"], **segment},
        ],
    )
    return "wk_shop"


def arrived(receiver: Receiver, path: str, mark: str) -> list[dict[str, Any]]:
    return [event for event in receiver.events(path) if mark in f"{event.get('userId')} {event.get('anonymousId')}"]


def without(event: dict[str, Any], fields: set[str]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in fields}


def all_six(receiver: Receiver, mark: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The events of the mark, as the webhook and as Segment got them: each of the six once."""
    for path in ("/hook", "/segment/v1/batch"):
        eventually(lambda path=path: len(arrived(receiver, path, mark)) >= 6, f"six events at {path}")  # type: ignore[misc]  # a lambda
    hook, segment = arrived(receiver, "/hook", mark), arrived(receiver, "/segment/v1/batch", mark)
    assert sorted(event["type"] for event in hook) == KINDS
    assert sorted(event["type"] for event in segment) == KINDS
    assert len({event["messageId"] for event in segment}) == 6
    return hook, segment


@pytest.mark.parametrize("gzip", [True, False], ids=["gzip", "plain"])
def test_python(running: Server, receiver: Receiver, key: str, gzip: bool) -> None:
    mark = f"python-{gzip}"
    sent = send_with_python(running.url, key, mark, gzip=gzip)
    assert_all_arrived(receiver, mark, sent)


def assert_all_arrived(receiver: Receiver, mark: str, sent: Sent) -> None:
    """Each once at both, and equal to what the client sent but for what servers add."""
    hook, segment = all_six(receiver, mark)
    assert {event["messageId"] for event in hook} == set(sent)
    by_kind = {message["type"]: message for message in sent.values()}
    for event in (*hook, *segment):
        own = by_kind[event["type"]]
        assert without(event, SERVER_FIELDS) == without(own, SERVER_FIELDS)
        assert abs(seconds(event["timestamp"]) - seconds(own["timestamp"])) < 60


def test_node(running: Server, receiver: Receiver, key: str, node_client: Callable[[str, str, str], Sent]) -> None:
    assert_all_arrived(receiver, "node", node_client(running.url, key, "node"))


def test_every_call_is_authorized_and_signed(running: Server, receiver: Receiver, key: str) -> None:
    send_with_python(running.url, key, "signed", gzip=False)
    all_six(receiver, "signed")
    for request in receiver.requests("/hook"):
        Webhook(SECRET).verify(request.body, request.headers)
    assert {request.headers["authorization"] for request in receiver.requests("/segment/v1/batch")} == {
        "Basic dGhlaXJzOg=="
    }
    statuses = eventually(lambda: (found := running.statuses("hook")).keys() == {"delivered"} and found, "all recorded")
    assert statuses == {"delivered": len(receiver.requests("/hook"))}


def seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
