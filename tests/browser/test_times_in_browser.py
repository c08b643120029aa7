"""Times are told in the reader's own zone, from the second page on: the first one has told us which it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from deliveries.models import Delivery, Event, JobRun

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]
AT = datetime(2026, 3, 1, 20, 32, 5, tzinfo=UTC)
RECEIVED = ".timeline li:has(strong:text-is('Received')) .when"


def test_full_times_of_a_delivery(page: Any, rows: Any) -> None:
    Event.objects.filter(pk=rows.failed.event_id).update(received_at=AT)
    at = page("light", f"/deliveries/{rows.failed.pk}/")
    at.context.new_cdp_session(at).send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kolkata"})
    loaded = []
    at.on("load", lambda _: loaded.append(1))
    at.reload()  # in the new zone it is looked at for the first time
    assert at.inner_text(RECEIVED) != "02 Mar 2026 02:02:05 IST"
    at.reload()
    assert at.inner_text(RECEIVED) == "02 Mar 2026 02:02:05 IST"
    assert at.get_attribute(".page-head .sub time", "title") == "02 Mar 2026 02:02:05 IST"
    assert [text for text in at.locator(".timeline .when").all_inner_texts() if not text.endswith("IST")] == []
    assert len(loaded) == 2  # no page loads itself again
    cookie = next(one for one in at.context.cookies() if one["name"] == "timezone")
    assert (cookie["value"], cookie["sameSite"]) == ("Asia/Calcutta", "Lax")  # as browsers still call it


def test_a_time_is_typed_by_the_readers_clock(page: Any, rows: Any) -> None:
    Delivery.objects.filter(pk=rows.failed.pk).update(created_at=AT)
    at = page("light", "/deliveries/")
    at.context.new_cdp_session(at).send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kolkata"})
    at.context.clear_cookies(name="timezone")
    at.reload()
    at.click("summary:text-is('Between')")
    assert at.inner_text("label[for=since]") == "From"  # the server did not know yet, and will when it is told
    at.fill("#since", "2026-03-02T02:00")
    at.fill("#until", "2026-03-02T02:05")
    at.click(".drop button:text-is('Show')")
    assert at.locator("tbody tr[data-href]").count() == 1
    at.click("summary:text-is('Between: 2 Mar 02:00 and 2 Mar 02:05')")
    assert (at.inner_text("label[for=since]"), at.input_value("#since")) == ("From", "2026-03-02T02:00")


def test_full_times_that_come_in_later(page: Any, rows: Any) -> None:
    """A part of the page that the server has sent anew is told in the same zone."""
    JobRun.objects.create(job="hourly", started_at=AT, ended_at=AT)
    at = page("light", "/jobs/")
    at.context.new_cdp_session(at).send("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})
    at.reload()
    at.clock.install()
    at.reload()
    with at.expect_response("**/jobs/live/**"):
        at.clock.fast_forward(5_000)
    at.evaluate("new Promise(done => requestAnimationFrame(done))")
    assert at.get_attribute("[data-poll] time", "title") == "01 Mar 2026 21:32:05 CET"
