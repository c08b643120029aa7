"""Which field of what was sent a refusal is about: on its own, and on the page of a delivery."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.utils import timezone

from deliveries.core.causes import Explanation, explain
from deliveries.core.named_field import asked_for, named_field
from deliveries.models import Delivery
from integrations.models import Connector, Source
from tests.console import attempt_of, delivery_of, event_of, person

SENT: dict[str, Any] = {
    "type": "track",
    "event": "Paid",
    "batch": [{"to": {"phone": "12", "subscriber_id": "x"}, "properties": {"score": 9, "language": "english"}}],
}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("phone is not a valid number", "phone"),
        ("language “english” is not a two-letter code", "language"),
        ("The field score must be below 9", "score"),
        ("score: too high", "score"),
        ("Refused because properties.score is too high", "properties.score"),
        ("batch[0].to.phone is not valid", "batch[0].to.phone"),
        ("Unknown subscriber_id", "subscriber_id"),
        ('Invalid value at "phone".', "phone"),
        ("Bad 'event'", "event"),
        # Words that need not be a field, or are none of what was sent.
        ("This event is unknown", ""),
        ("type must be known", ""),
        ("We keep score of everything", ""),
        ("email is not valid", ""),
        ("", ""),
        ("{", ""),
    ],
)
def test_a_field_is_named_where_it_is_meant(said: str, field: str) -> None:
    assert named_field(said, orjson.dumps(SENT).decode()) == field


@pytest.mark.parametrize("sent", ["", "not JSON", '{"phone": "12', "[" * 500 + "]" * 500, "7"])
def test_what_was_sent_may_be_cut_or_anything(sent: str) -> None:
    assert named_field("phone is not valid", sent) == ""


def test_a_service_without_a_mapping_is_told_of_its_settings() -> None:
    said = explain(
        "failed", "data_refused", vendor_label="Webhook", http_status=422, detail="score: low", field="score"
    )
    assert said == Explanation(
        "Webhook did not accept one field.",
        "Webhook answered 422. It says: “score: low”. "
        "The same event would get the same answer, so we do not try again.",
        "Look at “score” in the event and in the settings of the connector, correct it, then replay this delivery.",
    )


@pytest.fixture
def refused(db: None) -> Delivery:
    source = Source.objects.create(name="website")
    to = Connector.objects.create(name="To", vendor="suprsend", status_at=timezone.now())
    return delivery_of(event_of(source, 1), to, "failed", "data_refused", attempts=1, detail="score is no number")


def test_the_page_of_a_delivery_names_the_field(refused: Delivery) -> None:
    attempt_of(refused, 400)
    page = person("operator").get(f"/deliveries/{refused.pk}/").content.decode()
    assert "SuprSend did not accept one field." in page
    assert "Look at “score” in the mapping of the connector “To”" in page


def test_without_an_answer_no_field_is_looked_for(refused: Delivery) -> None:
    attempt_of(refused, 0, response_status=None)
    assert "one field" not in person("operator").get(f"/deliveries/{refused.pk}/").content.decode()


def test_the_page_says_what_the_service_asked_for_and_when_the_last_try_was(refused: Delivery) -> None:
    refused.status, refused.cause, refused.detail = "retrying", "slow_down", "too many"
    refused.next_attempt_at = timezone.now()
    refused.save()
    tried = attempt_of(refused, 429, response='{"headers": {"Retry-After": "30"}}')
    address = f"/deliveries/{refused.pk}/"
    assert "It asks us to wait 30 s." in person("operator").get(address).content.decode()
    tried.started_at = datetime(2026, 3, 1, 18, 10, tzinfo=UTC)
    tried.save()
    refused.status, refused.cause, refused.detail = "failed", "gave_up", "service_error: away"
    refused.save()
    page = person("operator").get(address).content.decode()
    assert "The last time, at 18:10 UTC on 1 March: SuprSend had a problem on its side." in page


# --- What was asked for by name ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "sent", "asked"),
    [
        ("name", '{"name": "abandoned-cart", "to": {"name": "Jane"}}', "abandoned-cart"),
        ("name", '{"to": {"name": "Jane"}}', ""),
        ("name", '{"name": 7}', ""),
        ("name", '["name"]', ""),
        ("name", '{"name": "cut', ""),
        ("name", "", ""),
        ("", '{"name": "x"}', ""),
        ("name", f'{{"name": "{"w" * 101}"}}', "w" * 100),
    ],
)
def test_what_is_asked_for(field: str, sent: str, asked: str) -> None:
    assert asked_for(field, sent) == asked


@pytest.mark.django_db
def test_the_page_names_the_workflow_that_is_not_there() -> None:
    novu = Connector.objects.create(name="Novu – production", vendor="novu")
    row = delivery_of(event_of(Source.objects.create(name="website"), 1), novu, "failed", "not_found", attempts=1)
    attempt_of(row, 404, request_body='{"name": "abandoned-cart", "to": {"subscriberId": "u"}}')
    page = person("viewer").get(f"/deliveries/{row.pk}/").content.decode()
    assert "Wrong region, or the workflow “abandoned-cart” was renamed" in page
    assert "Look for “abandoned-cart” in Novu" in page
    row.log.update(request_body='{"subscriberId": "u", "firstName": "Jane"}')  # of an identify
    page = person("viewer").get(f"/deliveries/{row.pk}/").content.decode()
    assert "Wrong region, or it is not there any more." in page
    assert "workflow" not in page
