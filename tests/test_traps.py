"""The known traps in how people have connected these services by hand, one test each, named after its number: those of
all services here, those of one in its own file (test_traps_*.py).

What the samples and guides do wrong is said in each docstring. The two that are the ingest's to avoid have their tests
with it: 40 and 41 (what Segment's libraries read and send).
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from deliveries.core.retry import decide
from integrations.types import Cause, Disposition, Vendor
from tests.vendors.talk import NOVU, NOW, SEGMENT, SENDERS, judge


@pytest.mark.parametrize("vendor", SENDERS, ids=lambda vendor: vendor.slug)
def test_trap_02_a_refused_key_is_a_failure(vendor: Vendor) -> None:
    """The sample takes 401 and 403 for a success."""
    for status in (401, 403):
        verdict = judge(vendor, status, "no")
        assert (verdict.disposition, verdict.cause) == (Disposition.REAUTH, Cause.KEY_REFUSED)


@pytest.mark.parametrize("vendor", SENDERS, ids=lambda vendor: vendor.slug)
def test_trap_11_time_outs_and_waits_are_retried(vendor: Vendor) -> None:
    """The samples retry 5xx and 429 only, and read no Retry-After."""
    for status, cause in (
        (408, Cause.TIMEOUT),
        (429, Cause.SLOW_DOWN),
        (500, Cause.SERVICE_ERROR),
        (503, Cause.SERVICE_ERROR),
    ):
        verdict = judge(vendor, status, "later", {"retry-after": "120"})
        assert (verdict.disposition, verdict.cause, verdict.retry_after) == (Disposition.RETRY, cause, 120.0)


def test_trap_19_addresses_are_named_regions() -> None:
    """The sample posts to whatever address is pasted, http:// included."""
    assert {region.slug: region.base_url for region in NOVU.regions} == {
        "us": "https://api.novu.co",
        "eu": "https://eu.api.novu.co",
    }
    for vendor in SENDERS:
        for region in vendor.regions:
            # The practice service's calls never leave the machine: the engine answers them itself.
            assert urlsplit(region.base_url).scheme == ("practice" if vendor.slug == "practice" else "https")
            assert urlsplit(region.base_url).hostname in vendor.allowed_hosts


@pytest.mark.parametrize("vendor", SENDERS, ids=lambda vendor: vendor.slug)
def test_trap_20_no_failure_is_a_success(vendor: Vendor) -> None:
    """A sample function ignores the answer altogether."""
    for status in (301, 400, 404, 409, 413, 422, 429, 500, 501, 502, 503):
        verdict = judge(vendor, status, "no")
        assert verdict.disposition is not Disposition.DELIVERED
        assert verdict.cause is not None


def test_trap_35_eight_attempts_are_eight_retries() -> None:
    """A guide gives seven delays, "then a final attempt", and calls that eight: the first try is not counted."""
    verdict = judge(SEGMENT, 503)
    decisions = [decide(verdict, tries_made, NOW, "standard") for tries_made in range(9)]
    waits = [(one.next_attempt_at - NOW).total_seconds() / 60 for one in decisions if one.next_attempt_at]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 360]
    assert (decisions[8].status, decisions[8].cause) == ("failed", Cause.GAVE_UP)
