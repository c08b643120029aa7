"""What the console's forms do when they are sent: set-up, sources, connectors, the steps to a new one, people."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from config.models import SetupLink, User
from deliveries.models import Replay
from integrations.history import Change
from integrations.models import Connector, EventRule, Source, WriteKey
from tests.console import connector_form, made, person

pytestmark = pytest.mark.django_db


def test_set_up_link_makes_the_first_owner_and_works_once() -> None:
    token, client = SetupLink.issue(), Client()
    assert client.get(f"/setup/{token}").status_code == 200
    data = {"name": "Ada", "email": "Ada@Example.com", "password": "correct horse staple"}
    weak = client.post(f"/setup/{token}/", {**data, "password": "password"})
    assert (weak.status_code, User.objects.count()) == (200, 0)
    assert re.findall(r'<input[^>]* name="(\w+)"[^>]* autofocus', weak.content.decode()) == ["password"]
    answer = client.post(f"/setup/{token}/", data)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert list(User.objects.values_list("name", "email", "role")) == [("Ada", "ada@example.com", "owner")]
    assert client.get("/").status_code == 200
    assert Client().post(f"/setup/{token}/", {**data, "email": "eve@example.com"}).status_code == 410
    assert Client().get(f"/setup/{SetupLink.issue()}/").status_code == 410
    assert User.objects.count() == 1


def test_unknown_or_old_set_up_link_is_refused() -> None:
    token = SetupLink.issue()
    SetupLink.objects.update(created_at="2020-01-01T00:00:00Z")
    assert Client().get(f"/setup/{token}").status_code == 410
    assert Client().get("/setup/nonsense").status_code == 410


def test_key_is_shown_once_and_stored_nowhere_readable() -> None:
    client = person("editor")
    answer = client.post("/sources/add/?service=segment", {"name": "app"}, follow=True)
    key = WriteKey.objects.get(source__name="app").key
    assert key in answer.content.decode()
    assert key not in client.get(answer.request["PATH_INFO"]).content.decode()


def test_saving_a_connector_keeps_its_secret_and_writes_history() -> None:
    m = made()
    region = m.connector.region
    data = {
        **connector_form(region),
        "name": "Segment EU",
        "rules-TOTAL_FORMS": "1",
        "rules-0-name": "Response Submitted",
        "rules-0-send": "on",
        "rules-0-send_as": "survey_responded",
    }
    client = person("editor")
    assert client.post(f"/connectors/{m.connector.pk}/", data).status_code == 302
    row = Connector.objects.get(pk=m.connector.pk)
    assert (row.name, row.secrets) == ("Segment EU", {"write_key": "wk_very_secret_1234"})
    assert list(EventRule.objects.values_list("name", "send_as")) == [("Response Submitted", "survey_responded")]
    html = client.get(f"/connectors/{m.connector.pk}/").content.decode()
    assert "Segment – production" in html  # before → after, in the history
    client.post(
        f"/connectors/{m.connector.pk}/",
        {**connector_form(region), "name": "Segment EU", "secret_write_key": "fresh_key_987654"},
    )
    assert Connector.objects.get(pk=m.connector.pk).secrets == {"write_key": "fresh_key_987654"}
    assert "fresh_key_987654" not in client.get(f"/connectors/{m.connector.pk}/").content.decode()


def test_wizard_from_card_to_on() -> None:
    source, client = Source.objects.create(name="website"), person("editor")
    first = "/connectors/new/segment/"
    region = client.get(first).context["form"].fields["region"].queryset.last()
    answer = client.post(first, {"name": "New one", "secret_write_key": "wk_1234567890ab", "region": region.pk})
    row = Connector.objects.get()
    assert (answer["Location"], row.status, row.status_at) == (f"/connectors/{row.pk}/setup/events/", "off", None)
    tables = {f"{p}-{n}": "0" for p in ("rules", "filters") for n in ("TOTAL_FORMS", "INITIAL_FORMS")}
    answer = client.post(answer["Location"], {"prefix": "segment : ", "other_events": "send", **tables})
    assert answer["Location"] == f"/connectors/{row.pk}/setup/test/"
    answer = client.post(f"/connectors/{row.pk}/setup/on/", {"sources": [source.pk]})
    row.refresh_from_db()
    assert (answer["Location"], row.status, row.prefix, row.region) == (
        f"/connectors/{row.pk}/",
        "active",
        "segment : ",
        region,
    )
    assert row.secrets == {"write_key": "wk_1234567890ab"}
    assert list(row.sources.all()) == [source]


def test_preview_follows_the_form_and_saves_nothing() -> None:
    m = made()
    data = {
        **connector_form(m.connector.region),
        "name": "Segment – production",
        "rules-TOTAL_FORMS": "1",
        "rules-0-name": "Response Submitted",
        "rules-0-send": "on",
        "rules-0-send_as": "renamed_here",
    }
    html = person("operator").post(f"/connectors/{m.connector.pk}/preview/", data).content.decode()
    assert "renamed_here" in html
    assert EventRule.objects.count() == 0


def test_the_last_owner_stays() -> None:
    client = person("owner")
    owner = User.objects.get()
    answer = client.post(
        f"/people/{owner.pk}/", {"name": "O", "email": owner.email, "role": "viewer", "is_active": "on"}
    )
    assert "last owner" in answer.content.decode()
    assert User.objects.get().role == "owner"


def test_from_the_list_of_people_somebody_is_signed_out_and_let_in_again() -> None:
    owner, viewer = person("owner"), person("viewer")
    row = User.objects.get(email="viewer@example.com")
    assert f'/people/{row.pk}/deactivate/"' in owner.get("/people/").content.decode()
    answer = owner.post(f"/people/{row.pk}/deactivate/", follow=True)
    assert "Viewer Jones cannot sign in any more, and is signed out everywhere." in answer.content.decode()
    assert viewer.get("/deliveries/").status_code == 302
    assert Change.objects.values_list("by", "object_name", "words").get() == (
        "Owner Jones", "Viewer Jones", "Deactivated",
    )  # fmt: skip

    owner.post(f"/people/{row.pk}/deactivate/")  # asked once more at the same moment, it stays so
    row.refresh_from_db()
    assert not row.is_active

    again = owner.post(f"/people/{row.pk}/deactivate/", {"active": "yes"}, follow=True)
    assert "Viewer Jones may sign in again." in again.content.decode()
    assert person("viewer").get("/deliveries/").status_code == 200

    myself = User.objects.get(email="owner@example.com")
    assert "last owner" in owner.post(f"/people/{myself.pk}/deactivate/", follow=True).content.decode()
    myself.refresh_from_db()
    assert myself.is_active


def test_a_new_connector_starts_with_the_events_that_its_sources_are_known_to_send() -> None:
    Source.objects.create(name="surveys", vendor="surveys")
    Source.objects.create(name="mails", vendor="customerio", settings={"naming": "segment"})
    person("editor").post(
        "/connectors/new/webhook/",
        {"name": "hook", "setting_url": "https://example.com/hook", "setting_method": "POST"},
    )
    rules = Connector.objects.get(name="hook").rules.values_list("kind", "name", "send", "send_as")
    assert ("track", "Email Bounced", True, "") in list(rules)[:12]
    assert list(rules)[12:] == [
        ("track", "Flow Viewed", True, ""),
        ("track", "Flow Dismissed", True, ""),
        ("track", "Response Submitted", True, ""),
    ]


def test_a_span_that_is_kept_in_seconds_is_shown_and_asked_for_in_days() -> None:
    source = Source.objects.create(name="cio", vendor="customerio")
    path, owner = f"/sources/{source.pk}/", person("owner")
    html = owner.get(path).content.decode()
    assert 'name="setting_signature_max_age" value="8"' in html
    assert "691200" not in html
    form = {"name": "cio", "setting_naming": "seed", "setting_signature_max_age": "1.5", "erases": "no"}
    owner.post(path, form)
    source.refresh_from_db()
    assert source.settings["signature_max_age"] == 129_600
    assert ["Oldest signature accepted, in days", "8 days", "1.5 days"] in Change.objects.get().details
    assert 'name="setting_signature_max_age" value="1.5"' in owner.get(path).content.decode()
    for wrong in ("-1", "nan", "1e9", "a week"):
        assert owner.post(path, {**form, "setting_signature_max_age": wrong}).status_code == 200
    owner.post(path, form)
    assert Change.objects.count() == 1  # nothing was changed


def test_a_write_key_says_who_made_it() -> None:
    editor, owner = person("editor"), person("owner")
    editor.post("/sources/add/?service=segment", {"name": "shop"})
    source = Source.objects.get()
    owner.post(f"/sources/{source.pk}/keys/{source.write_keys.get().pk}/roll/")
    owner.post(f"/sources/{source.pk}/keys/add/", {"label": "second"})
    assert list(source.write_keys.order_by("id").values_list("created_by", flat=True)) == [
        *("Editor Jones", "Owner Jones", "Owner Jones"),
    ]
    assert owner.get(f"/sources/{source.pk}/").content.decode().count("by Owner Jones</td>") == 2


def test_a_token_and_a_replay_say_who_made_them() -> None:
    m, owner = made(), person("owner")
    owner.post("/tokens/add/", {"name": "laptop", "role": "viewer"})
    owner.post("/replays/start/", {"status": "failed"})
    call_command("api_token", "cron", role="viewer", stdout=StringIO())
    page = owner.get("/tokens/").content.decode()
    for name, by in (("laptop", "Owner Jones"), ("cron", "command line"), ("script", "–")):
        row = next(row for row in page.split("<tr>") if f">{name} ••••" in row)
        assert f'<td data-label="Made by">{by}</td>' in row
    replay = Replay.objects.exclude(pk=m.replay.pk).get()
    assert '<td data-label="Who">Owner Jones</td>' in owner.get("/replays/").content.decode()
    assert "Started by Owner Jones <time" in owner.get(f"/replays/{replay.pk}/").content.decode()
    assert "Started <time" in owner.get(f"/replays/{m.replay.pk}/").content.decode()


def test_what_the_page_does_not_ask_for_is_as_it_is_saved() -> None:
    """The page of a test asks for the event only, a step of the setup for a part."""
    row = Connector.objects.create(
        name="To", vendor="suprsend", prefix="x: ", endpoint="https://supr.example.com", secrets={"api_key": "k"}
    )
    data = {"sample": "paste", "pasted": '{"type": "track", "event": "A", "userId": "u1"}'}
    for more, sent_as in (({}, "x: A"), ({"prefix": "y: ", "other_events": "send"}, "y: A")):
        result = person("operator").post(f"/connectors/{row.pk}/preview/", {**data, **more}).context["panel"]["result"]
        assert (result.sent_as, result.request["url"]) == (sent_as, "https://supr.example.com/event/")
