"""A webhook's extra headers are settings whose values are treated like secrets: never shown again, kept when left."""

from __future__ import annotations

from typing import Any

import pytest

from integrations import configuration
from integrations.copying import copied
from integrations.history import Change
from integrations.models import Connector
from tests.console import EMPTY_TABLES, person
from tests.rows import connector

pytestmark = pytest.mark.django_db
TOKEN = "Bearer planted-4711-token"
SAVED = {"Authorization": TOKEN, "X-Short": "abc"}


@pytest.fixture
def to() -> Connector:
    return connector(settings={"url": "https://example.com/hook", "method": "POST", "headers": SAVED, "batch_size": 1})


def save(to: Connector, headers: str) -> Any:
    data = {"name": to.name, "setting_url": "https://example.com/hook", "setting_method": "POST", **EMPTY_TABLES}
    data |= {"setting_batch_size": "1", "other_events": "send", "retry_choice": "standard", "setting_headers": headers}
    answer = person("editor").post(f"/connectors/{to.pk}/", data)
    to.refresh_from_db()
    return answer


def shown(to: Connector) -> str:
    return str(person("editor").get(f"/connectors/{to.pk}/").content.decode())


def test_the_page_shows_names_and_ends_only(to: Connector) -> None:
    page = shown(to)
    assert "Authorization: ••••oken\nX-Short: ••••</textarea>" in page
    assert TOKEN not in page
    assert "abc" not in page.partition("X-Short")[2].partition("</textarea>")[0]


def test_lines_that_are_left_as_they_are_keep_their_values(to: Connector) -> None:
    assert save(to, "Authorization: ••••oken\nX-Short: ••••\nX-New: plain").status_code == 302
    assert to.settings["headers"] == {**SAVED, "X-New": "plain"}
    assert save(to, "Authorization: Bearer another-4711\nX-New: ••••").status_code == 302
    assert to.settings["headers"] == {"Authorization": "Bearer another-4711", "X-New": "plain"}
    assert "4711" not in repr(list(Change.objects.values_list("words", "details")))


@pytest.mark.parametrize(
    "line", ["Authorization: ••••", "Authorization: ••••aken", "X-Other: ••••", "X-Other: ••••oken"]
)
def test_what_stands_for_no_saved_value_is_said(to: Connector, line: str) -> None:
    answer = save(to, line)
    assert (answer.status_code, "stands for a saved value. Paste the new one." in answer.content.decode()) == (
        200,
        True,
    )
    assert to.settings["headers"] == SAVED


def test_a_copy_is_for_another_account(to: Connector) -> None:
    assert copied(to).settings == {"url": "https://example.com/hook", "method": "POST", "batch_size": 1}


def test_a_document_without_secrets_leaves_them_out_and_keeps_them(to: Connector) -> None:
    document: Any = configuration.export_document()
    assert "4711" not in str(document)
    assert "headers" not in document["connectors"][0]["settings"]
    assert configuration.import_document(document) == []
    to.refresh_from_db()
    assert to.settings["headers"] == SAVED
    document["connectors"][0]["settings"]["headers"] = {"X-New": "plain"}
    configuration.import_document(document)
    to.refresh_from_db()
    assert to.settings["headers"] == {"X-New": "plain"}
    whole: Any = configuration.export_document(with_secrets=True)
    assert whole["connectors"][0]["settings"]["headers"] == {"X-New": "plain"}
