"""A webhook's signing secret is replaced without a gap: both sign for a day, and the old one goes for good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook

from deliveries import upkeep
from integrations import configuration, registry, selectors
from integrations.models import Connector
from integrations.types import OutgoingRequest
from tests.console import EMPTY_TABLES, person
from tests.rows import connector

pytestmark = pytest.mark.django_db
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgh41hwUM="
BODY = b'{"a":1}'


@pytest.fixture
def to() -> Connector:
    return connector(secrets={"signing_secret": OLD})


def roll(to: Connector, secret: str = NEW) -> None:
    data = {"name": to.name, "setting_url": "https://example.com/hook", "setting_method": "POST", **EMPTY_TABLES}
    data |= {"setting_batch_size": "1", "other_events": "send", "retry_choice": "standard"}
    data |= {"secret_signing_secret": secret}
    answer = person("editor").post(f"/connectors/{to.pk}/", data)
    assert answer.status_code == 302, answer.content.decode()
    to.refresh_from_db()


def signatures(to: Connector, now: datetime) -> list[str]:
    selectors.forget()
    vendor = registry.get("webhook")
    assert vendor is not None
    assert vendor.sign is not None
    request = OutgoingRequest(url="https://example.com/hook", body=BODY)
    headers = vendor.sign(request, selectors.snapshot().connectors[to.pk], "m1", now)
    return headers["webhook-signature"].split(" ")


def by(secret: str, now: datetime) -> str:
    return str(Webhook(secret).sign("m1", now, BODY.decode()))


def test_for_a_day_both_sign_and_either_verifies(to: Connector) -> None:
    now = timezone.now()
    assert signatures(to, now) == [by(OLD, now)]
    roll(to)
    assert to.old_secrets_until is not None
    assert timedelta(hours=23, minutes=59) < to.old_secrets_until - now < timedelta(hours=24, minutes=5)
    assert signatures(to, now) == [by(NEW, now), by(OLD, now)]
    head = {"webhook-id": "m1", "webhook-timestamp": str(int(now.timestamp()))}
    head["webhook-signature"] = " ".join(signatures(to, now))
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(BODY.decode(), head) == {"a": 1}
    ended = to.old_secrets_until
    assert signatures(to, ended) == [by(NEW, ended)]


def test_the_hourly_housekeeping_throws_the_old_one_away(to: Connector) -> None:
    roll(to)
    until = to.old_secrets_until
    assert until is not None
    upkeep.hourly(until - timedelta(seconds=1))
    to.refresh_from_db()
    assert to.old_secrets == {"signing_secret": OLD}
    upkeep.hourly(until)
    to.refresh_from_db()
    assert (to.old_secrets, to.old_secrets_until, to.secrets) == ({}, None, {"signing_secret": NEW})
    with connection.cursor() as cursor:
        cursor.execute("SELECT old_secrets FROM integrations_connector")
        assert cursor.fetchall() == [("",)]


def test_the_page_says_until_when_and_ends_it_on_a_press(to: Connector) -> None:
    client = person("editor")
    words = "signed with the new and the old secret until"
    assert words not in client.get(f"/connectors/{to.pk}/").content.decode()
    roll(to)
    page = client.get(f"/connectors/{to.pk}/").content.decode()
    assert words in page
    assert OLD not in page
    assert client.post(f"/connectors/{to.pk}/old-key/end/").status_code == 302
    now = timezone.now()
    assert signatures(to, now) == [by(NEW, now)]
    assert words not in client.get(f"/connectors/{to.pk}/").content.decode()


def test_a_first_or_an_unchanged_secret_leaves_no_old_one(to: Connector) -> None:
    roll(to, OLD)
    assert to.old_secrets == {}
    Connector.objects.filter(pk=to.pk).update(secrets={})
    to.refresh_from_db()
    roll(to, NEW)
    assert (to.secrets, to.old_secrets) == ({"signing_secret": NEW}, {})


def test_an_imported_document_rolls_it_too_and_an_export_leaves_the_old_one_out(to: Connector) -> None:
    document: Any = configuration.export_document(with_secrets=True)
    (row,) = document["connectors"]
    row["secrets"] = {"signing_secret": NEW}
    configuration.import_document(document)
    to.refresh_from_db()
    assert (to.secrets, to.old_secrets) == ({"signing_secret": NEW}, {"signing_secret": OLD})
    assert OLD not in str(configuration.export_document(with_secrets=True))


def test_new_encryption_keys_reach_the_old_secret(to: Connector, settings: Any) -> None:
    from cryptography.fernet import Fernet

    roll(to)
    first = settings.SECRETS_KEYS[0]
    second = Fernet.generate_key().decode()
    settings.SECRETS_KEYS = [second, first]
    call_command("rotate_secrets")
    settings.SECRETS_KEYS = [second]
    assert Connector.objects.get(pk=to.pk).old_secrets == {"signing_secret": OLD}
