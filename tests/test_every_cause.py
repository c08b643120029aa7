"""No delivery without headline, explanation and remedy: walked by what there is, the statuses, causes and services
themselves, and by every number that a service can answer. Which sentences these are is in test_causes."""

import re
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from deliveries.core import cause_words as words
from deliveries.core.causes import Explanation, explain
from deliveries.core.reasons import REASONS
from deliveries.core.retry import decide
from deliveries.core.skipped_words import BY_DETAIL
from deliveries.models import Status
from integrations import registry, verdicts
from integrations.types import Cause, Disposition, Response, Verdict
from tests.vendors.subject import subject_of

UNFILLED = re.compile(r"\{\w+\}")
VENDORS = registry.vendors()
# What chooses among the sentences beside status, cause and vendor, where it can be met.
TRIED, LAST = ("retrying", "failed"), (Cause.GAVE_UP,)
CHOOSES: tuple[tuple[Any, Any, dict[str, Any]], ...] = (
    (TRIED, Cause, {"field": "phone", "tries": 1, "http_status": 400}),
    (TRIED, Cause, {"asked": "abandoned-cart", "tries": 1, "http_status": 422}),
    (("held",), Cause, {"connector_on": True}),
    (("failed",), Cause, {"tries": 0, "http_status": None}),
    *((("skipped",), Cause, {"detail": f"{start}a thing."}) for start in BY_DETAIL),
    *(
        (("failed",), LAST, {"detail": f"{cause.value}: it went wrong."})
        for cause in Cause
        if cause is not Cause.REDIRECT
    ),
)
NEXT = datetime(2026, 3, 1, 14, 32, tzinfo=UTC)
FULL = {
    "vendor": "segment",
    "vendor_label": "Segment",
    "connector_name": "segment-eu",
    "event_name": "Flow Viewed",
    "detail": "it {went} wrong",
    "host": "api.segment.io",
    "http_status": 503,
    "duration_ms": 120,
    "tries": 3,
    "max_tries": 9,
    "next_attempt_at": NEXT,
}


def whole(found: Explanation, of: object) -> None:
    """Three sentences that a person can read."""
    for said in (found, found.of_many(), found.of_a_test()):
        for text in (said.headline, said.explanation, said.what_to_do):
            assert len(text) > 5, of
            assert text[0].isupper() or text.startswith(("“", "it {went}")), (of, text)
            assert text[-1] in ".”", (of, text)
            for wrong in ("None", "  ", "..", " .", "“”"):
                assert wrong not in text, (of, text)
            assert not UNFILLED.search(text.replace("{went}", "")), (of, text)


@pytest.mark.parametrize("known", [{}, FULL], ids=["nothing known", "all known"])
@pytest.mark.parametrize("status", Status.values)
def test_every_status_and_cause_has_three_whole_sentences(status: str, known: dict) -> None:
    for cause, vendor in product((None, "", "unheard_of", *Cause), ("", "gone", *VENDORS)):
        whole(explain(status, cause, **{**known, "vendor": vendor}), (status, cause, vendor))


@pytest.mark.parametrize(("statuses", "causes", "more"), CHOOSES, ids=repr)
def test_whatever_chooses_among_the_sentences_leaves_them_whole(statuses: Any, causes: Any, more: dict) -> None:
    for status, cause, vendor in product(statuses, causes, VENDORS):
        known = {**FULL, "vendor": vendor, "vendor_label": VENDORS[vendor].label, **more}
        whole(explain(status, cause, **known), (status, cause, vendor))


@pytest.mark.parametrize("slug", [slug for slug, vendor in VENDORS.items() if vendor.sends])
def test_every_answer_of_every_service_is_explained(slug: str) -> None:
    """From the number on the wire to the sentences, by the code that judges real answers."""
    vendor, config = VENDORS[slug], subject_of(VENDORS[slug], "").config()
    for status, body in product(range(100, 600), (b"", b"{}", b"[]", b"<p>no", b'{"error": "no", "message": "no"}')):
        response = Response(status=status, headers={}, body=body, elapsed_ms=1)
        verdict = verdicts.judge(vendor, response, config, NEXT)
        for tries in (0, 8):  # the first try, and the last that there is
            made = decide(verdict, tries, NEXT, "standard")
            known = {"vendor": slug, "vendor_label": vendor.label, "http_status": status, "tries": tries + 1}
            whole(explain(made.status, made.cause, detail=made.detail, **known), (slug, status, body))


def test_every_cause_that_there_is_has_its_words() -> None:
    assert set(words.FAILED) == set(REASONS) == set(Cause)
    assert all(all(parts) for parts in (*words.FAILED.values(), *BY_DETAIL.values()))
    for disposition in set(Disposition) - {Disposition.DELIVERED}:
        cause = decide(Verdict(disposition=disposition), 0, NEXT, "standard").cause
        assert words.FAILED[Cause(cause)], disposition


@pytest.mark.parametrize(("slug", "key"), words.VENDORS)
def test_what_a_service_lets_us_say_more_is_said(slug: str, key: str) -> None:
    """No such words for a service, a cause or a status that there is not, and none that nothing leads to."""
    known: dict[str, Any] = {"vendor_label": VENDORS[slug].label, "tries": 1, "http_status": 400, "detail": "no"}
    cause, chosen = {
        "field_refused": (Cause.DATA_REFUSED, {"field": "phone"}),
        "asked_not_found": (Cause.NOT_FOUND, {"asked": "a-workflow"}),
    }.get(key, (key, {}))
    status = key if key in Status.values else "failed"
    cause = "" if status == key else Cause(cause)
    theirs = explain(status, cause, vendor=slug, **known, **chosen)
    assert theirs != explain(status, cause, vendor="gone", **known, **chosen)
    whole(theirs, (slug, key))
