"""What a connector would send for an event, and sending one as a test. The engine's own way, so that it can't differ.

Nothing is stored: no event, no delivery. A test event says so: its messageId begins with ``test_`` and its context has
``test: true``. All that comes back is redacted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Any

import orjson
from django.utils import timezone

from deliveries.alterations import Change, changes
from deliveries.core import causes, redact
from deliveries.core.named_field import asked_for
from deliveries.core.normalise import envelope, normalise
from deliveries.engine.claim import LIVE, Claimed
from deliveries.engine.perform import Caller, Result, Target, perform
from deliveries.engine.send import Sender, SendFailed
from integrations import registry
from integrations.models import Connector
from integrations.types import (
    Cause,
    ConnectorConfig,
    Disposition,
    Json,
    NotSent,
    OutgoingRequest,
    Response,
    Vendor,
    Verdict,
)

log = logging.getLogger("signalbox.test")
PREVIEW_ID = "test_preview"  # the same at every look, so that derived ids do not flicker
NOBODY = "test_nobody"
NOBODY_NOTE = (
    "This event names nobody: from a source it would be refused. For the test it belongs to the unknown visitor "
    f"{NOBODY}."
)
SKIPPING = frozenset({Cause.NOT_SUPPORTED, Cause.SWITCHED_OFF, Cause.FILTERED})
TEXT_CAP = 65_536


@dataclass(frozen=True, kw_only=True)
class Preview:
    """``request`` (method, url, headers, body as text) is what would be sent.

    Without it ``cause`` and ``detail`` say why nothing would be, and ``status`` what the delivery would become: skipped
    or failed.
    """

    request: Mapping[str, Any] | None = None
    status: str = ""
    cause: str = ""
    detail: str = ""
    sent_as: str = ""
    notes: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def would_send(self) -> bool:
        return self.request is not None


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A test event's way: what was sent, the answer, what it means, and the sentences for it.

    ``response`` has status, headers and body as text; it is None where no answer came or nothing was sent. ``outcome``
    is what a real delivery would be now: delivered, retrying, failed or skipped. By ``message_id`` it can be looked up
    at the service.
    """

    preview: Preview
    message_id: str = ""
    response: Mapping[str, Any] | None = None
    duration_ms: int = 0
    outcome: str = ""
    cause: str = ""
    detail: str = ""
    words: causes.Explanation = field(default_factory=lambda: causes.explain(""))

    @property
    def delivered(self) -> bool:
        return self.outcome == "delivered"


def preview(config: ConnectorConfig, payload: Mapping[str, Json], vendor: Vendor) -> Preview:
    """What ``config`` would send for the event ``payload``. Never raises for what stands in it; sends nothing."""
    return _run(config, payload, vendor, _Nobody())[0]


def send_test(
    config: ConnectorConfig,
    payload: Mapping[str, Json],
    vendor: Vendor,
    *,
    by: object = "",
    caller: Caller | None = None,
) -> Tested:
    """Send ``payload`` as a test event, whatever the connector's status. ``caller`` stands in for the network."""
    sender = caller or Sender()
    event = marked(payload)
    message_id = str(event["messageId"])
    # It comes from us, not from Segment: so Segment too gets the very id that it is to be looked for by.
    shown, result, answer = _run(config, event, vendor, sender, source_vendor="")
    if caller is None:
        sender.close()  # type: ignore[attr-defined]  # our own Sender, then
    if result is None or result.call is None or result.verdict is None:
        words = _words(config, vendor, shown.status, shown.cause, shown.detail)
        return Tested(
            preview=shown,
            message_id=message_id,
            outcome=shown.status,
            cause=shown.cause,
            detail=shown.detail,
            words=words,
        )
    verdict = result.verdict
    outcome = {Disposition.DELIVERED: "delivered", Disposition.RETRY: "retrying"}.get(verdict.disposition, "failed")
    cause = verdict.cause.value if verdict.cause else ""
    if outcome == "delivered":
        Connector.objects.filter(pk=config.id).update(tested_at=timezone.now())
    log.info("Test event to %s by %s: %s", config.name, by, outcome)
    return Tested(
        preview=shown,
        message_id=message_id,
        response=_answer(answer, config, vendor),
        duration_ms=result.call.duration_ms,
        outcome=outcome,
        cause=cause,
        detail=verdict.detail,
        words=_words(config, vendor, outcome, cause, verdict.detail, result),
    )


def check_credentials(config: ConnectorConfig, *, caller: Caller | None = None) -> Verdict | None:
    """Whether the service takes the key, asked without side effects; None where it has no such call."""
    vendor = registry.get(config.vendor)
    if vendor is None or vendor.check_credentials is None:
        return None
    sender = caller or Sender()
    try:
        request = vendor.check_credentials.request(config)
        return vendor.check_credentials.judge(sender.send(request, hosts=_target(config, vendor).hosts), config)
    except NotSent as refusal:
        return Verdict(disposition=Disposition.REJECTED, cause=refusal.cause, detail=refusal.detail)
    except SendFailed as failure:
        return Verdict(disposition=Disposition.RETRY, cause=failure.cause, detail=failure.detail)
    finally:
        if caller is None:
            sender.close()  # type: ignore[attr-defined]  # our own Sender, then


def marked(payload: Mapping[str, Json]) -> dict[str, Json]:
    """The event as a test event: an id of its own, and a mark for whoever receives it."""
    context = payload.get("context")
    context = {**context, "test": True} if isinstance(context, dict) else {"test": True}
    return {**payload, "messageId": f"test_{token_hex(12)}", "context": context}


class _Recorder:
    """Passes requests on and keeps the last one and its answer."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.request: OutgoingRequest | None = None
        self.response: Response | None = None

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response:
        self.request = request
        self.response = self.caller.send(request, hosts=hosts)
        return self.response


class _Nobody:
    """Sends nothing."""

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response:
        raise SendFailed(Cause.INTERNAL, "Not sent: this is a preview.")


def _run(
    config: ConnectorConfig,
    payload: Mapping[str, Json],
    vendor: Vendor,
    caller: Caller,
    source_vendor: str = "segment",
) -> tuple[Preview, Result | None, Response | None]:
    now = timezone.now()
    notes: tuple[str, ...] = ()
    if not (payload.get("userId") or payload.get("anonymousId")):  # as documentation often shows an example
        payload, notes = {**payload, "anonymousId": NOBODY}, (NOBODY_NOTE,)
    event = normalise({"messageId": PREVIEW_ID, **payload}, envelope(now, {}), "" if payload.get("type") else "track")
    if event.refused:
        return Preview(status="failed", cause=Cause.DATA_REFUSED.value, detail=event.refused), None, None
    recorder = _Recorder(caller)
    result = perform(
        [_claimed(config, event.body, now, source_vendor)], _target(config, vendor), recorder, timezone.now
    )[0]
    if recorder.request is None:
        refusal = result.not_sent or NotSent(Cause.INTERNAL, "Nothing was sent.")
        status = "skipped" if refusal.cause in SKIPPING else "failed"
        refused = Preview(status=status, cause=refusal.cause.value, detail=refusal.detail, notes=notes)
        return refused, result, None
    shown = Preview(
        request=_shown(recorder.request, config, vendor),
        sent_as=result.sent_as,
        notes=(*notes, *filter(None, result.notes.splitlines())),
        changes=tuple(changes(orjson.loads(event.body), config, vendor)),
    )
    return shown, result, recorder.response


def _claimed(config: ConnectorConfig, body: str, now: datetime, source_vendor: str) -> Claimed:
    return Claimed(
        id=0,
        connector_id=config.id,
        attempts=0,
        due=now,
        lane=LIVE,
        as_sent=False,
        replay_of_id=None,
        source_vendor=source_vendor,
        body=body,
    )


def _target(config: ConnectorConfig, vendor: Vendor) -> Target:
    from deliveries.engine.perform import allowed_hosts

    return Target(config, vendor, allowed_hosts(config, vendor))


def _shown(request: OutgoingRequest, config: ConnectorConfig, vendor: Vendor) -> dict[str, Any]:
    secrets = redact.of_connector(config, vendor)
    body = request.content().decode("utf-8", "replace")
    return {
        "method": request.method,
        "url": redact.text(request.url, secrets),
        "headers": redact.headers(request.headers, secrets),
        "body": redact.truncate(redact.text(body, secrets), TEXT_CAP),
    }


def _answer(response: Response | None, config: ConnectorConfig, vendor: Vendor) -> dict[str, Any] | None:
    if response is None:
        return None
    secrets = redact.of_connector(config, vendor)
    return {
        "status": response.status,
        "headers": redact.headers(response.headers, secrets),
        "body": redact.truncate(redact.text(response.text, secrets), TEXT_CAP),
    }


def _words(
    config: ConnectorConfig, vendor: Vendor, status: str, cause: str, detail: str, result: Result | None = None
) -> causes.Explanation:
    call = result.call if result else None
    return causes.explain(
        status,
        cause or None,
        vendor=vendor.slug,
        vendor_label=vendor.label,
        connector_name=config.name,
        detail=detail,
        http_status=call.response_status if call else None,
        duration_ms=call.duration_ms if call else None,
        tries=1 if call else 0,
        asked=asked_for(vendor.asks_for, result.request_body) if result else "",
    ).of_a_test()
