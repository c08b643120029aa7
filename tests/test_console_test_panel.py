"""Sending a test event from the console: who may, what is sent, and what is said about the answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.urls import reverse
from django.utils import timezone

from deliveries import trials
from deliveries.models import Delivery, Event, Trial
from integrations import history
from integrations.models import Connector
from tests.console import delivery_of, event_of, made, person

pytestmark = pytest.mark.django_db
BATCH = "https://api.segment.io/v1/batch"
KEY = "https://cdn.segment.com/v1/projects/wk_very_secret_1234/settings"


def send(m: Any, role: str, **data: str) -> Any:
    return person(role).post(reverse("admin:integrations_connector_send_test", args=[m.connector.pk]), data)


@pytest.fixture
def m() -> Any:
    made_ = made()
    Trial.objects.all().delete()
    return made_


def test_a_viewer_and_a_get_send_nothing(m: Any, http: Any) -> None:
    assert send(m, "viewer").status_code == 403
    answer = person("owner").get(reverse("admin:integrations_connector_send_test", args=[m.connector.pk]))
    assert answer.status_code == 405
    assert len(http.calls) == 0


def test_an_accepted_test_says_so_and_stores_no_event(m: Any, http: Any) -> None:
    http.get(KEY, json={})
    http.post(BATCH, json={"success": True})
    before = (Event.objects.count(), Delivery.objects.count())
    html = send(m, "operator").content.decode()
    assert "Segment accepted the event" in html
    assert "Segment accepted the key" in html
    sent = orjson.loads(http.calls[-1].request.body)["batch"][0]
    assert sent["messageId"]
    assert sent["context"]["test"] is True
    assert (Event.objects.count(), Delivery.objects.count()) == before
    m.connector.refresh_from_db()
    assert m.connector.tested_at is not None


def test_a_refused_key_is_said_in_words(m: Any, http: Any) -> None:
    http.get(KEY, status=404)
    http.post(BATCH, status=401, json={"message": "nope"})
    html = send(m, "operator").content.decode()
    assert "Segment refused the write key." in html
    assert "paste a fresh write key, then send the test event again." in html
    assert "replay this delivery" not in html
    assert "wk_very_secret_1234" not in html


def test_pasted_nonsense_sends_nothing(m: Any, http: Any) -> None:
    html = send(m, "operator", sample="paste", pasted="{nonsense").content.decode()
    assert (
        "This cannot be read as an event: it goes wrong at line 1, character 2. Paste all of it, from { to }." in html
    )
    assert len(http.calls) == 0


# As the documentation of Segment's and SuprSend's own examples shows them: without anybody they belong to.
EXAMPLES: dict[str, dict[str, Any]] = {
    "novu": {
        "type": "track",
        "event": "User Abandoned Cart",
        "properties": {
            "name": "abandoned-cart-recovery-workflow",
            "user": {"subscriberId": "63da8ee0c037e013fd790ffd", "email": "hi@hi.com"},
            "environment": "development",
        },
    },
    "webhook": {"type": "track", "event": "User Registered", "properties": {"plan": "Pro Annual"}},
    "segment": {"event": "User Registered", "properties": {"plan": "Pro Annual"}},
}


@pytest.mark.parametrize("slug", EXAMPLES)
def test_an_example_that_names_nobody_can_be_tried(slug: str) -> None:
    row = Connector.objects.create(
        name="To", vendor=slug, settings={"url": "https://example.com/hook"}, secrets={"api_key": "k"}
    )
    data = {"sample": "paste", "pasted": orjson.dumps(EXAMPLES[slug]).decode()}
    result = person("operator").post(f"/connectors/{row.pk}/preview/", data).context["panel"]["result"]
    assert result.would_send
    assert result.notes[0] == (
        "This event names nobody: from a source it would be refused. For the test it belongs to the unknown visitor "
        "test_nobody."
    )


def test_an_example_with_a_person_stays_as_it_is() -> None:
    row = Connector.objects.create(name="To", vendor="webhook", settings={"url": "https://example.com/hook"})
    data = {"sample": "paste", "pasted": '{"type": "track", "event": "A", "userId": "u1"}'}
    result = person("operator").post(f"/connectors/{row.pk}/preview/", data).context["panel"]["result"]
    assert (result.notes, "test_nobody" in result.request["body"]) == ((), False)


# --- The last five ----------------------------------------------------------------------------------------------------


def practise(client: Any, row: Connector, pasted: str = "") -> Any:
    data = {"sample": "paste", "pasted": pasted} if pasted else {}
    return client.post(reverse("admin:integrations_connector_send_test", args=[row.pk]), data)


def test_the_last_five_tests_are_kept_newest_first() -> None:
    row = Connector.objects.create(name="To", vendor="practice", settings={"script": "works"}, status_at=timezone.now())
    other = Connector.objects.create(name="Other", vendor="practice", settings={"script": "works"})
    client = person("operator")
    practise(client, other)
    for number in range(7):
        practise(client, row, f'{{"type": "track", "event": "Test {number}", "userId": "secret@example.com"}}')
    assert list(trials.last(row).values_list("name", flat=True)) == [f"Test {number}" for number in (6, 5, 4, 3, 2)]
    assert Trial.objects.count() == 6
    page = client.get(f"/connectors/{row.pk}/test/").content.decode()
    assert [f"Test {number}" in page for number in range(7)] == [False, False, True, True, True, True, True]
    assert str(trials.last(row)[0].message_id) in page
    assert trials.last(row)[0].message_id.startswith("test_")


def test_a_kept_test_says_how_it_ended_and_holds_nothing_of_the_event() -> None:
    settings, secrets = {"script": "key"}, {"api_key": "practice-key-old"}
    row = Connector.objects.create(name="To", vendor="practice", settings=settings, secrets=secrets, prefix="shop: ")
    practise(person("operator"), row, '{"event": "Order", "userId": "ann@example.com", "properties": {"a": "private"}}')
    trial = Trial.objects.get()
    assert (trial.name, trial.sent_as, trial.outcome, trial.status) == ("Order", "shop: Order", "failed", 401)
    assert trial.by == "Operator Jones"
    assert trial.headline == "Practice service refused the API key."
    assert "not known, or was replaced" in trial.answer
    assert "ann@example.com" not in str(Trial.objects.values())
    assert "private" not in str(Trial.objects.values())
    assert "practice-key-old" not in str(Trial.objects.values())


def test_a_test_in_the_wizard_stays_in_the_wizard() -> None:
    row = Connector.objects.create(name="To", vendor="practice", settings={"script": "works"}, status="off")
    page = practise(person("editor"), row).content.decode()
    assert "Practice service accepted the event" in page
    assert f"/connectors/{row.pk}/setup/on/" in page
    assert "Continue without a test" not in page
    assert "Last tests" in page


def test_no_more_than_2000_characters_of_an_answer_are_kept(m: Any, http: Any) -> None:
    http.get(KEY, json={})
    http.post(BATCH, body="x" * 5000, status=400)
    send(m, "operator")
    answer = Trial.objects.get().answer
    assert (len(answer), answer[-10:]) == (2000, "xx … (cut)")


# --- To oneself -------------------------------------------------------------------------------------------------------

JANE = (
    '{"type": "track", "event": "A", "userId": "jane", "properties": {"email": "jane@example.com", "phone": "+1555"}}'
)


def test_the_sample_goes_to_whoever_tries_it(m: Any, http: Any) -> None:
    http.get(KEY, json={})
    http.post(BATCH, json={"success": True})
    html = send(m, "operator", sample="paste", pasted=JANE, to_me="on", my_email="ann@example.com", my_id="").content
    body = http.calls[-1].request.body.decode()
    assert ("jane" in body, "+1555" in body) == (False, False)
    sent = orjson.loads(body)["batch"][0]
    assert (sent["userId"], sent["properties"]) == ("ann@example.com", {"email": "ann@example.com"})
    assert "Addressed to you: ann@example.com. Left out, so that nobody else is reached: phone." in html.decode()
    assert "ann@example.com" not in str(Trial.objects.values())


def test_without_the_tick_it_is_said_whom_it_may_reach(m: Any) -> None:
    page = person("operator").post(f"/connectors/{m.connector.pk}/preview/", {"sample": "paste", "pasted": JANE})
    assert "Segment may notify <strong>jane@example.com, +1555</strong>." in page.content.decode()
    data = {"sample": "paste", "pasted": JANE, "to_me": "on", "my_email": "ann@example.com"}
    html = person("operator").post(f"/connectors/{m.connector.pk}/preview/", data).content.decode()
    assert "addressed to you." in html
    assert "jane@example.com" not in html


def test_the_address_offered_is_the_persons_own(m: Any) -> None:
    page = person("operator").get(f"/connectors/{m.connector.pk}/test/").content.decode()
    assert 'name="my_email" value="operator@example.com"' in page


@pytest.mark.parametrize(
    ("field", "data", "words"),
    [
        ("my_email", {"my_email": "ann"}, "This is no e-mail address. It looks like name@example.com."),
        ("my_email", {"my_email": ""}, "Give your e-mail address, or below the id you have over there."),
        (
            "pasted",
            {"sample": "paste", "pasted": "[1]"},
            "An event stands in curly brackets, from { to }.",
        ),
        ("pasted", {"sample": "paste", "pasted": " "}, "Paste an event here, or choose another one above."),
    ],
)
def test_a_mistake_stands_at_its_field_and_nothing_is_sent(
    m: Any, http: Any, field: str, data: dict[str, str], words: str
) -> None:
    html = send(m, "operator", **{"to_me": "on", "my_email": "ann@example.com", **data}).content.decode()
    assert f'<div id="errors-{field}" aria-live="polite"><ul class="errorlist"><li>{words}</li></ul></div>' in html
    assert (len(http.calls), Trial.objects.count()) == (0, 0)


# --- Seen over there? -------------------------------------------------------------------------------------------------


def practice_row(**more: Any) -> Connector:
    return Connector.objects.create(name="To", vendor="practice", settings={"script": "works"}, **more)


def answer_seen(client: Any, row: Connector, seen: str) -> Any:
    return client.post(f"/connectors/{row.pk}/test/{Trial.objects.get().pk}/seen/", {"seen": seen})


def test_no_shows_what_to_look_at_and_yes_ends_it(m: Any, http: Any) -> None:
    http.get(KEY, json={})
    http.post(BATCH, json={"success": True})
    html = send(m, "operator").content.decode()
    assert "Do you see it in Segment?" in html
    assert "Segment → Connections → Sources → your source → Debugger" in html
    checks = "Is the region the one of your workspace?"
    assert checks not in html
    client = person("operator")
    url = f"/connectors/{m.connector.pk}/test/"
    assert answer_seen(client, m.connector, "no")["Location"] == url
    html = client.get(url).content.decode()
    assert (checks in html, "not seen there" in html, "Do you see it" in html) == (True, True, False)
    answer_seen(client, m.connector, "yes")
    html = client.get(url).content.decode()
    assert (checks in html, ">seen there<" in html) == (False, True)
    words = [change.words for change in history.of(m.connector)]
    assert words[:2] == ["Saw the test event in Segment", "Did not see the test event in Segment"]


def test_in_the_wizard_yes_goes_on_and_no_stays(m: Any, http: Any) -> None:
    http.get(KEY, json={})
    http.post(BATCH, json={"success": True})
    row, client = m.draft, person("editor")
    practise(client, row)
    assert answer_seen(client, row, "no")["Location"] == f"/connectors/{row.pk}/setup/test/"
    assert "Not there? Look at this" in client.get(f"/connectors/{row.pk}/setup/test/").content.decode()
    assert "nobody found it there" in client.get(f"/connectors/{row.pk}/setup/on/").content.decode()
    assert answer_seen(client, row, "yes")["Location"] == f"/connectors/{row.pk}/setup/on/"
    assert "nobody found it there" not in client.get(f"/connectors/{row.pk}/setup/on/").content.decode()


def test_a_refused_test_asks_nothing_and_another_connectors_test_is_not_found() -> None:
    row, other, client = practice_row(), Connector.objects.create(name="Other", vendor="practice"), person("operator")
    Connector.objects.filter(pk=row.pk).update(settings={"script": "key"})
    html = practise(client, row).content.decode()
    assert "Do you see it" not in html
    assert answer_seen(client, row, "yes").status_code == 404
    Trial.objects.update(outcome="delivered")
    assert answer_seen(client, other, "yes").status_code == 404
    assert Trial.objects.get().seen is None


# --- What is held, after a good test ----------------------------------------------------------------------------------


@pytest.fixture
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.wake", lambda *args, **kwargs: None)


@pytest.mark.usefixtures("_still")
def test_a_good_test_of_a_stopped_connector_offers_to_send_what_is_held(m: Any) -> None:
    row, client = practice_row(status="paused", status_at=timezone.now(), status_by="Signalbox"), person("operator")
    for number in (70, 71):
        delivery_of(event_of(m.source, number), row, "held", "paused")
    html = practise(client, row).content.decode()
    assert "Resume and send 2 held" in html
    client.post(f"/connectors/{row.pk}/resume/", {"backlog": "send"})
    row.refresh_from_db()
    assert row.status == "active"
    assert list(Delivery.objects.filter(connector=row).values_list("status", flat=True)) == ["waiting"] * 2
    assert "It works now." not in practise(client, row).content.decode()


def test_a_refused_test_offers_nothing(m: Any) -> None:
    row = practice_row(status="paused", status_at=timezone.now())
    Connector.objects.filter(pk=row.pk).update(settings={"script": "key"})
    delivery_of(event_of(m.source, 70), row, "held", "paused")
    assert "Resume and send" not in practise(person("operator"), row).content.decode()
