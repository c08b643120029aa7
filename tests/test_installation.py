"""Where the console is: learned from the owner's browser, set under Settings, and where the links of alerts lead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from config.models import SetupLink, User
from deliveries import alerts
from deliveries.alarm import AlertTarget, Problem
from integrations import installation
from integrations.history import Change
from integrations.models import Connector, Installation
from tests.console import made, person

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse staple"


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]


def sign_in(host: str, role: str = "owner", **more: Any) -> None:
    user = User.objects.filter(email=f"{role}@example.com").first()
    user = user or User.objects.create_user(f"{role}@example.com", PASSWORD, name=role, role=role)
    data = {"username": user.email, "password": PASSWORD, "next": "/"}
    answer = Client().post("/login/", data, headers={"host": host}, **more)
    assert answer.status_code == 302, answer.content


def mailed(problem: Problem) -> str:
    mail.outbox.clear()
    alerts.tell(problem, "opened")
    return str(mail.outbox[0].body)


def problem_of(connector: Connector | None = None, kind: str = "key_refused") -> Problem:
    if not AlertTarget.objects.exists():  # its address is encrypted anew each time
        AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com")
    return Problem(pk=7, kind=kind, connector=connector, opened_at=timezone.now())


def test_the_first_owner_s_address_is_remembered_and_alerts_lead_there(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "10.1.2.3"]
    data = {"name": "Ann", "email": "ann@example.com", "password": PASSWORD}
    link = f"/setup/{SetupLink.issue()}"
    assert Client().post(link, data, headers={"host": "10.1.2.3:8000"}).status_code == 302
    connector = made().connector
    text = mailed(problem_of(connector))
    assert "See it: http://10.1.2.3:8000/problems/7/\n" in text
    assert text.endswith(f"Fix it: http://10.1.2.3:8000/connectors/{connector.pk}/")


def test_a_problem_of_no_connector_has_two_links_as_well(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    monkeypatch.setenv("PORT", "8055")
    text = mailed(problem_of(kind="silent"))
    assert text.endswith("See it: http://127.0.0.1:8055/problems/7/\nFix it: http://127.0.0.1:8055/settings/#health")
    settings.ALLOWED_HOSTS = ["localhost", ".example.org"]
    assert "https://example.org/problems/7/" in mailed(problem_of(kind="silent"))
    target = AlertTarget.objects.get()
    mail.outbox.clear()
    assert alerts.send_test(target) == ""
    assert "See what is open: https://example.org/problems/\n" in mail.outbox[0].body
    assert mail.outbox[0].body.endswith("Change who is told: https://example.org/alerts/")


def test_only_what_is_news_is_remembered_and_only_of_an_owner() -> None:
    sign_in("localhost:8000", "editor")
    assert not Installation.objects.exists()
    sign_in("localhost:8000")
    assert installation.address() == "https://testserver"  # a public name says more than the machine itself
    assert Installation.objects.get().address == "http://localhost:8000"
    sign_in("testserver", secure=True)
    assert Installation.objects.get().address == "https://testserver"
    sign_in("localhost:8000")
    sign_in("testserver:8443")
    assert Installation.objects.get().address == "https://testserver"


def test_an_owner_who_is_signed_in_already_says_it_with_whom_to_tell() -> None:
    data = {"kind": "email", "address": "a@example.com"}
    for role, known in (("editor", 0), ("owner", 1)):
        person(role).post("/alerts/targets/add/", data, headers={"host": "testserver:8443"})
        assert Installation.objects.filter(address="http://testserver:8443").count() == known


def test_a_name_that_is_not_ours_is_not_remembered() -> None:
    User.objects.create_user("owner@example.com", PASSWORD, name="o", role="owner")
    data = {"username": "owner@example.com", "password": PASSWORD}
    assert Client().post("/login/", data, headers={"host": "evil.example"}).status_code == 400
    assert not Installation.objects.exists()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("evil.example", "Write the beginning of the address"),
        ("https://testserver/console", "Write the beginning of the address"),
        ("ftp://testserver", "Write the beginning of the address"),
        ("https://user:pw@testserver", "Write the beginning of the address"),
        ("https://", "Write the beginning of the address"),
        ("https://evil.example", "Signalbox does not answer under evil.example."),
    ],
)
def test_an_address_that_leads_nowhere_is_not_saved(typed: str, words: str) -> None:
    html = person("owner").post("/settings/console/", {"address": typed, "time_zone": "UTC"}).content.decode()
    assert words in html
    assert not Installation.objects.exists()


def test_a_network_can_be_asked_about_after_an_address_was_not_saved() -> None:
    page = person("owner").post("/settings/console/", {"address": "console.example.com"}).content.decode()
    assert '<form method="get" action="/settings/#network">' in page


def test_settings_keep_address_and_zone_and_the_history_says_so() -> None:
    owner = person("owner")
    data = {"address": " https://testserver:8443/ ", "time_zone": "Europe/Berlin"}
    assert "Saved." in owner.post("/settings/console/", data, follow=True).content.decode()
    assert (installation.address(), str(installation.zone())) == ("https://testserver:8443", "Europe/Berlin")
    assert Change.objects.get().details == [
        ["Address", "not set", "https://testserver:8443"],
        ["Time zone", "UTC", "Europe/Berlin"],
    ]
    assert "Nothing was changed." in owner.post("/settings/console/", data, follow=True).content.decode()
    html = owner.get("/settings/").content.decode()
    assert 'value="https://testserver:8443"' in html
    assert '<option value="Europe/Berlin" selected>' in html
    seen = person("viewer").get("/settings/").content.decode()
    assert "<dd>https://testserver:8443</dd><dt>Time zone of alerts</dt><dd>Europe/Berlin</dd>" in seen
    assert "/settings/console/" not in seen
    bad = owner.post("/settings/console/", {"address": "", "time_zone": "Mars/Phobos"}).content.decode()
    assert "Mars/Phobos is not one of the available choices" in bad


def test_an_address_that_leads_nowhere_from_elsewhere_is_said_to(settings: Any) -> None:
    only = "This one can be opened on the machine itself only."
    assert only not in person("owner").get("/settings/").content.decode()
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    html = person("owner").get("/settings/", headers={"host": "localhost:8000"}).content.decode()
    assert only in html


def test_alerts_are_told_in_the_installations_zone() -> None:
    problem = problem_of(made().connector, "stopping")
    problem.opened_at = datetime(2026, 3, 1, 20, 32, 5, tzinfo=UTC)
    assert "It will stop by itself at 20:32:15 UTC if this goes on." in mailed(problem)
    installation.save(address="", time_zone="Asia/Kolkata")
    assert "It will stop by itself at 02:02:15 IST if this goes on." in mailed(problem)
    assert "Seen once." in mailed(problem)
