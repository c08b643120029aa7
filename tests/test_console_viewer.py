"""What a viewer sees of people: nothing, also where a service names them. And links lead to pages that are there."""

from __future__ import annotations

import orjson
import pytest

from deliveries.models import Delivery
from integrations.models import Connector
from tests import rows
from tests.console import event_of, made, person

pytestmark = pytest.mark.django_db


def test_a_viewer_sees_no_personal_fields() -> None:
    m = made()
    viewer, operator = person("viewer"), person("operator")
    identify = {"type": "identify", "messageId": "i1", "userId": "u", "traits": {"email": "secret@example.com"}}
    event_of(m.source, 90, type="identify", name="", user_id="u", body=orjson.dumps(identify).decode())
    connector = f"/connectors/{Connector.objects.create(name='Maps fields', vendor='suprsend').pk}/"
    assert "secret@example.com" in person("editor").get(connector).content.decode()
    assert "secret@example.com" not in viewer.get(connector).content.decode()
    for page in ("/deliveries/", f"/deliveries/{m.failed.pk}/", f"/events/{m.failed.event_id}/", "/deliveries/export/"):
        assert "user_1" in operator.get(page).content.decode(), page
        html = viewer.get(page).content.decode()
        assert "user_1" not in html, page
        assert "p1@example.com" not in html, page


def test_a_viewer_does_not_see_whom_a_service_named_in_its_answer() -> None:
    m = made()
    answer, note = "user_1 (ann@example.com) is not known", "Left out: phone of user_1"
    Delivery.objects.filter(pk=m.failed.pk).update(cause="data_refused", detail=answer, notes=note)
    headers = orjson.dumps({"status": 400, "headers": {"X-Contact": "ann@example.com"}}).decode()
    body = orjson.dumps({"code": 7, "said": answer}).decode()  # so that what it says in short is shown above it
    m.failed.log.update(detail=answer, response_body=body, response_status=400, response=headers)
    page = f"/deliveries/{m.failed.pk}/"
    pages = (page, f"{page}?replayed={m.failed.pk}", f"{page}result/", f"/problems/{m.problem.pk}/")
    operator, viewer = person("operator"), person("viewer")
    for page in pages:
        assert "user_1 (ann@example.com) is not known" in operator.get(page).content.decode(), page
        html = viewer.get(page).content.decode()
        assert "us•••• (••••) is not known" in html, page
        assert "user_1" not in html, page
        assert "ann@example.com" not in html, page


def test_a_delivery_of_a_removed_connector_does_not_lead_to_it() -> None:
    m = made()
    link = f'href="/connectors/{m.failed.connector_id}/"'
    client = person("owner")
    assert link in client.get(f"/deliveries/{m.failed.pk}/").content.decode()
    Connector.objects.filter(pk=m.failed.connector_id).update(archived_at=rows.T0)
    assert link not in client.get(f"/deliveries/{m.failed.pk}/").content.decode()


@pytest.mark.parametrize(("role", "told"), [("viewer", True), ("operator", False), ("owner", False)])
def test_who_only_looks_on_is_told_who_can_do_what_is_to_be_done(role: str, told: bool) -> None:
    m = made()
    words = "Your role looks on: an operator, an editor or an owner can do this."
    for address in (f"/deliveries/{m.failed.pk}/", f"/problems/{m.problem.pk}/"):
        assert (words in person(role).get(address).content.decode()) is told, address
