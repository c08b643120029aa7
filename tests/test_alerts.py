"""Who is told of which problem, and how a receiver of alerts knows that they are ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook

from config.models import User
from deliveries import alerts, problems, upkeep
from deliveries.alarm import AlertRule, AlertTarget, Problem
from integrations.history import Change
from tests import listening, rows
from tests.console import person

pytestmark = pytest.mark.django_db
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgh41hwUM="
ADD = "/alerts/targets/add/"
LIMITS = {f"limit_{kind.value}": str(limit) for kind, (limit, _, _) in problems.DEFAULTS.items()}
ON = {f"on_{kind.value}": "on" for kind, (_, on, _) in problems.DEFAULTS.items() if on}


def add(**data: str) -> AlertTarget:
    answer = person("editor").post(ADD, data)
    assert answer.status_code == 302
    return AlertTarget.objects.latest("id")


def ann() -> User:
    return User.objects.create_user("ann@example.com", name="Ann Lee", role="viewer")


def told(kind: str = "key_refused", connector: Any = None) -> list[str]:
    """To which addresses a problem of this kind is mailed."""
    mail.outbox.clear()
    problem = Problem(pk=1, kind=kind, connector=connector, opened_at=timezone.now())
    alerts.tell(problem, "opened")
    return sorted(address for message in mail.outbox for address in message.to)


# --- To whom ----------------------------------------------------------------------------------------------------------


def test_a_person_is_told_at_todays_address_and_only_while_they_may_sign_in() -> None:
    user = ann()
    target = add(kind="person", person=str(user.pk))
    assert (str(target), told()) == ("Person: Ann Lee", ["ann@example.com"])
    user.email = "ann@new.example.com"
    user.save()
    assert told() == ["ann@new.example.com"]
    user.is_active = False
    user.save()
    assert told() == []
    page = person("viewer").get("/alerts/").content.decode()
    assert "this person may not sign in any more" in page


def test_a_person_is_added_once_and_only_who_is_there() -> None:
    user = ann()
    add(kind="person", person=str(user.pk))
    for wrong in (str(user.pk), "999999", "²", ""):
        assert "Nothing was saved." in person("editor").post(ADD, {"kind": "person", "person": wrong}).content.decode()
    assert AlertTarget.objects.count() == 1
    offered = person("editor").get("/alerts/").context["people"]
    assert [name for _, name in offered] == ["Editor Jones"]


def test_nobody_named_means_everybody_and_a_rule_may_name_some() -> None:
    ops, boss = (add(kind="email", address=f"{name}@example.com") for name in ("ops", "boss"))
    lee = add(kind="person", person=str(ann().pk))
    everybody = ["ann@example.com", "boss@example.com", "ops@example.com"]
    assert told() == everybody
    data = {**LIMITS, **ON, "to_key_refused": [str(boss.pk), str(lee.pk)], "to_silent": [str(ops.pk), "²", "99999"]}
    assert person("editor").post("/alerts/rules/", data).status_code == 302
    assert [told(kind) for kind in ("key_refused", "silent", "failing")] == [
        ["ann@example.com", "boss@example.com"],
        ["ops@example.com"],
        everybody,
    ]
    assert AlertRule.objects.count() == 2  # the rules that nobody touched still have their usual limits
    assert Change.objects.latest("id").details == [
        ["A service refuses our key: to whom", "everybody", "boss@example.com, Ann Lee"],
        ["The workers give no sign of life: to whom", "everybody", "ops@example.com"],
    ]
    page = person("viewer").get("/alerts/").content.decode()
    assert '<td data-label="To whom">boss@example.com, Ann Lee</td>' in page
    person("editor").post("/alerts/rules/", {**LIMITS, **ON})
    assert told() == everybody


def test_everybody_is_nobody_while_nobody_is_there() -> None:
    def summaries() -> int:
        return person("editor").get("/alerts/").content.decode().count("<summary>nobody yet<")

    assert summaries() == len(problems.DEFAULTS)
    target = add(kind="email", address="ops@example.com")
    assert summaries() == 0
    person("editor").post(f"/alerts/targets/{target.pk}/switch/")
    assert summaries() == len(problems.DEFAULTS)


def test_when_all_that_a_rule_names_are_off_everybody_else_is_told() -> None:
    ops, _ = (add(kind="email", address=f"{name}@example.com") for name in ("ops", "boss"))
    person("editor").post("/alerts/rules/", {**LIMITS, **ON, "to_silent": str(ops.pk)})
    person("editor").post(f"/alerts/targets/{ops.pk}/switch/")
    assert told("silent") == ["boss@example.com"]
    person("editor").post(f"/alerts/targets/{ops.pk}/remove/")
    assert told("silent") == ["boss@example.com"]


def test_one_wrong_number_saves_none_of_them() -> None:
    answer = person("editor").post("/alerts/rules/", {**LIMITS, "limit_failing": "9", "limit_silent": "0"}, follow=True)
    assert "Nothing was saved." in answer.content.decode()
    assert (AlertRule.objects.count(), Change.objects.count()) == (0, 0)


def test_a_connectors_own_rule_names_its_own_else_whom_the_usual_one_names() -> None:
    ops, boss = (add(kind="email", address=f"{name}@example.com") for name in ("ops", "boss"))
    one, other = rows.connector(), rows.connector("other")
    form = {"kind": "failing", "connector": str(one.pk), "limit": "9", "on": "on"}
    person("editor").post("/alerts/rules/", {**LIMITS, **ON, "to_failing": str(ops.pk)})
    person("editor").post("/alerts/rules/own/", form)
    assert told("failing", one) == ["ops@example.com"]
    person("editor").post("/alerts/rules/own/", {**form, "to": str(boss.pk)})
    assert (told("failing", one), told("failing", other)) == (["boss@example.com"], ["ops@example.com"])
    assert Change.objects.latest("id").details == [
        ["Many deliveries fail", "9, on", "9, on"],
        ["Many deliveries fail: to whom", "as for all", "boss@example.com"],
    ]


def test_a_rules_test_alert_goes_to_whom_it_names() -> None:
    ops, _ = (add(kind="email", address=f"{name}@example.com") for name in ("ops", "boss"))
    person("editor").post("/alerts/rules/", {**LIMITS, **ON, "to_silent": str(ops.pk)})
    answer = person("operator").post("/alerts/rules/silent/test/", follow=True)
    assert "The test alert is sent to ops@example.com." in answer.content.decode()
    assert [message.to for message in mail.outbox] == [["ops@example.com"]]
    assert person("operator").post("/alerts/rules/weather/test/").status_code == 404
    AlertTarget.objects.all().delete()
    assert "Nobody is told yet" in person("operator").post("/alerts/rules/silent/test/", follow=True).content.decode()


# --- The signature ----------------------------------------------------------------------------------------------------


@pytest.fixture
def receiver(settings: Any) -> Iterator[listening.Server]:
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    server = listening.Server("127.0.0.1")
    yield server
    server.close()


@pytest.fixture
def hook(receiver: listening.Server) -> AlertTarget:
    return add(kind="webhook", address=f"http://127.0.0.1:{receiver.port}/hook", name="ops", secret=OLD)


def last_call(receiver: listening.Server, hook: AlertTarget) -> tuple[dict[str, str], str]:
    person("operator").post(f"/alerts/targets/{hook.pk}/test/")
    head, _, body = receiver.heard[-1].decode().partition("\r\n\r\n")
    headers = dict(line.lower().split(": ", 1) if ": " in line else (line, "") for line in head.split("\r\n")[1:])
    signature = next(line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("webhook-signature"))
    return {**headers, "webhook-signature": signature}, body


def signers(receiver: listening.Server, hook: AlertTarget, *secrets: str) -> list[bool]:
    """Whether the next alert's signature is right for each of the secrets, and how many signatures there are."""
    headers, body = last_call(receiver, hook)
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), tz=timezone.get_default_timezone())
    made = [Webhook(secret).sign(headers["webhook-id"], at, body) for secret in secrets]
    assert json.loads(body)["type"] == "test"
    assert set(headers["webhook-signature"].split(" ")) <= set(made)
    return [one in headers["webhook-signature"].split(" ") for one in made]


def roll(hook: AlertTarget, secret: str = NEW) -> str:
    answer = person("editor").post(f"/alerts/targets/{hook.pk}/secret/", {"secret": secret}, follow=True)
    hook.refresh_from_db()
    return answer.content.decode()


def test_a_replaced_secret_signs_for_a_day_beside_the_new_one(receiver: Any, hook: AlertTarget) -> None:
    assert signers(receiver, hook, OLD, NEW) == [True, False]
    now = timezone.now()
    page = roll(hook)
    assert "Signed with the new and the old secret until" in page
    assert OLD not in page + str(Change.objects.values())
    assert NEW not in page + str(Change.objects.values())
    assert hook.old_secret_until is not None
    assert timedelta(0) <= hook.old_secret_until - now - timedelta(hours=24) < timedelta(minutes=5)
    assert signers(receiver, hook, NEW, OLD) == [True, True]
    AlertTarget.objects.update(old_secret_until=timezone.now())
    assert signers(receiver, hook, NEW, OLD) == [True, False]


def test_the_old_one_ends_on_a_press_and_the_housekeeping_throws_it_away(receiver: Any, hook: AlertTarget) -> None:
    roll(hook)
    until = hook.old_secret_until
    assert until is not None
    upkeep.hourly(until - timedelta(seconds=1))
    hook.refresh_from_db()
    assert hook.old_secret == OLD
    upkeep.hourly(until)
    with connection.cursor() as cursor:
        cursor.execute("SELECT old_secret, old_secret_until FROM deliveries_alerttarget")
        assert cursor.fetchall() == [("", None)]
    roll(hook, OLD)
    assert signers(receiver, hook, NEW, OLD) == [True, True]
    assert person("editor").post(f"/alerts/targets/{hook.pk}/old-secret/end/").status_code == 302
    assert signers(receiver, hook, NEW, OLD) == [False, True]


def test_an_empty_field_makes_a_secret_that_is_shown_once(receiver: Any, hook: AlertTarget) -> None:
    client = person("editor")
    page = client.post(f"/alerts/targets/{hook.pk}/secret/", {"secret": ""}, follow=True).content.decode()
    hook.refresh_from_db()
    assert hook.secret.startswith("whsec_")
    assert hook.secret not in (OLD, NEW)
    assert hook.secret in page
    assert hook.secret not in client.get("/alerts/").content.decode()
    assert signers(receiver, hook, hook.secret, OLD) == [True, True]


WRONG_ADDRESSES = [
    ("email", "team", "Write a whole e-mail address, for example team@example.com."),
    ("slack", "hooks", "Write a whole web address, for example https://example.com/in."),
    ("slack", "http://hooks.example.com/x", "It must begin with https://"),
    ("webhook", "https://10.9.0.1/x", "We do not call addresses inside our own network, such as 10.9.0.1."),
    ("person", "team@example.com", "Choose a person who signs in here."),
    ("pigeon", "team@example.com", "Choose how to tell: by e-mail, in Slack or by a webhook."),
]


@pytest.mark.parametrize(("kind", "address", "words"), WRONG_ADDRESSES)
def test_an_address_that_cannot_be_told_is_refused_and_stays_in_the_form(kind: str, address: str, words: str) -> None:
    answer = person("editor").post(ADD, {"kind": kind, "address": address, "name": "Ops room"})
    page = answer.content.decode()
    assert (answer.status_code, AlertTarget.objects.count()) == (200, 0)
    assert f"{words}" in page
    assert f'name="address" value="{address}"' in page
    assert 'name="name" value="Ops room"' in page


def test_a_receiver_in_an_allowed_network_of_ours_is_told_without_https(receiver: Any) -> None:
    """As a connector may call it there."""
    target = add(kind="webhook", address=f"http://127.0.0.1:{receiver.port}/alerts")
    assert alerts.send_test(target) == ""
    assert receiver.heard[-1].startswith(b"POST /alerts ")


@pytest.mark.parametrize("wrong", ["secret", "whsec_", "whsec_short", "whsec_" + "ä" * 20, "whsec_" + "=" * 20])
def test_a_secret_that_cannot_sign_is_refused(receiver: Any, hook: AlertTarget, wrong: str) -> None:
    assert "A signing secret begins with whsec_" in roll(hook, wrong)
    assert (hook.secret, hook.old_secret) == (OLD, "")
    refused = person("editor").post(ADD, {"kind": "webhook", "address": "https://hooks.example.com/", "secret": wrong})
    assert "A signing secret begins with whsec_" in refused.content.decode()
    assert AlertTarget.objects.count() == 1


def test_a_first_or_an_unchanged_secret_leaves_no_old_one(hook: AlertTarget) -> None:
    roll(hook, OLD)
    assert (hook.old_secret, hook.old_secret_until) == ("", None)
    AlertTarget.objects.update(secret="")
    hook.refresh_from_db()
    roll(hook, NEW)
    assert (hook.secret, hook.old_secret) == (NEW, "")


def test_only_webhooks_have_a_secret_to_replace() -> None:
    target = add(kind="email", address="ops@example.com")
    assert person("editor").post(f"/alerts/targets/{target.pk}/secret/").status_code == 404


def test_new_encryption_keys_reach_the_replaced_secret(hook: AlertTarget, settings: Any) -> None:
    from cryptography.fernet import Fernet

    roll(hook)
    second = Fernet.generate_key().decode()
    settings.SECRETS_KEYS = [second, settings.SECRETS_KEYS[0]]
    call_command("rotate_secrets")
    settings.SECRETS_KEYS = [second]
    hook = AlertTarget.objects.get()
    assert (hook.secret, hook.old_secret) == (NEW, OLD)
