"""From a stored event to what one connector sends, or why it does not. Pure: the same code runs for live traffic, for
replays and for the preview beside the form.

Order: the client's ``integrations`` switch → events table (send it?) → does the vendor handle this kind → filters →
the name it is sent under. Each refusal is a :class:`~integrations.types.NotSent` that says which rule it was.
"""

from __future__ import annotations

from typing import Any

from integrations import filters
from integrations.types import Cause, ConnectorConfig, Event, EventKind, EventRule, Json, NotSent, Vendor

KINDS = {kind.value: kind for kind in EventKind}
# The field that holds an event's name. Only track calls have event names that people rename with a prefix.
NAME_FIELDS = {EventKind.TRACK: "event", EventKind.PAGE: "name", EventKind.SCREEN: "name"}


def prepare(payload: dict[str, Json], config: ConnectorConfig, vendor: Vendor, source_vendor: str = "segment") -> Event:
    """The event as the vendor's builder gets it. ``payload`` is not changed.

    Raises NotSent with ``switched_off``, ``not_supported``, ``filtered`` (also where a filter could not be evaluated).
    """
    kind = KINDS[payload["type"]]
    name = event_name(payload)
    if not wanted_by_client(payload, config.name):
        raise NotSent(
            Cause.SWITCHED_OFF, f"The sender's own “integrations” switch leaves out {config.name} for this event."
        )
    rule = find_rule(config, kind, name)
    if rule is not None and not rule.send:
        raise NotSent(Cause.SWITCHED_OFF, f"{rule.name or kind.value} is switched off in this connector's events.")
    if kind not in vendor.builders:
        raise NotSent(Cause.NOT_SUPPORTED, f"{vendor.label} has no use for {kind.value} events.")
    if rule is None:
        _check_unlisted(kind, name, config, vendor)
    if config.filters:
        payload = filters.apply(config.filters, payload)
    outgoing = outgoing_name(config, kind, name, rule)
    if outgoing != name:
        payload = {**payload, NAME_FIELDS[kind]: outgoing}
    return Event(
        kind=kind,
        name=outgoing,
        message_id=payload["messageId"],
        user_id=text(payload.get("userId")),
        anonymous_id=text(payload.get("anonymousId")),
        timestamp=payload.get("timestamp") or "",
        received_at=payload.get("receivedAt") or "",
        payload=payload,
        source_vendor=source_vendor,
    )


def event_name(payload: dict[str, Json]) -> str:
    """The name of a track event, page or screen; "" for the other kinds."""
    field = NAME_FIELDS.get(payload["type"])
    return text(payload.get(field)) if field else ""


def outgoing_name(config: ConnectorConfig, kind: EventKind, name: str, rule: EventRule | None) -> str:
    """*Send it under this name*, with the connector's prefix in front of track events."""
    if rule is not None and rule.send_as and kind in NAME_FIELDS:
        name = rule.send_as
    return config.prefix + name if kind is EventKind.TRACK else name


def fate(config: ConnectorConfig, vendor: Vendor | None, kind: EventKind, name: str) -> tuple[bool, str]:
    """Whether such an event is sent, and under which name; filters, which look inside the event, are left out."""
    if vendor is None or kind not in vendor.builders:
        return False, ""
    rule = find_rule(config, kind, name)
    unlisted = kind not in vendor.off_by_default and config.other_events == "send"
    sent = rule.send if rule is not None else unlisted
    return sent, outgoing_name(config, kind, name, rule) if sent else ""


def find_rule(config: ConnectorConfig, kind: EventKind, name: str) -> EventRule | None:
    """The most specific line of the events table: kind and name, then name alone, then kind alone."""
    index = config.rule_index
    if not index:
        return None
    if name and (rule := index.get((kind.value, name)) or index.get(("", name))):
        return rule
    return index.get((kind.value, ""))


def wanted_by_client(payload: dict[str, Json], connector_name: str) -> bool:
    """The spec's ``integrations`` object: a name's own switch wins over ``All``; what is missing is on."""
    switches = payload.get("integrations")
    if not isinstance(switches, dict):
        return True
    value = switches.get(connector_name, switches.get("All", True))
    return value is not False


def text(value: Any) -> str:
    """Ids and names as text: numbers become their digits, null and objects become ""."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return ""
    return str(value)


def _check_unlisted(kind: EventKind, name: str, config: ConnectorConfig, vendor: Vendor) -> None:
    if kind in vendor.off_by_default:
        raise NotSent(
            Cause.SWITCHED_OFF,
            f"{vendor.label} only gets the events that are switched on for it, and {name or kind.value} is not.",
        )
    if config.other_events != "send":
        raise NotSent(Cause.SWITCHED_OFF, f"{name or kind.value} is not in the events table, and other events are off.")
