"""The sentences on a delivery: exact ones for what happens often. That none is empty is in test_every_cause."""

from datetime import UTC, datetime

import pytest

from deliveries.core.causes import Explanation, explain
from integrations.types import Cause

NEXT = datetime(2026, 3, 1, 14, 32, tzinfo=UTC)


def test_causes_are_told_apart() -> None:
    assert len({explain("failed", cause, http_status=400, detail="x").headline for cause in Cause}) == len(Cause)


EXACT = [
    (
        ("failed", "key_refused"),
        {"vendor_label": "Segment", "connector_name": "segment-eu", "http_status": 401},
        Explanation(
            "Segment refused the write key.",
            "Segment answered 401. The write key saved here is wrong, was replaced over there, or may not do this. "
            "We do not try again by ourselves.",
            "Open the connector “segment-eu”, paste a fresh write key, send a test event, then replay this delivery.",
        ),
    ),
    (
        ("failed", "data_refused"),
        {"vendor_label": "SuprSend", "http_status": 400, "detail": "phone is not a valid number", "tries": 1},
        Explanation(
            "SuprSend did not accept a field of this event.",
            "SuprSend answered 400. It says: “phone is not a valid number”. "
            "The same event would get the same answer, so we do not try again.",
            "Look at that field in the mapping of the connector, correct it there or in the event, "
            "then replay this delivery.",
        ),
    ),
    (
        ("failed", "data_refused"),
        {"vendor_label": "SuprSend", "detail": "userId is longer than the 255 characters that SuprSend takes"},
        Explanation(
            "Not sent: SuprSend would not accept this event.",
            "userId is longer than the 255 characters that SuprSend takes. So nothing was sent.",
            "Compare what we sent with what SuprSend asks for, correct the connector's mapping or the event, "
            "then replay this delivery. If that does not help, copy the details of this delivery for your engineer.",
        ),
    ),
    (
        ("failed", "data_refused"),
        {
            "vendor_label": "SuprSend",
            "http_status": 400,
            "detail": "phone is not a valid number",
            "tries": 1,
            "field": "phone",
        },
        Explanation(
            "SuprSend did not accept one field.",
            "SuprSend answered 400. It says: “phone is not a valid number”. "
            "The same event would get the same answer, so we do not try again.",
            "Look at “phone” in the mapping of the connector, correct it there or in the event, "
            "then replay this delivery.",
        ),
    ),
    (
        ("failed", "not_found"),
        {
            "vendor_label": "Novu",
            "http_status": 422,
            "detail": "Novu has no workflow with this identifier.",
            "asked": "abandoned-cart",
        },
        Explanation(
            "Novu does not know this workflow.",
            "Novu answered 422. Novu has no workflow with this identifier. Wrong region, or the workflow "
            "“abandoned-cart” was renamed or never published in this environment.",
            "Look for “abandoned-cart” in Novu: put its new identifier into the event, or into the events of the "
            "connector. If it is there, check the region, then replay this delivery.",
        ),
    ),
    (
        ("failed", "too_large"),
        {"vendor_label": "Segment", "http_status": 413},
        Explanation(
            "The event is too big for Segment.",
            "Segment answered 413. Segment takes up to 32 kB for one event.",
            "Leave out large fields with a filter, or send less in the event; then replay this delivery.",
        ),
    ),
    (
        ("retrying", "slow_down"),
        {"vendor_label": "Novu", "http_status": 429, "tries": 1, "max_tries": 9, "next_attempt_at": NEXT},
        Explanation(
            "Novu asked us to slow down.",
            "Novu answered 429. It gets more calls than it wants to take just now. "
            "Try 1 of 9 is done; the next one is at 14:32 UTC.",
            "Nothing: we wait and try again by ourselves. If it happens every day, lower the speed limit.",
        ),
    ),
    (
        ("retrying", "service_error"),
        {
            "vendor_label": "Segment",
            "http_status": 503,
            "tries": 3,
            "max_tries": 9,
            "schedule": "1, 2, 4 … 64 minutes, last within 6 hours",
            "next_attempt_at": NEXT,
        },
        Explanation(
            "Segment had a problem on its side.",
            "Segment answered 503. That has nothing to do with this event. "
            "We keep trying: 1, 2, 4 … 64 minutes, last within 6 hours. "
            "Try 3 of 9 is done; the next one is at 14:32 UTC.",
            "Nothing yet: we try again by ourselves.",
        ),
    ),
    (
        ("retrying", "unreachable"),
        {"vendor_label": "Novu", "detail": "The name api.novu.co does not exist.", "next_attempt_at": NEXT},
        Explanation(
            "Novu could not be reached.",
            "The name api.novu.co does not exist. The trouble lies between us and Novu, not in the event. "
            "The next try is at 14:32 UTC.",
            "Nothing yet: we try again by ourselves. If it stays like this, check the address.",
        ),
    ),
    (
        ("failed", "tls"),
        {"host": "hooks.example.com", "connector_name": "hook", "detail": "hooks.example.com: it has expired"},
        Explanation(
            "The security certificate of hooks.example.com is not valid.",
            "hooks.example.com: it has expired. Without a valid certificate we cannot know who would read the event, "
            "so nothing was sent.",
            "Ask whoever runs hooks.example.com to renew the certificate, or check the address of the connector “hook”,"
            " then replay this delivery.",
        ),
    ),
    (
        ("failed", "blocked_address"),
        {"detail": "hooks.internal is 10.0.0.5, inside our own network."},
        Explanation(
            "We do not call this address.",
            "hooks.internal is 10.0.0.5, inside our own network. Addresses inside our own network, and hosts that are "
            "not the service's, are closed to connectors.",
            "Correct the address. If it is meant to be inside the network, Settings → Network says how it is allowed "
            "(with ALLOWED_PRIVATE_NETWORKS); then replay this delivery.",
        ),
    ),
    (
        ("failed", "redirect"),
        {"http_status": 301, "detail": "https://new.example.com/hook"},
        Explanation(
            "The address sends us elsewhere.",
            "The service answered 301. It points to https://new.example.com/hook. We do not follow, because the event "
            "and the key would go to somebody else.",
            "Open the connector, enter the new address if you trust it, then replay this delivery.",
        ),
    ),
    (
        ("failed", "refused_by_service"),
        {"vendor_label": "Novu", "http_status": 201, "detail": "Novu took the call but sends nothing: no steps."},
        Explanation(
            "Novu took the call but sends nothing.",
            "Novu answered 201. Novu took the call but sends nothing: no steps.",
            "Check in Novu that the workflow is switched on and has steps, then replay this delivery.",
        ),
    ),
    (
        ("failed", "mapping_missing"),
        {"vendor_label": "Novu", "connector_name": "novu", "detail": "This event has no user.subscriberId."},
        Explanation(
            "Not sent: this event has no user.subscriberId.",
            "Novu needs it, so nothing was sent.",
            "Choose another field in the mapping of the connector “novu”, or send the missing one along, "
            "then replay this delivery.",
        ),
    ),
    (
        ("failed", "gave_up"),
        {"vendor_label": "Segment", "http_status": 502, "tries": 9, "detail": "service_error: Bad Gateway"},
        Explanation(
            "We stopped after 9 tries.",
            "The last time: Segment had a problem on its side. Segment answered 502. It says: “Bad Gateway”. "
            "That has nothing to do with this event. No further try follows by itself.",
            "Replay this delivery when Segment works again.",
        ),
    ),
    (
        ("failed", "gave_up"),
        {"vendor_label": "Novu", "tries": 1, "detail": "timeout: api.novu.co did not answer in time."},
        Explanation(
            "We stopped after 1 try.",
            "The last time: Novu did not answer in time. api.novu.co did not answer in time. Novu may have received "
            "the event all the same. No further try follows by itself.",
            "Replay this delivery when Novu works again.",
        ),
    ),
    (
        ("held", "paused"),
        {"connector_name": "novu", "event_name": "Flow Viewed"},
        Explanation(
            "Waiting: the connector is paused.",
            "“Flow Viewed” is kept here and uses up no tries.",
            "Resume the connector “novu”; you choose there what happens to the held events.",
        ),
    ),
    (
        ("skipped", "switched_off"),
        {"event_name": "Flow Dismissed", "detail": "Flow Dismissed is switched off in this connector's events."},
        Explanation(
            "Not sent on purpose: “Flow Dismissed” is switched off.",
            "Flow Dismissed is switched off in this connector's events. That is a setting, not a failure.",
            "If it should go out, switch it on in the connector, then replay this delivery.",
        ),
    ),
    (
        ("skipped", "filtered"),
        {"detail": "Left out by the filter “drop when type = 'page'”."},
        Explanation(
            "Not sent on purpose: a filter left out this event.",
            "Left out by the filter “drop when type = 'page'”. That is a setting, not a failure.",
            "If it should go out, change the filter in the connector, then replay this delivery.",
        ),
    ),
    (
        ("delivered", ""),
        {"vendor_label": "Segment", "http_status": 200, "duration_ms": 1200},
        Explanation(
            "Segment accepted the event.",
            "Segment answered 200 in 1 200 ms.",
            "If you do not see it in Segment, check that the write key belongs to the source you look at, and the "
            "region: Segment answers 200 to a wrong key and to the wrong region as well.",
        ),
    ),
    (
        ("waiting", None),
        {"vendor_label": "Novu"},
        Explanation(
            "Waiting to be sent.", "This event is stored and in line for Novu.", "Nothing: it goes out by itself."
        ),
    ),
    (
        ("sending", None),
        {},
        Explanation(
            "Being sent now.",
            "This event is on its way to the service; the answer is not here yet.",
            "Nothing: the result shows here in a moment.",
        ),
    ),
]


@pytest.mark.parametrize(("state", "known", "expected"), EXACT)
def test_exact_sentences(state: tuple, known: dict, expected: Explanation) -> None:
    assert explain(*state, **known) == expected


def test_a_long_answer_is_cut_and_its_braces_are_left_alone() -> None:
    found = explain("failed", "data_refused", http_status=400, tries=1, detail="{who} " + "x" * 500)
    assert found.explanation.startswith("The service answered 400. It says: “{who} xxx")
    assert "x" * 193 + "…”." in found.explanation
    assert "x" * 194 not in found.explanation
