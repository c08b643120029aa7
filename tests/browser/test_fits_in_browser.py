"""What must fit in a real browser: the words of the chart, new lines of forms, addresses of people. That no page is
scrolled sideways is seen where all of them are visited."""

from __future__ import annotations

from typing import Any

import pytest

from config.models import User
from integrations.models import Connector
from tests.browser.conftest import LOOKS
from tests.browser.visiting import OUT_OF_SIGHT, WIDTHS

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


def test_a_new_line_of_a_connectors_tables_fits_too(page: Any, rows: Any) -> None:
    at = page(path=f"/connectors/{rows.connector.pk}/")
    for button in ("Add an event", "Add a filter"):
        at.get_by_text(button).click()
        for width in WIDTHS:
            at.set_viewport_size({"width": width, "height": 800})
            assert at.evaluate(OUT_OF_SIGHT) <= 0, (button, width)


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
