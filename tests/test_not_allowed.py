"""What an address answers that only takes a press of a button, when it is opened."""

from __future__ import annotations

import pytest

from tests.console import made, person

pytestmark = pytest.mark.django_db


def test_a_button_that_is_opened_as_a_page_says_so_and_leads_to_where_it_is() -> None:
    m = made()
    pages = {
        f"/connectors/{m.connector.pk}/test/send/": f"/connectors/{m.connector.pk}/test/",
        f"/connectors/{m.connector.pk}/pause/": f"/connectors/{m.connector.pk}/",
        f"/sources/{m.source.pk}/keys/{m.key.pk}/roll/": f"/sources/{m.source.pk}/",
        "/replays/start/": "/replays/",
        "/practice/remove/": "/",
        "/two-step/start/": "/two-step/",
    }
    for address, above in pages.items():
        answer = person("owner").get(address)
        assert (answer.status_code, answer["Allow"]) == (405, "POST"), address
        page = answer.content.decode()
        assert "This address is a button, not a page" in page
        assert f'<a class="button primary" href="{above}">To the page with the button</a>' in page
        assert person("owner").get(above).status_code == 200


@pytest.mark.parametrize("address", ["/api/v1/deliveries/", "/v1/track"])
def test_a_program_is_answered_as_a_program(address: str) -> None:
    answer = person("owner").put(address)
    assert answer["Content-Type"].startswith("application/json")


def test_a_name_that_it_does_not_answer_to_is_told_with_what_to_do() -> None:
    answer = person("owner").get("/", headers={"host": "<b>box.example.com:8000"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Signalbox does not know this name" in page
    assert "It was opened as <strong>&lt;b&gt;box.example.com:8000</strong>" in page
    assert "<code>ALLOWED_HOSTS</code>" in page
    assert "Back to the overview" not in page  # which would lead here again
