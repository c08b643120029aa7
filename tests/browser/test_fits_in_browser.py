"""What must fit in a real browser: the words of the chart, the buttons of lists, addresses of people."""

from __future__ import annotations

from typing import Any

import pytest

from config.models import User
from integrations.models import Connector
from tests.browser.conftest import LOOKS
from tests.browser.extremes import of_extremes
from tests.browser.test_console_in_browser import addresses

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


# How many pixels of the page, and of its lists, are out of sight until they are scrolled to.
OUT_OF_SIGHT = """Math.max(...[document.documentElement, ...document.querySelectorAll(".table-scroll")]
    .map(e => e.scrollWidth - e.clientWidth))"""
# The ends of each range of widths that the style sheet tells apart, and some between. It is tight at the narrow ends.
WIDTHS = (320, 390, 600, 860, 861, 1000, 1100, 1101, 1180, 1260, 1261, 1280, 1440)
NARROW_ENDS = (320, 861, 1101, 1261)


@pytest.mark.parametrize("extreme", [False, True])
def test_nothing_is_scrolled_sideways_at_any_width(page: Any, live_server: Any, rows: Any, extreme: bool) -> None:
    Connector.objects.filter(pk=rows.paused.pk).update(name="Customer data platform (Frankfurt)")
    places = [address for address, _ in of_extremes(rows).values()] if extreme else addresses(rows)
    at, wrong = page(), {}
    for address in places:
        at.goto(f"{live_server.url}{address}")
        for width in WIDTHS if extreme else NARROW_ENDS:
            at.set_viewport_size({"width": width, "height": 800})
            if (pixels := at.evaluate(OUT_OF_SIGHT)) > 0:
                wrong[address, width] = pixels
    assert wrong == {}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_new_line_of_a_connectors_tables_fits_too(page: Any, rows: Any, width: int) -> None:
    at = page(path=f"/connectors/{rows.connector.pk}/")
    at.set_viewport_size({"width": width, "height": 800})
    for button in ("Add an event", "Add a filter"):
        at.get_by_text(button).click()
        assert at.evaluate(OUT_OF_SIGHT) <= 0, button


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


LINES = """parts => [...document.querySelectorAll(parts)].flatMap(part => [...part.childNodes]
    .filter(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
    .map(node => { const range = document.createRange(); range.selectNodeContents(node);
                   return [node.data, range.getClientRects().length]; }))"""


def test_a_long_address_breaks_between_its_parts_on_a_phone(page: Any, rows: Any) -> None:
    proxy = "https://segmentproxy.customerdataplatform.example.com/frankfurt"
    Connector.objects.filter(pk=rows.connector.pk).update(endpoint=proxy)
    at = page("phone", f"/connectors/{rows.connector.pk}/test/")
    lines = at.evaluate(LINES, "#panel p.mono")
    assert "".join(text for text, _ in lines).strip() == f"POST {proxy}/v1/batch"
    assert ["customerdataplatform.", 1] in lines
    assert {count for _, count in lines} == {1}
    box = at.locator("#panel p.mono").bounding_box()
    assert box["height"] > 40  # it takes several lines
