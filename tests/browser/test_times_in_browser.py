"""Times are told in the reader's own zone, which is named; UTC where no script runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from deliveries.models import Event, JobRun
from tests.console import person

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]
AT = datetime(2026, 3, 1, 20, 32, 5, tzinfo=UTC)
RECEIVED = ".timeline li:has(strong:text-is('Received')) .when"


def test_full_times_of_a_delivery(page: Any, rows: Any) -> None:
    Event.objects.filter(pk=rows.failed.event_id).update(received_at=AT)
    at = page("light", f"/deliveries/{rows.failed.pk}/")
    at.context.new_cdp_session(at).send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kolkata"})
    at.reload()
    assert at.inner_text(RECEIVED) == "02 Mar 2026 02:02:05 GMT+5:30"
    assert at.get_attribute(".page-head .sub time", "title") == "02 Mar 2026 02:02:05 GMT+5:30"
    assert [text for text in at.locator(".timeline .when").all_inner_texts() if "GMT+5:30" not in text] == []
    html = person("owner").get(f"/deliveries/{rows.failed.pk}/").content.decode()
    assert '<time datetime="2026-03-01T20:32:05+00:00" data-full>01 Mar 2026 20:32:05 UTC</time>' in html


def test_full_times_that_come_in_later(page: Any, rows: Any) -> None:
    """A part of the page that the server has sent anew is told in the same zone."""
    JobRun.objects.create(job="hourly", started_at=AT, ended_at=AT)
    at = page("light", "/jobs/")
    at.context.new_cdp_session(at).send("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})
    at.clock.install()
    at.reload()
    with at.expect_response("**/jobs/live/**"):
        at.clock.fast_forward(5_000)
    at.evaluate("new Promise(done => requestAnimationFrame(done))")
    assert at.get_attribute("[data-poll] time", "title") == "01 Mar 2026 21:32:05 CET"
