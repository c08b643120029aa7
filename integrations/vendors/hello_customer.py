"""Hello Customer: asks a person for feedback, by adding a respondent to a touchpoint. API V1.0.

Documentation: https://hellocustomer.help/article/236 (authentication, one call a second)

Every accepted call sends that person a survey, so nothing goes out without an e-mail address; pages, screens and
aliases go out only where the events table says so; deletions never do. Its answers are not documented: any 2xx counts
as accepted. To prepare: an API token, the touchpoint's id and the id of the survey's language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from integrations.types import (
    Cause,
    ConnectorConfig,
    Event,
    EventKind,
    Json,
    NotSent,
    OutgoingRequest,
    Region,
    Setting,
    Vendor,
)
from integrations.vendors._values import FIRST_NAMES, LAST_NAMES, at, bare_token, first_text, text

BASE_URL = "https://api.hellocustomer.com"
EMAILS = ("email",)
# A metadata value that begins like this is where to look; any other value is the text itself.
PATH_ROOTS = ("properties.", "traits.", "context.")
PATHS = frozenset({"userId", "anonymousId", "messageId", "timestamp", "event"})
SETTINGS = (
    Setting(
        name="touchpoint_id",
        label="Touchpoint id",
        help="The touchpoint whose survey people get.",
        where_to_find="In Hello Customer: open the touchpoint; its unique id is shown with its settings.",
        pattern=r"[^\s/]+",
        pattern_hint="An id has no spaces and no slashes.",
    ),
    Setting(
        name="language_id",
        label="Language id",
        help="The language the survey is sent in, by its unique id.",
        where_to_find="In Hello Customer: the languages of the touchpoint, each with its unique id.",
        placeholder="00000000-0000-0000-0000-000000000000",
    ),
    Setting(
        name="culture",
        label="Culture",
        required=False,
        default="EN",
        help="The language code in Hello Customer's address. EN unless they told you another one.",
        pattern=r"[A-Za-z]{2}(-[A-Za-z]{2})?",
        pattern_hint="Two letters, such as EN.",
    ),
    Setting(
        name="metadata",
        label="Metadata",
        kind="map",
        required=False,
        default={},
        help="Extra facts sent along, such as team. Each is a text of your own, or where to find it in the event: "
        "properties.store, traits.plan, userId.",
    ),
    Setting(
        name="api_key",
        label="API token",
        secret=True,
        help="Lets us add respondents in your name.",
        where_to_find="Made in the Hello Customer platform. Paste it as shown there, with or without “basic” in front.",
        pattern=r"(?i:basic\s+)?\S+",
        pattern_hint="A token has no spaces.",
    ),
)


def build(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    """Respondent/Add. Raises NotSent(mapping_missing) for an event without an e-mail address."""
    holders = (event.properties, event.payload.get("traits"), at(event.payload, "context.traits"))
    email = first_text(EMAILS, *holders)
    if not email:
        raise NotSent(
            Cause.MAPPING_MISSING,
            "this event has no email (looked for in properties, traits and context.traits)",
        )
    metadata, notes = _metadata(event, config)
    touchpoint = text(config.setting("touchpoint_id"))
    respondent: dict[str, Json] = {
        "firstName": first_text(FIRST_NAMES, *holders),
        "lastName": first_text(LAST_NAMES, *holders),
        "email": email,
        "custom_UniqueID": event.message_id,
        "campaign_UniqueID": touchpoint,
        "language_UniqueID": text(config.setting("language_id")),
        "keyValues": metadata,
    }
    culture = quote(text(config.setting("culture", "EN")), safe="")
    return OutgoingRequest(
        url=f"{config.base_url}/V1.0/{culture}/Campaign/{quote(touchpoint, safe='')}/Respondent/Add",
        headers={
            # The token is encoded already; encoding it again makes it another one.
            "Authorization": f"basic {bare_token(config.secret('api_key'), 'basic')}",
            "Content-Type": "application/json",
        },
        json={key: value for key, value in respondent.items() if value != ""},
        notes=notes,
    )


def _metadata(event: Event, config: ConnectorConfig) -> tuple[dict[str, str], tuple[str, ...]]:
    """``keyValues``: texts only. What the event does not have is left out, with a note."""
    wanted = config.setting("metadata", {})
    values: dict[str, str] = {}
    notes: list[str] = []
    for key, rule in wanted.items() if isinstance(wanted, Mapping) else ():
        path = rule.strip() if isinstance(rule, str) else ""
        if not (path in PATHS or path.startswith(PATH_ROOTS)):
            values[key] = _as_text(rule)
        elif (found := _find(event, path)) is not None:
            values[key] = _as_text(found)
        else:
            notes.append(f"Metadata “{key}” is left out: this event has no {path}.")
    return values, tuple(notes)


def _find(event: Event, path: str) -> Json:
    if path.startswith("traits."):
        return at(event.traits, path.removeprefix("traits."))
    return at(event.payload, path)


def _as_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return text(value) or json.dumps(value, ensure_ascii=False)


VENDOR = Vendor(
    slug="hello_customer",
    label="Hello Customer",
    summary="Ask people for feedback right after something happened: adds them to a touchpoint that sends the survey.",
    docs_url="https://hellocustomer.help/article/236",
    prepare=(
        "In Hello Customer, make an API token and copy it.",
        "Open the touchpoint that should send the survey and copy its unique id.",
        "Copy the unique id of the language the survey is sent in.",
        "Put the touchpoint in production: before that, Hello Customer refuses respondents.",
    ),
    settings=SETTINGS,
    regions=(Region(slug="global", label="Hello Customer", base_url=BASE_URL),),
    allowed_hosts=("api.hellocustomer.com",),
    # No deletions: a person who asks to be forgotten must not get a survey.
    builders={kind: build for kind in EventKind if kind is not EventKind.DELETE},
    off_by_default=frozenset({EventKind.PAGE, EventKind.SCREEN, EventKind.ALIAS}),
    rate_limit=1.0,
    max_concurrency=1,
    deduplicates=False,
    test_event={
        "type": "track",
        "event": "Order Delivered",
        "userId": "user_123",
        "properties": {"firstName": "Jane", "lastName": "Doe", "email": "jane@example.com", "order_id": "1001"},
    },
    look_at="Hello Customer → your touchpoint → Respondents",
    not_there=(
        "Is it the touchpoint whose unique id is saved here?",
        "Is the touchpoint in production? Before that, respondents are refused.",
        "Is the respondent there, but no survey came? Look at when the touchpoint sends it, and in which language.",
    ),
)
