"""What must fit in a real browser: the words of the chart, the buttons of lists, addresses of people."""

from __future__ import annotations

from typing import Any

import pytest

from config.models import User
from integrations.models import Connector
from tests.browser.conftest import LOOKS

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]
OVERLAPS = """() => {
  const all = [...document.querySelectorAll(".chart text")].map((e) => e.getBoundingClientRect());
  const boxes = all.filter((b) => b.width);
  return boxes.filter((a, i) => boxes.some((b, j) => i < j &&
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length;
}"""


@pytest.mark.parametrize("span", ["1h", "24h", "7d", "30d"])
def test_no_words_of_the_chart_touch_on_a_phone(page: Any, rows: Any, span: str) -> None:
    at = page("phone", f"/?range={span}")
    assert at.locator(".chart text").count() > 8
    assert at.evaluate(OVERLAPS) == 0


CUT_OFF = """[...document.querySelectorAll(".table-scroll")].map(e => e.scrollWidth - e.clientWidth)"""


@pytest.mark.parametrize("width", [1100, 1280])
def test_no_button_of_a_list_is_out_of_sight(page: Any, live_server: Any, rows: Any, width: int) -> None:
    Connector.objects.filter(pk=rows.paused.pk).update(name="Customer data platform (Frankfurt)")
    at = page()
    at.set_viewport_size({"width": width, "height": 800})
    cut = {}
    for name in ("", "connectors/", "sources/", "deliveries/", "problems/", "people/", "names/", "replays/", "jobs/"):
        at.goto(f"{live_server.url}/{name}")
        cut[name] = max(at.evaluate(CUT_OFF))
    at.goto(f"{live_server.url}/connectors/{rows.connector.pk}/")
    for button in ("Add an event", "Add a filter"):
        at.get_by_text(button).click()
        cut[button] = max(at.evaluate(CUT_OFF))
    assert set(cut.values()) == {0}, cut


@pytest.mark.parametrize("look", LOOKS)
def test_an_address_in_the_list_of_people_breaks_before_its_at_or_not_at_all(page: Any, rows: Any, look: str) -> None:
    User.objects.create_user("christina.papadopoulos@events.example-company.com", name="Christina")
    at = page(look, "/people/")
    lines = at.evaluate("""[...document.querySelectorAll("td .small")].map(cell => [...cell.childNodes]
        .filter(part => part.nodeType === Node.TEXT_NODE)
        .map(part => { const range = document.createRange(); range.selectNodeContents(part);
                       return [part.data, range.getClientRects().length]; }))""")
    assert [["owner", 1], ["@example.com", 1]] in lines
    assert [["christina.papadopoulos", 1], ["@events.example-company.com", 1 if look != "phone" else 2]] in lines
