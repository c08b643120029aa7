"""Making and testing a connector in a real browser: what a person clicks, and what the page then shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from deliveries import practice, tasks
from deliveries.models import Event, Replay
from integrations.history import Change
from integrations.models import Connector, Source
from tests.console import event_of

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wake", "advance_replay", "practise"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, **kwargs: None)


def test_practice_website_goes_on_while_a_page_is_open(page: Any, rows: Any) -> None:
    practice.load("Ann")
    Source.objects.filter(name=practice.SOURCE).update(created_at="2026-01-01T00:00:00Z")
    at = page("light", "/settings/")
    at.clock.install()
    at.reload()
    before = Event.objects.count()
    with at.expect_response("**/practice/tick/") as answer:
        at.clock.fast_forward(30_000)
    assert answer.value.status == 204
    assert Event.objects.count() == before + 1


def test_a_connector_is_copied_and_exported_from_its_menu(page: Any, rows: Any, tmp_path: Path) -> None:
    at = page("light", f"/connectors/{rows.connector.pk}/")
    at.get_by_text("More").first.click()
    with at.expect_download() as download:
        at.get_by_role("link", name="Export").click()
    download.value.save_as(tmp_path / "connector.json")
    document = json.loads((tmp_path / "connector.json").read_text())
    assert [row["name"] for row in document["connectors"]] == ["Segment – production"]
    at.get_by_role("button", name="Copy", exact=True).click()
    at.wait_for_url("**/setup/keys/")
    at.get_by_text("This is a copy of Segment – production").wait_for()
    assert at.input_value("#id_name") == "Segment – production (copy)"
    assert at.input_value("#id_secret_write_key") == ""


def test_what_is_pasted_is_what_is_tried(page: Any, rows: Any) -> None:
    event_of(rows.source, 77)
    at = page("light", f"/connectors/{rows.connector.pk}/test/")
    at.select_option("#sample", index=1)
    at.get_by_text("Paste an event", exact=True).click()
    at.fill("#pasted", '{"type": "track", "event": "Pasted By Hand", "userId": "u1"}')
    at.locator("#panel").get_by_text("Pasted By Hand").first.wait_for()
    assert at.input_value("#sample") == "paste"
    at.select_option("#sample", "")
    at.locator("#panel").get_by_text("Pasted By Hand").first.wait_for(state="detached")
    at.get_by_text("Paste an event", exact=True).click()  # closed again
    at.select_option("#sample", "paste")
    at.locator("#pasted").wait_for(state="visible")
    at.locator("#panel").get_by_text("Pasted By Hand").first.wait_for()


def test_renaming_and_removing_leave_the_menu_closed_and_the_field_ready(page: Any, rows: Any) -> None:
    at = page("light", f"/connectors/{rows.connector.pk}/")
    for entry, field in (("Rename", "id_name"), ("Delete…", "remove-name")):
        at.get_by_text("More").first.click()
        at.get_by_role("link", name=entry).click()
        at.locator(f"#{field}:focus").wait_for()
        assert at.locator(".menu[open]").count() == 0


def test_escape_closes_what_is_open_and_leads_back(page: Any, rows: Any) -> None:
    for path, box in ((f"/connectors/{rows.connector.pk}/", ".menu"), ("/deliveries/", ".filters details")):
        at = page("light", path)
        at.locator(f"{box} > summary").first.click()
        at.locator(f"{box}[open] a").first.focus()
        at.keyboard.press("Escape")
        assert at.locator(f"{box}[open]").count() == 0
        assert at.evaluate("document.activeElement.localName") == "summary"


def test_no_choice_of_a_mapping_is_cut_off(page: Any, rows: Any) -> None:
    body = '{"type": "identify", "userId": "u", "traits": {"language": "a language that is much too long for a code"}}'
    event_of(rows.source, 70, type="identify", name="", body=body)
    to = Connector.objects.create(name="SuprSend", vendor="suprsend", status="off", secrets={"api_key": "SS.a"})
    to.channels.create(channel="email", field="email")
    to.preferences.create(preference="preferred_language", field="language")
    at = page("light", f"/connectors/{to.pk}/")
    room = """[...document.querySelectorAll(":is(#channels, #preferences) tbody select")].map(box => {
        const style = getComputedStyle(box), text = document.createElement("canvas").getContext("2d");
        text.font = style.font;
        const widest = Math.max(...[...box.options].map(option => text.measureText(option.text).width));
        return box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - 16 - widest;
    })"""
    for width in (1280, 1101, 861, 390):
        at.set_viewport_size({"width": width, "height": 900})
        assert [left for left in at.evaluate(room) if left < 0] == [], width
    assert len(at.evaluate(room)) == 2


def test_a_filter_shows_what_its_action_asks_for(page: Any, rows: Any) -> None:
    at = page("light", f"/connectors/{rows.connector.pk}/")
    at.get_by_role("button", name="Add a filter").click()
    line = at.locator("#filters-rows tr")
    shown = {}
    for action in ("drop", "only_send", "sample", "drop_properties", "allow_properties"):
        line.locator("select").select_option(action)
        shown[action] = [cell.get_attribute("data-label") for cell in line.locator("td").all() if cell.is_visible()]
    always, ends = ["If", "Then"], ["On", "Remove"]
    assert shown == {
        "drop": [*always, *ends],
        "only_send": [*always, *ends],
        "sample": [*always, "Share in %", "Decided by", *ends],
        "drop_properties": [*always, "Fields", *ends],
        "allow_properties": [*always, "Fields", *ends],
    }
    line.locator("select").select_option("sample")
    line.get_by_label("Share in %").fill("500")
    line.locator("select").select_option("drop")
    assert line.get_by_label("Share in %").is_visible()  # what is wrong there keeps the form from being saved


def test_turned_on_with_the_last_day_and_watched(page: Any, rows: Any) -> None:
    at = page("light", f"/connectors/{rows.draft.pk}/setup/on/")
    at.get_by_label("website").check()
    at.get_by_label("Also what came in during the last 24 hours").check()
    at.get_by_role("button", name="Turn on").click()
    at.wait_for_url("**/replays/*/")
    at.get_by_text("Draft is on.").wait_for()
    at.get_by_text("0 of 3 done").wait_for()
    assert Replay.objects.get(filters__connector=str(rows.draft.pk)).total == 3


def test_a_job_is_run_on_a_press_and_the_page_follows(page: Any, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.async_task", lambda *task: None)
    at = page("light", "/jobs/")
    at.clock.install()
    at.reload()
    at.get_by_role("button", name="Run now – Housekeeping").click()
    at.get_by_text("Owner Jones asked for it").wait_for()
    tasks.hourly()
    at.clock.fast_forward(5_000)
    at.get_by_text("Done", exact=True).wait_for()
    assert at.get_by_text("Owner Jones asked for it").count() == 0


def test_note_beside_a_mapping_follows_what_is_typed(page: Any, rows: Any) -> None:
    body = '{"type": "identify", "userId": "u", "traits": {"mobile": "+1555"}}'
    event_of(rows.source, 77, type="identify", name="", body=body)
    to = Connector.objects.create(name="To", vendor="suprsend", status_at=timezone.now())
    at = page("light", f"/connectors/{to.pk}/")
    at.get_by_role("button", name="Add a channel").click()
    field = at.get_by_label("Comes from this field – new line")
    field.fill("phone")
    at.get_by_text("No recent identify event has this field.").wait_for()
    field.fill("mobile")
    at.get_by_text("for example +1555.").wait_for()


def test_ticked_connectors_are_paused_and_enter_on_a_tick_presses_nothing(page: Any, rows: Any) -> None:
    at = page("light", "/connectors/")
    at.get_by_label("Tick Segment – production").check()
    at.keyboard.press("Enter")
    at.get_by_role("button", name="Pause the ticked ones").click()
    at.get_by_text("Paused: Segment – production. New events are kept.").wait_for()
    assert list(Change.objects.values_list("words", flat=True)) == ["Paused"]
    at.get_by_role("link", name="Resume… Segment – production").click()
    at.wait_for_url(f"**/connectors/{rows.connector.pk}/#resume")


def test_a_mistake_shows_at_its_field_while_typing_and_goes_again(page: Any, rows: Any) -> None:
    at = page("light", "/connectors/new/segment/")
    key, errors = at.locator("#id_secret_write_key"), at.locator("#errors-secret_write_key")
    key.fill("xoxb-1234")
    errors.get_by_text("This looks like a Slack token, not like the write key.").wait_for()
    assert key.get_attribute("aria-invalid") == "true"
    key.fill("wk_1234567890ab")
    errors.get_by_text("This looks like").wait_for(state="detached")
    assert key.get_attribute("aria-invalid") == "false"


def test_a_clash_is_said_while_typing(page: Any, rows: Any) -> None:
    at = page("light", f"/connectors/{rows.draft.pk}/setup/events/")
    at.get_by_role("button", name="Add an event").click()
    at.locator("#id_rules-0-name").fill("Flow Done")
    at.locator("#id_rules-0-send_as").fill("Response Submitted")
    at.locator("#clashes").get_by_text("Flow Done, Response Submitted.").wait_for()
    assert at.locator("#seen-rules-0").inner_text() == "not yet"


def test_what_an_event_means_follows_its_name_while_typing(page: Any, rows: Any) -> None:
    at = page("light", f"/connectors/{rows.draft.pk}/setup/events/")
    at.get_by_role("button", name="Add an event").click()
    for name, words in (("Flow Viewed", "Somebody saw a survey."), ("Email Bounced", "could not be delivered")):
        at.locator("#id_rules-0-name").fill(name)
        at.locator("#means-rules-0").get_by_text(words).wait_for()
    at.locator("#id_rules-0-name").fill("Our own")
    at.locator("#means-rules-0:empty").wait_for(state="attached")


def test_a_saved_key_is_replaced_by_whoever_opens_its_field_and_kept_by_whoever_closes_it(page: Any, rows: Any) -> None:
    at = page("light", f"/connectors/{rows.connector.pk}/")
    field, box = at.get_by_label("New write key"), at.locator("summary", has_text="•••• 1234")
    assert not field.is_visible()
    box.click()
    at.wait_for_selector("#id_secret_write_key:focus")
    at.keyboard.type("wk_typed_by_mistake_1")
    box.click()
    field.wait_for(state="hidden")
    at.fill("#id_prefix", "x: ")
    at.get_by_role("button", name="Save changes").click()
    at.get_by_text("Saved: A word in front of every name.").wait_for()
    assert Connector.objects.get(pk=rows.connector.pk).secrets == {"write_key": "wk_very_secret_1234"}
    box.click()
    at.wait_for_selector("#id_secret_write_key:focus")
    at.keyboard.type("wk_fresh_key_9876543")
    at.keyboard.press("Enter")
    at.get_by_text("Saved: Write key.").wait_for()
    at.get_by_text("•••• 6543, changed by Owner Jones just now").wait_for()
    assert Connector.objects.get(pk=rows.connector.pk).secrets == {"write_key": "wk_fresh_key_9876543"}


def test_a_replay_is_started_with_what_was_counted(page: Any, rows: Any) -> None:
    at = page("light", "/replays/new/?status=failed")
    start = at.get_by_role("button", name="Replay 1 event")
    assert start.is_enabled()
    at.get_by_label("exactly as they were sent").check()
    at.get_by_text("Not counted yet").wait_for()
    assert not start.is_enabled()
    at.get_by_role("button", name="Count again").click()
    at.get_by_text("Sent exactly as they were sent, oldest first").wait_for()
    start.click()
    at.wait_for_url("**/replays/*/")
    assert [Replay.objects.latest("id").as_sent, Replay.objects.latest("id").total] == [True, 1]
