"""What ``test_console_in_browser`` asks of each page in each look, asked of the states that pages can be in: each
service's wizard and connector, each status, forms with mistakes, what folds out, long texts, and what a viewer sees.
Each in one look, because all three of every state take as long as the rest of the browser's tests."""

from __future__ import annotations

from typing import Any

import pytest

from integrations import registry
from integrations.models import Connector, EventRule
from tests.browser.extremes import of_extremes, of_mistakes
from tests.browser.places import Step, of_connections, of_settings, of_traffic
from tests.browser.visiting import WIDTHS, Visit
from tests.console import person

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]
VIEWED = (
    "", "deliveries/", "events/", "connectors/", "problems/", "replays/", "names/", "sources/", "addresses/", "alerts/",
    "history/", "settings/", "books/",
)  # fmt: skip


def of_services(m: Any) -> dict[str, tuple[str, Step | None]]:
    """A connector of each service, as somebody set it up."""
    rows = [
        Connector.objects.create(name=f"{vendor.label} here", vendor=vendor.slug, tested_at=m.connector.status_at)
        for vendor in registry.sending()
    ]
    return {row.vendor: (f"/connectors/{row.pk}/", None) for row in rows}


@pytest.mark.parametrize(
    ("part", "look"),
    [
        (of_traffic, "dark"),
        (of_connections, "phone"),
        (of_services, "dark"),
        (of_settings, "dark"),
        (of_extremes, "dark"),
        (of_mistakes, "light"),
    ],
)
def test_every_state_of_a_page(page: Any, live_server: Any, rows: Any, axe: str, part: Any, look: str) -> None:
    """The long texts at every width, too."""
    visit = Visit(page(look).context, axe, widths=WIDTHS if part is of_extremes else ())
    for address, step in part(rows).values():
        visit.to(live_server.url + address, step=step)
    assert visit.wrong == {}


def test_what_a_viewer_sees(page: Any, live_server: Any, rows: Any, axe: str) -> None:
    context = page("dark").context
    viewer = person("viewer").cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": viewer, "url": live_server.url}])
    EventRule.objects.create(connector=rows.connector, kind="track", name="Flow Viewed", send=False)
    visit = Visit(context, axe)
    own = (f"deliveries/{rows.failed.pk}/", f"events/{rows.failed.event_id}/", f"connectors/{rows.connector.pk}/")
    more = (f"problems/{rows.problem.pk}/", f"replays/{rows.replay.pk}/", f"sources/{rows.source.pk}/")
    for address in (*VIEWED, *own, *more):
        visit.to(f"{live_server.url}/{address}")
    assert visit.wrong == {}
    visit.page.goto(f"{live_server.url}/connectors/{rows.connector.pk}/")
    assert visit.page.locator("#rules .switch").is_visible()
    assert not visit.page.locator("#rules th", has_text="Remove").is_visible()
    assert not visit.page.locator("#rules td[data-label=Remove]").first.is_visible()
