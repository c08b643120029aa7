"""Finding what was about a person by their e-mail address."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.db import connection
from django.utils import timezone

from deliveries import erase, log, replay
from deliveries.accept import Accepted, store
from deliveries.core.normalise import envelope, normalise
from deliveries.models import Delivery, Event, Replay
from integrations.models import Connector
from tests.api import Api
from tests.console import person
from tests.rows import T0, connector, delivery, event, source

pytestmark = pytest.mark.django_db
ANN = "ann@example.com"


def came_in(**fields: Any) -> Event:
    """An event on its usual road into the database."""
    now = timezone.now()
    document = {"type": "track", "event": "Order", "userId": "u1", **fields}
    incoming = normalise(document, envelope(now, document))
    store([Accepted(source().pk, now, [incoming])])
    return Event.objects.get(message_id=incoming.message_id)


@pytest.mark.parametrize(
    ("fields", "email"),
    [
        ({"properties": {"email": "Ann@Example.com "}}, ANN),
        ({"properties": {"email_address": ANN}}, ANN),
        ({"properties": {"recipient": ANN}}, ANN),
        ({"properties": {"identities": {"email": ANN}}}, ANN),
        ({"traits": {"email": ANN}, "properties": {"email": "bob@example.com"}}, ANN),
        ({"context": {"traits": {"emailAddress": ANN}}}, ANN),
        ({"userId": ANN}, ANN),
        ({"anonymousId": ANN}, ANN),
        ({"properties": {"email": "nobody"}}, ""),
        ({"properties": {"email": ["ann@example.com"]}, "context": "x", "traits": 7}, ""),
        ({"properties": {"email": "x" * 300 + "@example.com"}}, "x" * 255),
    ],
)
def test_an_event_is_stored_with_its_address(fields: dict[str, Any], email: str) -> None:
    assert came_in(**fields).email == email


def test_deliveries_and_events_are_found_by_the_whole_address_only() -> None:
    to = connector()
    mine = delivery(to, event=event(email=ANN))
    as_id = delivery(to, event=event(user_id=ANN))
    delivery(to, event=event(email=f"x{ANN}"))
    delivery(to, event=event())
    assert {row.pk for row in log.deliveries({"email": "ANN@example.com"})} == {mine.pk, as_id.pk}
    assert {row.pk for row in log.events({"email": ANN})} == {mine.event_id, as_id.event_id}
    status, body = Api("viewer").get(f"deliveries/?email={ANN}")
    assert (status, {row["id"] for row in body["results"]}) == (200, {mine.pk, as_id.pk})


@pytest.mark.parametrize("path", ["/deliveries/", "/events/"])
def test_the_search_box_takes_an_address(path: str) -> None:
    mine, other = delivery(connector(), event=event(email=ANN)), delivery(Connector.objects.get())
    page = person("operator").get(path, {"q": ANN}).content.decode()
    assert link(path, mine) in page
    assert link(path, other) not in page


@pytest.mark.parametrize("path", ["/deliveries/", "/events/"])
def test_a_viewer_cannot_find_out_whose_events_there_are(path: str) -> None:
    mine = delivery(connector(), event=event(email=ANN))
    client = person("viewer")
    page = client.get(path, {"q": ANN}).content.decode()
    assert "Your role sees no personal data, so it cannot look for an address. Nothing was searched." in page
    assert link(path, mine) not in page
    assert link(path, mine) in client.get(path).content.decode()
    assert client.get("/deliveries/export/", {"q": ANN}).status_code == 400


def link(path: str, row: Delivery) -> str:
    return f'href="{path}{row.pk if path == "/deliveries/" else row.event_id}/"'


@pytest.mark.parametrize("rows", [log.of_email(ANN), log.deliveries({"email": ANN})], ids=["events", "deliveries"])
def test_the_search_walks_an_index(rows: Any) -> None:
    to, place, made = connector(), source(), []
    for number in range(2000):  # so many that no planner would rather read them all
        about = {"message_id": f"m{number}", "user_id": f"u{number}", "email": f"{number}@example.com"}
        made.append(Event(source=place, type="track", name="Order", body="{}", received_at=T0, **about))
    Event.objects.bulk_create(made)
    Delivery.objects.bulk_create([Delivery(event=row, connector=to, status="delivered", created_at=T0) for row in made])
    with connection.cursor() as cursor:
        for table in ("event", "delivery"):
            cursor.execute(f"ANALYZE deliveries_{table}")
    plan = rows.order_by().explain()
    assert "event_by_email" in plan
    assert "SCAN deliveries_event" not in plan
    assert "Seq Scan on deliveries_event" not in plan


def test_a_person_is_found_by_an_address_however_old_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.admin.journey.LOOKED_AT", 0)
    event("Long ago", email=ANN, user_id="u7")
    event("Without it", user_id="u7")
    page = person("operator").get("/find/", {"q": "Ann@Example.com"}).content.decode()
    assert "Long ago" in page
    assert "Without it" in page


def test_an_erasure_takes_the_address_with_it() -> None:
    delivery(connector(), "failed", event=event(user_id="u1", email=ANN))
    replay.start({"email": ANN.upper()}, by="Ann")
    now = timezone.now()
    erase.ask(["u1"], [], by="Ann", now=now)
    erase.advance_all(now)
    assert Event.objects.get().email == ""
    assert Replay.objects.get().filters == {"email": "(erased)"}
    assert ANN not in orjson.dumps(list(Event.objects.values_list("email", "body"))).decode()
