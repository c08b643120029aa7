"""A saved secret on its pages: what stands for it, who put it there and when, and an empty field for another one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from integrations import history
from integrations.models import Connector, Source
from tests.console import connector_form, made, person

pytestmark = pytest.mark.django_db
TABLES = {f"{one}-{name}": "0" for one in ("channels", "preferences") for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
NEW = "wk_another_one_123456789012345678"


@pytest.fixture
def m() -> Any:
    cache.clear()
    return made()


def page(path: str, role: str = "editor", **data: str) -> str:
    client = person(role)
    return (client.post(path, data) if data else client.get(path)).content.decode()


def said(html: str) -> list[str]:
    """Of each saved secret what the page says before anything is opened."""
    found = re.findall(r'saved-secret"[^>]*>(.*?)</(?:summary|p)>', html, re.S)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", one)).strip().replace(" ,", ",") for one in found]


def save(m: Any, role: str, **more: str) -> None:
    data = {**connector_form(m.connector.region), "name": m.connector.name, **more}
    assert person(role).post(f"/connectors/{m.connector.pk}/", data).status_code == 302


def age(days: int) -> None:
    """As if all that was changed so far had been so many days ago."""
    past = timezone.now() - timedelta(days=days)
    history.Change.objects.update(at=past)
    Connector.objects.exclude(secrets_changed_at=None).update(secrets_changed_at=past)


def test_who_changed_a_key_and_when(m: Any) -> None:
    path = f"/connectors/{m.connector.pk}/"
    assert said(page(path)) == ["•••• 1234 Replace Keep the saved one – Write key"]
    save(m, "editor", secret_write_key=NEW)
    save(m, "owner", notes="Ask Ann.")
    assert said(page(path)) == ["•••• 5678, changed by Editor Jones just now Replace Keep the saved one – Write key"]
    assert said(page(path, "viewer")) == ["•••• 5678, changed by Editor Jones just now"]
    age(400)
    day = timezone.now() - timedelta(days=400)
    assert said(page(path, "viewer")) == [f"•••• 5678, changed by Editor Jones {day:%-d %b %Y}"]
    history.Change.objects.update(at=timezone.now())  # replaced otherwise since, by whom nobody noted
    assert said(page(path, "viewer")) == [f"•••• 5678, changed {day:%-d %b %Y}"]


def test_each_of_several_secrets_has_its_own_line(m: Any) -> None:
    secrets: Any = {"api_key": "SS_key_of_the_workspace", "slack_access_token": "xoxb-1234-abcd"}
    row = Connector.objects.create(name="To", vendor="suprsend", secrets=secrets)
    for role, field in (("owner", "secret_api_key"), ("editor", "secret_slack_access_token")):
        data = {**connector_form(m.connector.region), **TABLES, "name": "To", "setting_mode": "api"}
        data[field] = f"xoxb-new-of-{role}-{role[:4]}".removeprefix("xoxb-" if role == "owner" else "")
        assert person(role).post(f"/connectors/{row.pk}/", data).status_code == 302
    assert said(page(f"/connectors/{row.pk}/", "viewer")) == [
        "•••• owne, changed by Owner Jones just now",
        "•••• edit, changed by Editor Jones just now",
    ]


def test_a_key_that_was_never_replaced_is_of_who_made_the_connector(m: Any) -> None:
    data = {"name": "New", "secret_write_key": NEW, "region": str(m.connector.region.pk)}
    assert person("editor").post("/connectors/new/segment/", data).status_code == 302
    new = Connector.objects.get(name="New")
    html = page(f"/connectors/{new.pk}/setup/keys/", "owner")
    assert said(html) == ["•••• 5678, changed by Editor Jones just now Replace Keep the saved one – Write key"]
    assert NEW not in html


def test_the_field_is_closed_and_empty_and_opens_for_its_mistake(m: Any) -> None:
    path = f"/connectors/{m.connector.pk}/"
    html = page(path)
    assert html.count('<details class="saved-secret">') == 1
    assert '<label for="id_secret_write_key">New write key</label>' in html
    wrong = {**connector_form(m.connector.region), "name": m.connector.name, "secret_write_key": "two words"}
    html = page(path, **wrong)
    assert html.count('<details class="saved-secret" open>') == 1
    assert "A write key has no spaces, and at least three characters." in html
    assert "two words" not in html
    assert Connector.objects.get(pk=m.connector.pk).secrets == {"write_key": "wk_very_secret_1234"}


def test_a_viewer_has_no_field_for_it(m: Any) -> None:
    html = page(f"/connectors/{m.connector.pk}/", "viewer")
    assert "secret_write_key" not in html.replace('id="field-secret_write_key"', "").replace(
        "errors-secret_write_key", ""
    )
    assert "Replace<" not in html


def test_the_signing_secret_of_a_source_is_shown_and_replaced_alike(m: Any) -> None:
    path = f"/sources/{m.source.pk}/"
    assert said(page(path)) == []
    data = {"name": "website", "signing_secret_new": "a_long_signing_secret"}
    assert person("editor").post(path, data).status_code == 302
    html = page(path)
    assert said(html) == ["•••• cret, changed by Editor Jones just now Replace Keep the saved one – Signing secret"]
    assert "a_long_signing_secret" not in html
    assert person("owner").post(path, {"name": "website", "signing_secret_new": ""}).status_code == 302
    assert Source.objects.get(pk=m.source.pk).signing_secret == "a_long_signing_secret"


def test_one_that_a_source_was_made_with_is_of_who_made_it(m: Any) -> None:
    data = {"name": "app", "signing_secret_new": "a_long_signing_secret"}
    assert person("owner").post("/sources/add/?service=segment", data).status_code == 302
    made_by = said(page(f"/sources/{Source.objects.get(name='app').pk}/", "viewer"))
    assert made_by == ["•••• cret, changed by Owner Jones just now"]
