"""Novu: triggers workflows for a subscriber and keeps subscribers up to date. API v1 (events) and v2 (subscribers).

Documentation: https://docs.novu.co/api-reference/events/trigger-event

A track event triggers a workflow: the one that ``properties.name`` says, or the one chosen in the events table.
``transactionId`` is Novu's own protection against a second send, so it is the same on every retry and replay; for how
long Novu remembers one depends on the plan, so ``remembers_ids`` is not said. ``Idempotency-Key`` is not used, because
Novu keeps errors under it for a day ("Idempotency"). A 201 is no success yet: ``data.status`` says whether anything
will be sent. To prepare: the secret key of the environment, and its region.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from integrations.types import (
    Batch,
    Cause,
    ConnectorConfig,
    CredentialCheck,
    Event,
    EventKind,
    Json,
    NotSent,
    OutgoingRequest,
    Region,
    Response,
    Setting,
    Vendor,
    Verdict,
)
from integrations.vendors._lookup import NOBODY, judge_lookup
from integrations.vendors._novu_answers import UNSAID, judge_refusal, judge_result
from integrations.vendors._values import FIRST_NAMES, LAST_NAMES, at, bare_token, first_text, stable_id, text
from integrations.verdicts import DELIVERED, by_status

TRIGGER = "/v1/events/trigger"
# Subscriber fields of the trigger call and of the subscriber, with the names a trait may have.
OWN_NAMES = {name: (name,) for name in ("email", "phone", "locale")}
RECIPIENT_FIELDS: Mapping[str, tuple[str, ...]] = {**OWN_NAMES, "firstName": FIRST_NAMES, "lastName": LAST_NAMES}
SUBSCRIBER_FIELDS = {**RECIPIENT_FIELDS, "avatar": ("avatar",), "timezone": ("timezone",)}
# What a connector's tables may say otherwise: which trait holds the field.
CHANNELS = (("email", "Email", "email"), ("sms", "SMS", "phone"))
PREFERENCES = (("preferred_language", "Preferred language", "locale"),)
FIELD_OF = {"email": "email", "sms": "phone", "preferred_language": "locale"}
SETTINGS = (
    Setting(
        name="api_key",
        label="API key",
        secret=True,
        help="The secret key of one Novu environment; it decides which environment is notified.",
        where_to_find="In Novu: API Keys → Secret Key, with the right environment chosen.",
        pattern=r"(?i:ApiKey\s+)?\S+",
        pattern_hint="A key has no spaces.",
    ),
    Setting(
        name="environment",
        label="Only events of this environment",
        required=False,
        help="Only track events whose environment property is exactly this text are sent; the rest is skipped. "
        "Empty sends them all.",
        placeholder="production",
    ),
    Setting(
        name="workflow_from",
        label="Workflow chosen by",
        kind="choice",
        required=False,
        default="property",
        choices=(("property", "The event's own name property"), ("events", "The events table")),
        help="With the events table, “send as” is the workflow's identifier, and only listed events trigger anything. "
        "With the name property, whoever can send events can trigger any workflow.",
    ),
    Setting(
        name="payload_style",
        label="Payload",
        kind="choice",
        required=False,
        default="nested",
        choices=(("nested", "payload.eventProperties.…"), ("flat", "payload.…")),
        help="Where the workflow finds the event's properties: {{payload.eventProperties.plan}} or {{payload.plan}}.",
    ),
)


def item(event: Event, config: ConnectorConfig) -> Json:
    """One trigger. Raises NotSent: filtered for another environment, mapping_missing with every missing field."""
    properties = event.properties
    wanted, environment = text(config.setting("environment")), text(properties.get("environment"))
    if wanted and environment and environment != wanted:
        raise NotSent(Cause.FILTERED, f"The event's environment is “{environment}”; only “{wanted}” is sent here.")
    workflow, missing = _workflow(event, config)
    recipient = _recipient(event, config)
    if "subscriberId" not in recipient:
        missing.append("properties.user.subscriberId and no userId")
    if wanted and not environment:
        missing.append(f"properties.environment (only “{wanted}” is sent here)")
    if missing:
        raise NotSent(Cause.MAPPING_MISSING, f"this event has no {', no '.join(missing)}")
    flat = config.setting("payload_style") == "flat"
    return {
        "name": workflow,
        "to": recipient,
        "payload": dict(properties) if flat else {"eventProperties": dict(properties)},
        "transactionId": stable_id(config, event.message_id),
    }


def build_track(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    return _request(config, TRIGGER, json=item(event, config))


def bulk_request(config: ConnectorConfig, body: bytes) -> OutgoingRequest:
    return _request(config, f"{TRIGGER}/bulk", body=body)


def build_identify(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    """Create or update the subscriber; traits that Novu has no field for go into its ``data``."""
    traits = event.traits
    subscriber: dict[str, Json] = {"subscriberId": _user_id(event)}
    taken: set[str] = set()
    for field, names in _names(SUBSCRIBER_FIELDS, config).items():
        taken.update(names)
        if found := first_text(names, traits):
            subscriber[field] = found
    others = {key: value for key, value in traits.items() if key not in taken and value is not None}
    if data := {key: value for key, value in others.items() if _fits_data(value)}:
        subscriber["data"] = data
    left_out = ", ".join(key for key in others if key not in data)
    note = f"Left out: {left_out}. Novu's subscriber data takes texts, numbers and lists of them."
    return _request(config, "/v2/subscribers", json=subscriber, notes=(note,) if left_out else ())


def build_delete(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    return _request(config, f"/v2/subscribers/{quote(_user_id(event), safe='')}", method="DELETE")


def classify(response: Response, config: ConnectorConfig) -> Verdict | None:
    if 200 <= response.status < 300:
        return judge_result(at(response.json(), "data"))
    if response.status in (400, 422):
        return judge_refusal(response)
    return None


def classify_each(response: Response, config: ConnectorConfig, count: int) -> Sequence[Verdict]:
    """One verdict per event of a bulk call, in order. What the answer leaves out is tried again: the same
    ``transactionId`` keeps it from being sent twice."""
    if not 200 <= response.status < 300:
        return [classify(response, config) or by_status(response)] * count
    results = at(response.json(), "data")
    results = results[:count] if isinstance(results, list) else []
    return [judge_result(result) or DELIVERED for result in results] + [UNSAID] * (count - len(results))


def check_key(config: ConnectorConfig) -> OutgoingRequest:
    """Asks for a subscriber that nobody has: 404 with a good key, 401 with a bad one."""
    return _request(config, f"/v2/subscribers/{NOBODY}", method="GET")


def _workflow(event: Event, config: ConnectorConfig) -> tuple[str, list[str]]:
    """The workflow's identifier, and the names of what is missing for it."""
    if config.setting("workflow_from") != "events":
        name = text(event.properties.get("name"))
        return name, [] if name else ["properties.name (the workflow's identifier)"]
    chosen = {rule.send_as or rule.name for rule in config.rules}
    if event.name.removeprefix(config.prefix) not in chosen:
        return "", [f"workflow in the events table for “{event.name}”"]
    return event.name, []


def _names(fields: Mapping[str, tuple[str, ...]], config: ConnectorConfig) -> Mapping[str, tuple[str, ...]]:
    """The names of the traits that hold each field: the connector's own choice, else the usual ones."""
    chosen = {**config.channels, **config.preferences}
    return {**fields, **{FIELD_OF[slug]: (path,) for slug, path in chosen.items() if path and slug in FIELD_OF}}


def _recipient(event: Event, config: ConnectorConfig) -> dict[str, Json]:
    """``properties.user``; the event's own user, with what ``context.traits`` knows, where that names nobody."""
    user = event.properties.get("user")
    user = user if isinstance(user, dict) else {}
    subscriber_id = text(user.get("subscriberId"))
    holders: tuple[Json, ...] = (user,) if subscriber_id else (user, event.traits)
    recipient: dict[str, Json] = {"subscriberId": found} if (found := subscriber_id or text(event.user_id)) else {}
    for field, names in _names(RECIPIENT_FIELDS, config).items():
        if value := first_text(names, *holders):
            recipient[field] = value
    return recipient


def _user_id(event: Event) -> str:
    if user_id := text(event.user_id):
        return user_id
    raise NotSent(Cause.MAPPING_MISSING, "this event has no userId (Novu's subscriberId)")


def _fits_data(value: Json) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(isinstance(one, str | int | float) for one in values)


def _request(
    config: ConnectorConfig,
    path: str,
    *,
    method: str = "POST",
    json: Json = None,
    body: bytes | None = None,
    notes: tuple[str, ...] = (),
) -> OutgoingRequest:
    headers = {"Authorization": f"ApiKey {bare_token(config.secret('api_key'), 'ApiKey')}"}
    if json is not None or body is not None:
        headers["Content-Type"] = "application/json"
    # People paste the whole trigger address as their own endpoint.
    base_url = config.base_url.partition(TRIGGER)[0]
    return OutgoingRequest(method=method, url=base_url + path, headers=headers, json=json, body=body, notes=notes)


VENDOR = Vendor(
    slug="novu",
    label="Novu",
    summary="Trigger a Novu workflow for a person, and keep Novu's subscribers up to date.",
    docs_url="https://docs.novu.co/api-reference/events/trigger-event",
    prepare=(
        "In Novu, choose the environment, open API Keys and copy the Secret Key.",
        "Note the identifier of each workflow you want to trigger: it is shown on the workflow's page.",
        "Note whether your organization is in the US or in the EU.",
    ),
    settings=SETTINGS,
    regions=(
        Region(slug="us", label="US", base_url="https://api.novu.co", note="The region of your Novu organization."),
        Region(slug="eu", label="EU", base_url="https://eu.api.novu.co"),
    ),
    allowed_hosts=("api.novu.co", "eu.api.novu.co"),
    builders={EventKind.TRACK: build_track, EventKind.IDENTIFY: build_identify, EventKind.DELETE: build_delete},
    asks_for="name",  # the workflow
    batch=Batch(
        item=item,
        request=bulk_request,
        max_events=100,
        min_events=2,
        max_bytes=512_000,  # the API takes 512 KB a call
        prefix=b'{"events":[',
        suffix=b"]}",
        kinds=frozenset({EventKind.TRACK}),
        classify_each=classify_each,
    ),
    classify=classify,
    check_credentials=CredentialCheck(request=check_key, judge=judge_lookup),
    channels=CHANNELS,
    preferences=PREFERENCES,
    default_channels=("email", "sms"),
    test_event={
        "type": "track",
        "event": "User Abandoned Cart",
        "userId": "63da8ee0c037e013fd790ffd",
        "properties": {
            "name": "abandoned-cart-recovery-workflow",
            "user": {"subscriberId": "63da8ee0c037e013fd790ffd", "email": "jane@example.com", "firstName": "Jane"},
            "environment": "development",
        },
    },
    look_at="Novu → Activity Feed",
    not_there=(
        "Does Novu show the environment that the key belongs to? Each environment has an Activity Feed of its own.",
        "Is the region the one of your organization? A key of the other one belongs to somebody else's.",
        "Is it there, but nothing was sent? Open it: does the subscriber have an address for the workflow's channel?",
    ),
)
