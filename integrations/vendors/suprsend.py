"""SuprSend: events that start workflows, and user profiles with channels. API v1, or SuprSend's own Segment connector.

Documentation: https://docs.suprsend.com/reference/ and https://docs.suprsend.com/docs/segment

With ``mode`` api: track → event, identify → profile edit ("Edit User Profile"), alias → merge, delete → delete.
With ``mode`` connector the event goes as it is to the address that SuprSend gives for Segment's Webhooks destination,
and the mapping is kept there. Channels are appended, never replaced: who changes an address is reached at both.
To prepare: an API key (Developers → API Keys), or the connector's key (Settings → Connectors → Segment).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

from integrations.types import (
    Cause,
    ConnectorConfig,
    CredentialCheck,
    Disposition,
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
from integrations.vendors._iso639 import LANGUAGES
from integrations.vendors._lookup import NOBODY, judge_lookup
from integrations.vendors._values import at, bare_token, stable_id, text
from integrations.verdicts import words

BASE_URL = "https://hub.suprsend.com"
CONNECTOR_PATH = "/connector/segment"
PREFIX = "segment : "  # with the space at the end: it is part of the name that SuprSend's workflows listen to
ID_LIMIT = 255
PROFILE_LIMIT = 10_240  # bytes of one profile edit
# Names beginning with $ or ss_ are SuprSend's own, apart from the few that anybody may send.
RESERVED_STARTS = ("$", "ss_")
OPEN_NAMES = (
    *("$identify", "$notification_delivered", "$notification_dismiss", "$notification_clicked"),
    *("$app_launched", "$user_login", "$user_logout"),
)
# (slug, label, trait of the reference table); the value's form for each is in ``_appended``.
CHANNELS = (
    ("email", "Email", "email"),
    ("sms", "SMS", "phone"),
    ("whatsapp", "Whatsapp", "whatsapp"),
    ("slack_email", "Slack (Email)", "slackEmail"),
    ("slack_user_id", "Slack (User ID)", "slackUserID"),
    ("androidpush_fcm", "Androidpush (FCM)", "fcmAndroidpush"),
    ("androidpush_xiaomi", "Androidpush (Xiaomi)", "xiaomiAndroidpush"),
    ("iospush_apns", "iospush (APNS)", "apnsIospush"),
)
DEFAULT_CHANNELS = ("email", "sms")
PREFERENCES = (("preferred_language", "Preferred Language", "language"),)
SETTINGS = (
    Setting(
        name="mode",
        label="How events get there",
        kind="choice",
        required=False,
        default="api",
        choices=(("api", "SuprSend's API, mapping kept here"), ("connector", "SuprSend's own Segment connector")),
        help="With the API, channels and preferences are mapped here. With their connector we pass events on as they "
        "are, and the mapping in SuprSend counts.",
    ),
    Setting(
        name="api_key",
        label="API key",
        secret=True,
        help="Decides which SuprSend workspace gets the events.",
        where_to_find="In SuprSend: Developers → API Keys. For their connector: Settings → Connectors → Segment.",
        pattern=r"(?i:Bearer\s+)?\S+",
        pattern_hint="A key has no spaces.",
    ),
    Setting(
        name="slack_access_token",
        label="Slack bot token",
        secret=True,
        required=False,
        help="Needed for the two Slack channels only: SuprSend reaches people in Slack with this token.",
        where_to_find="In Slack: your app → OAuth & Permissions → Bot User OAuth Token. It begins with xoxb-.",
        pattern=r"xox\S+",
        pattern_hint="It begins with xoxb-.",
    ),
)


def build_track(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    """``POST /event/`` ("Trigger Event"), with an idempotency key, which SuprSend keeps for ``remembers_ids``."""
    if _relays(config):
        return _relay(event, config)
    name = event.name.strip()
    if name not in OPEN_NAMES and name.lower().startswith(RESERVED_STARTS):
        raise NotSent(
            Cause.DATA_REFUSED,
            f"“{name}” begins with $ or ss_, which SuprSend keeps for itself: send it under another name, or prefixed",
        )
    if len(name) < 2:
        raise NotSent(Cause.DATA_REFUSED, f"“{name}” is too short: SuprSend wants names of two characters and more")
    document = {
        "distinct_id": _distinct_id(event),
        "event": name,
        "properties": dict(event.properties),
        "$idempotency_key": stable_id(config, event.message_id),
    }
    return _request(config, "/event/", json=document)


def build_identify(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    """The profile edit: traits are set, channels appended one by one, the preferred language set if it is one."""
    if _relays(config):
        return _relay(event, config)
    path = _user_path(_distinct_id(event))
    notes: list[str] = []
    traits = {key: value for key, value in event.traits.items() if not key.startswith("$")}
    if left_out := ", ".join(key for key in event.traits if key not in traits):
        notes.append(f"Left out: {left_out}. Traits that begin with $ are SuprSend's own.")
    operations: list[Json] = [{"$set": traits}] if traits else []
    operations += ({"$append": value} for value in _appended(event, config, notes))
    if language := _language(event, config, notes):
        operations.append({"$set": {"$preferred_language": language}})
    if not operations:
        raise NotSent(Cause.MAPPING_MISSING, "this event has no traits")
    document = {"operations": operations}
    if (size := len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())) > PROFILE_LIMIT:
        raise NotSent(Cause.TOO_LARGE, f"SuprSend takes up to 10 kB for a person; this event has {size / 1024:.0f} kB")
    return _request(config, path, method="PATCH", json=document, notes=tuple(notes))


def build_alias(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    if _relays(config):
        return _relay(event, config)
    previous = text(event.payload.get("previousId"))
    if not previous:
        raise NotSent(Cause.MAPPING_MISSING, "this event has no previousId")
    return _request(config, f"{_user_path(_distinct_id(event))}merge/", json={"from_user_id": previous})


def build_delete(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    if _relays(config):
        note = "SuprSend does not say what its connector does with deletions: check the person there, or use its API."
        return _relay(event, config, notes=(note,))
    return _request(config, _user_path(_distinct_id(event)), method="DELETE")


def build_other(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    """Pages, screens and groups: only SuprSend's own connector takes them."""
    if _relays(config):
        return _relay(event, config)
    raise NotSent(Cause.NOT_SUPPORTED, f"SuprSend's API has no use for {event.kind.value} events.")


def classify(response: Response, config: ConnectorConfig) -> Verdict | None:
    """Errors carry ``message``; a success whose body holds an error is one that says no."""
    document = response.json() if 200 <= response.status < 300 else None
    if isinstance(document, dict) and document.get("error"):
        return Verdict(disposition=Disposition.REFUSED, cause=Cause.REFUSED_BY_SERVICE, detail=words(response))
    return None


def check_key(config: ConnectorConfig) -> OutgoingRequest:
    """Asks for a person that nobody is: 404 with a good key. The connector's key can only be tried by sending."""
    if _relays(config):
        raise NotSent(Cause.NOT_SUPPORTED, "A connector key can only be checked by sending a test event.")
    return _request(config, _user_path(NOBODY), method="GET")


def _appended(event: Event, config: ConnectorConfig, notes: list[str]) -> Iterator[dict[str, Json]]:
    """One value per channel and push provider: SuprSend takes one ``$id_provider`` for a whole operation."""
    mapping = config.channels or {slug: trait for slug, _, trait in CHANNELS if slug in DEFAULT_CHANNELS}
    slack_token = config.secret("slack_access_token")
    forms = {
        "email": lambda value: {"$email": value},
        "sms": lambda value: {"$sms": value},
        "whatsapp": lambda value: {"$whatsapp": value},
        "slack_email": lambda value: {"$slack": {"email": value, "access_token": slack_token}},
        "slack_user_id": lambda value: {"$slack": {"user_id": value, "access_token": slack_token}},
        "androidpush_fcm": lambda value: {"$androidpush": value, "$id_provider": "fcm"},
        "androidpush_xiaomi": lambda value: {"$androidpush": value, "$id_provider": "xiaomi"},
        "iospush_apns": lambda value: {"$iospush": value, "$id_provider": "apns"},
    }
    for slug, label, _ in CHANNELS:
        found = at(event.traits, mapping[slug]) if mapping.get(slug) else None
        if found is None or found == "":
            continue
        if slug.startswith("slack_") and not slack_token:
            notes.append(f"Channel {label} is left out: it needs a Slack bot token, and this connector has none.")
            continue
        for value in found if isinstance(found, list) else [found]:
            if address := text(value):
                yield forms[slug](address)
            else:
                notes.append(f"Channel {label} is left out: {mapping[slug]} is not a text.")


def _language(event: Event, config: ConnectorConfig, notes: list[str]) -> str:
    """The preferred language where it is an ISO 639-1 code; the rest of the profile goes out without it."""
    trait = config.preferences.get("preferred_language")
    given = text(at(event.traits, trait)) if trait else ""
    if not given or is_language(given):
        return given.lower()
    notes.append(f"Preferred language is left out: “{given}” is not an ISO 639-1 code such as en.")
    return ""


def is_language(given: str) -> bool:
    return given.lower() in LANGUAGES


def _distinct_id(event: Event) -> str:
    user_id = text(event.user_id)
    if not user_id:
        raise NotSent(Cause.MAPPING_MISSING, "this event has no userId (SuprSend knows nobody by anonymousId)")
    if len(user_id) > ID_LIMIT:
        raise NotSent(Cause.DATA_REFUSED, f"userId is longer than the {ID_LIMIT} characters that SuprSend takes")
    return user_id


def _user_path(distinct_id: str) -> str:
    return f"/v1/user/{quote(distinct_id, safe='')}/"


def _relays(config: ConnectorConfig) -> bool:
    return config.setting("mode") == "connector"


def _relay(event: Event, config: ConnectorConfig, notes: tuple[str, ...] = ()) -> OutgoingRequest:
    return _request(config, f"{CONNECTOR_PATH}/", json=event.payload, notes=notes)


def _request(
    config: ConnectorConfig, path: str, *, method: str = "POST", json: Json = None, notes: tuple[str, ...] = ()
) -> OutgoingRequest:
    headers = {"Authorization": f"Bearer {bare_token(config.secret('api_key'), 'Bearer')}"}
    if json is not None:
        headers["Content-Type"] = "application/json"
    base_url = config.base_url.removesuffix(CONNECTOR_PATH)  # people paste the connector's whole address
    return OutgoingRequest(method=method, url=base_url + path, headers=headers, json=json, notes=notes)


VENDOR = Vendor(
    slug="suprsend",
    label="SuprSend",
    summary="Start SuprSend workflows with your events, and keep each person's channels and language up to date.",
    docs_url="https://docs.suprsend.com/docs/segment",
    prepare=(
        "In SuprSend, open Developers → API Keys and copy a key of the right workspace.",
        "For SuprSend's own connector instead: Settings → Connectors → Segment, and copy the key shown there.",
        "A changed address is added, and the old one is kept: SuprSend then notifies the person at both.",
        "A changed mapping counts for later events only: replay the past identify events afterwards.",
    ),
    settings=SETTINGS,
    regions=(Region(slug="global", label="SuprSend", base_url=BASE_URL),),
    allowed_hosts=("hub.suprsend.com",),
    builders={
        EventKind.TRACK: build_track,
        EventKind.IDENTIFY: build_identify,
        EventKind.ALIAS: build_alias,
        EventKind.DELETE: build_delete,
        EventKind.PAGE: build_other,
        EventKind.SCREEN: build_other,
        EventKind.GROUP: build_other,
    },
    classify=classify,
    remembers_ids=timedelta(hours=24),  # "Trigger Event": how long SuprSend keeps an idempotency key
    check_credentials=CredentialCheck(request=check_key, judge=judge_lookup),
    test_event={
        "type": "identify",
        "userId": "97980cfea0067",
        "traits": {
            "name": "Peter Gibbons",
            "email": "peter@example.com",
            "phone": "+15555555555",
            "language": "hi",
            "plan": "premium",
            "logins": 5,
        },
    },
    channels=CHANNELS,
    preferences=PREFERENCES,
    default_channels=DEFAULT_CHANNELS,
    preference_takes={"preferred_language": is_language},
    offered_prefix=PREFIX,
    look_at="SuprSend → Users, for a person, or Logs, for an event",
    not_there=(
        "Does SuprSend show the workspace that the key belongs to? Each workspace has users and logs of its own.",
        "Is it there, but no workflow began? The name must be the workflow's very own, with the prefix in front of it.",
        "Did a workflow begin, but nothing was sent? Does the person have a channel that the workflow uses?",
    ),
)
