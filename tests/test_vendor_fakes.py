"""A fake of each vendor on a real socket gives its documented answers: each must end as the right status and cause.

The whole way of a delivery but for the database: mapping, request, call, answer, verdict, and what the row becomes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest

from deliveries.engine.claim import Claimed
from deliveries.engine.perform import Target, allowed_hosts, perform
from deliveries.engine.record import decide
from deliveries.engine.send import Sender
from integrations import registry
from tests.vendors import cases

# What a delivery becomes by each disposition, on its first try.
STATUS = {
    "delivered": "delivered",
    "retry": "retrying",
    "rejected": "failed",
    "reauth": "failed",
    "refused": "failed",
    "stop": "failed",
}
ANSWERS = [case for case in cases.load() if "answer" in case.document and not case.document.get("check")]


class Fake(ThreadingHTTPServer):
    """Answers every call with ``answer``, and keeps the paths it was called at."""

    answer: Mapping[str, Any]
    paths: list[str]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Fake

    def handle_call(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.paths.append(self.path)
        response = cases.response_of(self.server.answer)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if response.status != 204:
            self.wfile.write(response.body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET = handle_call

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def fake(settings: Any) -> Iterator[Fake]:
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    server = Fake(("127.0.0.1", 0), Handler)
    server.paths = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def target_of(case: cases.Case, address: str) -> Target:
    vendor = registry.vendors()[case.vendor]
    given = dict(case.document.get("connector", {}))
    secrets = {setting.name: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" for setting in vendor.settings if setting.secret}
    wanted = {setting.name: "x" for setting in vendor.settings if setting.required and not setting.secret}
    given["secrets"] = {**secrets, **given.get("secrets", {})}
    given["settings"] = {**wanted, **given.get("settings", {})}
    if case.vendor == "webhook":
        given["settings"]["url"] = f"{address}/hook"
    config = cases.config_of(vendor, {**given, "endpoint": address})
    return Target(config, vendor, allowed_hosts(config, vendor))


def claimed_of(case: cases.Case) -> list[Claimed]:
    event = {**registry.vendors()[case.vendor].test_event, **cases.ADDED}
    return [
        Claimed(
            number,
            1,
            0,
            cases.NOW,
            0,
            False,
            None,
            "segment",
            orjson.dumps({**event, "messageId": f"m-{number}"}).decode(),
        )
        for number in range(case.document.get("count", 1))
    ]


@pytest.mark.parametrize("case", ANSWERS, ids=str)
def test_each_documented_answer_ends_as_its_status_and_cause(case: cases.Case, fake: Fake) -> None:
    fake.answer = case.document["answer"]
    target = target_of(case, f"http://127.0.0.1:{fake.server_port}")
    results = perform(claimed_of(case), target, Sender(), lambda: datetime.now(UTC))
    expected = case.document.get("verdicts") or [case.document["verdict"]]
    assert fake.paths, "the fake was never called"
    outcomes = [decide(result, target.config) for result in results]
    assert [(outcome.status, outcome.cause) for outcome in outcomes] == [
        (STATUS[verdict["disposition"]], verdict.get("cause") or "") for verdict in expected
    ]


def test_every_sending_vendor_has_a_fake() -> None:
    assert {case.vendor for case in ANSWERS} == {vendor.slug for vendor in registry.sending()}
