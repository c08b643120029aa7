"""Secrets planted everywhere, and then looked for: in every row, page, document, log line, mail and report of an error.

Each is looked for as it is, and in the spellings that it travels in (Basic, URL, the key part of a signing secret).
"""

from __future__ import annotations

import base64
import json
import logging
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from config.devices import Authenticator, RecoveryCodes
from config.models import SetupLink, User
from deliveries.alarm import AlertTarget
from deliveries.engine.drain import Drain
from deliveries.models import Attempt
from integrations.models import Connector, Source
from integrations.types import OutgoingRequest, Response
from tests.door import basic, post, track
from tests.matrix import TABLE, World, rows

pytestmark = pytest.mark.django_db
PLANTED = {
    "a connector's key": "nv_planted_4711_connector",
    "a signing secret for what goes out": "whsec_" + base64.b64encode(b"planted-4711-outgoing-sig").decode(),
    "a signing secret for what comes in": "planted-4711-incoming-signature",
    "a write key": "wk_planted_4711_write_key",
    "an alert's signing secret": "whsec_" + base64.b64encode(b"planted-4711-alerting-sig").decode(),
    "a Slack address": "https://hooks.slack.com/services/planted4711slack",
    "the mail server's password": "planted-4711-mail-password",
    "a person's password": "planted-4711-password",
    "a header that says it is a key": "planted-4711-header-token",
    "a header that does not say so": "planted-4711-tenant-pass",
    "a recovery code": "planted-4711-recovery",
    "a replaced signing secret": "whsec_" + base64.b64encode(b"planted-4711-replaced-sig").decode(),
}
HEADERS = {
    "Authorization": "Bearer " + PLANTED["a header that says it is a key"],
    "X-Tenant": PLANTED["a header that does not say so"],
}


def spellings(secret: str) -> set[str]:
    found = {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")}
    found.add(base64.b64encode(f"{secret}:".encode()).decode().rstrip("="))
    return found | ({secret.removeprefix("whsec_")} if secret.startswith("whsec_") else set())


def leaks(where: str, text: str, secrets: dict[str, str]) -> list[str]:
    return [
        f"{name} is in {where}" for name, secret in secrets.items() if any(one in text for one in spellings(secret))
    ]


class Echoing:
    """A service that says no, and says back everything that it was sent."""

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response:
        said = json.dumps(
            {
                "you sent": dict(request.headers), "to": request.url, "again": list(request.headers.values()),
                "signed with": PLANTED["a replaced signing secret"] if "hooks" in request.url else "",
            }
        )  # fmt: skip
        return Response(status=401, headers=dict(request.headers), body=said.encode() + request.content())


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch, settings: Any) -> tuple[World, dict[str, str]]:
    settings.EMAIL_HOST_PASSWORD = PLANTED["the mail server's password"]
    monkeypatch.setattr("deliveries.queue.async_task", lambda *_: None)
    world = World()
    source = Source.objects.create(name="planted", signing_secret="")
    write_key = source.write_keys.model.issue(source, key=PLANTED["a write key"])
    novu = Connector.objects.create(
        name="planted novu", vendor="novu", secrets={"api_key": PLANTED["a connector's key"]}
    )
    hook = Connector.objects.create(
        name="planted hook", vendor="webhook",
        settings={"url": "https://hooks.example.com/", "method": "POST", "headers": HEADERS},
        secrets={"signing_secret": PLANTED["a signing secret for what goes out"]},
        old_secrets={"signing_secret": PLANTED["a replaced signing secret"]},
        old_secrets_until=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    for row in (novu, hook):
        row.sources.add(source)
    AlertTarget.objects.create(
        kind="webhook", name="w", address="https://a.example.com/", secret=PLANTED["an alert's signing secret"]
    )
    AlertTarget.objects.create(kind="slack", name="s", address=PLANTED["a Slack address"])
    secrets = dict(PLANTED)
    secrets["an API token"] = world.api["owner"].defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    secrets["a set-up link"] = SetupLink.issue()
    secrets["a rolled key"] = write_key.roll().key
    person = User.objects.get(email="owner@example.com")
    device = Authenticator.objects.create(user=person, name="App", confirmed=True)
    secrets["the secret of an app"], secrets["the same for apps"] = device.key, device.text
    RecoveryCodes.objects.create(user=person, name="Recovery codes", codes=[PLANTED["a recovery code"]])
    return world, secrets


def make_traffic() -> None:
    """Good and bad: a key in the header, in the body, in the path, and a service that echoes all it was sent."""
    key = PLANTED["a write key"]
    event = {**track(properties={"name": "w"}), "writeKey": key}
    assert post("/v1/track", event, key).status_code == 200
    assert post("/v1/batch", {"batch": [event], "writeKey": key}).status_code == 200
    assert post("/v1/track", b"{broken", key).status_code == 400
    assert Client().get(f"/v1/projects/{key}/settings").status_code == 200
    Source.objects.filter(name="planted").update(vendor="customerio")
    row = Source.objects.get(name="planted")
    row.signing_secret = PLANTED["a signing secret for what comes in"]
    row.save()
    assert post(f"/connector/customerio/{key}", {"event_type": "x"}).status_code == 401
    Drain(Echoing, 3.0).run()
    assert Attempt.objects.filter(response_status=401).count() >= 2


def test_no_secret_is_anywhere(planted: Any, caplog: pytest.LogCaptureFixture) -> None:
    world, secrets = planted
    caplog.set_level(logging.DEBUG)
    make_traffic()
    wrong_password = {"username": "owner@example.com", "password": PLANTED["a person's password"]}
    assert Client().post("/login/", wrong_password).status_code == 200
    connector = Connector.objects.get(name="planted novu")
    form = {"name": "planted novu", "secret_api_key": PLANTED["a connector's key"], "region": "x"}
    world.console["owner"].post(f"/connectors/{connector.pk}/", {**form, **world.data({"tables": True})})
    found = leaks("the database", repr(rows()), secrets)
    attempts = list(Attempt.objects.values_list("delivery_id", flat=True))
    for who in ("owner", "viewer"):
        for route, row in TABLE.items():
            if not row["get"].endswith("200") or route.startswith("^"):
                continue
            client = world.api[who] if route.startswith("api/") else world.console[who]
            path = f"/{row.get('path', route)}".format(**world.names)
            found += leaks(path, client.get(path).content.decode(), secrets)
        paths = [f"/deliveries/{pk}/" for pk in attempts]
        paths += [f"/connectors/{row.pk}/" for row in Connector.objects.filter(name__startswith="planted")]
        paths += [f"/sources/{Source.objects.get(name='planted').pk}/", "/alerts/", "/history/", "/settings/"]
        for path in paths:
            found += leaks(path, world.console[who].get(path).content.decode(), secrets)
        for pk in attempts:
            found += leaks(f"API {pk}", world.api[who].get(f"/api/v1/deliveries/{pk}/").content.decode(), secrets)
    exported = StringIO()
    call_command("export_config", stdout=exported)
    found += leaks("export_config", exported.getvalue(), secrets)
    found += leaks("the log", caplog.text, secrets)
    assert "••••" in repr(rows())  # something was there to be hidden
    assert found == []


def test_no_secret_is_in_the_report_of_an_error(planted: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world, secrets = planted
    settings.ADMINS = [("Ops", "ops@example.com")]
    settings.REDIS_URL = f"redis://:{PLANTED['a write key']}@redis.example.com/0"
    settings.CACHES["other"] = {"BACKEND": "x", "LOCATION": settings.REDIS_URL}
    connector = Connector.objects.get(name="planted novu")
    client = world.console["owner"]
    client.raise_request_exception = False

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("it broke")

    monkeypatch.setattr("integrations.forms.ConnectorForm.is_valid", broken)
    form = {"secret_api_key": PLANTED["a connector's key"], "note": "x"}
    monkeypatch.setattr(logging.getLogger("django"), "propagate", True)
    answer = client.post(f"/connectors/{connector.pk}/", form, headers={"authorization": secrets["an API token"]})
    assert answer.status_code == 500
    assert leaks("the page", answer.content.decode(), secrets) == []
    [report] = mail.outbox
    assert "it broke" in report.body
    assert leaks("the report", report.body + str(report.message()), secrets) == []


def test_a_basic_header_is_one_of_the_spellings() -> None:
    key = PLANTED["a write key"]
    assert any(one in basic(key)["Authorization"] for one in spellings(key))
