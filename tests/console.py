"""What the console's tests start from."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import orjson
from django.test import Client
from django.utils import timezone

from config.devices import Authenticator
from config.models import ApiToken, User
from deliveries.alarm import AlertRule, AlertTarget, Problem
from deliveries.models import Attempt, Delivery, Event, Replay, Trial
from integrations.models import Connector, RegionEndpoint, Source, WriteKey

EMPTY_TABLES = {f"{prefix}-{name}": "0" for prefix in ("rules", "filters") for name in ("TOTAL_FORMS", "INITIAL_FORMS")}


def person(role: str) -> Client:
    client = Client()
    user = User.objects.filter(email=f"{role}@example.com").first()
    user = user or User.objects.create_user(f"{role}@example.com", name=f"{role.title()} Jones", role=role)
    client.force_login(user, "config.backends.RoleBackend")
    return client


def event_of(source: Source, number: int, **more: Any) -> Event:
    payload = {
        "type": "track",
        "event": "Response Submitted",
        "messageId": f"m{number}",
        "userId": f"user_{number}",
        "properties": {"email": f"p{number}@example.com", "score": number},
    }
    values: dict[str, Any] = {
        "source": source,
        "message_id": f"m{number}",
        "type": "track",
        "name": "Response Submitted",
        "user_id": f"user_{number}",
        "received_at": timezone.now() - timedelta(minutes=5),
        "body": orjson.dumps(payload).decode(),
    }
    return Event.objects.create(**{**values, **more})


def delivery_of(event: Event, connector: Connector, status: str, cause: str = "", **more: Any) -> Delivery:
    now = timezone.now()
    ended = status in ("delivered", "failed", "skipped")
    return Delivery.objects.create(
        event=event,
        connector=connector,
        status=status,
        cause=cause,
        created_at=event.received_at,
        finished_at=now if ended else None,
        next_attempt_at=now + timedelta(minutes=4) if status in ("waiting", "retrying") else None,
        **more,
    )


def attempt_of(delivery: Delivery, code: int, answer: str = "{}", **more: Any) -> Attempt:
    values: dict[str, Any] = {
        "delivery": delivery,
        "number": 1,
        "started_at": timezone.now(),
        "duration_ms": 120,
        "request": '{"method": "POST", "url": "https://api.segment.io/v1/batch", "headers": {"X-Test": "1"}}',
        "request_body": delivery.event.body,
        "response": '{"headers": {"content-type": "application/json"}}',
        "response_body": answer,
        "response_status": code,
        "outcome": delivery.status,
        "cause": delivery.cause,
    }
    return Attempt.objects.create(**{**values, **more})


def connector_form(region: Any) -> dict[str, str]:
    """What a browser posts for an unchanged connector without sources and tables."""
    return {"region": str(region.pk), "other_events": "send", "retry_choice": "standard", **EMPTY_TABLES}


def made() -> SimpleNamespace:
    """One of everything: four connectors, a source with a key, deliveries, a replay, a token, a viewer."""
    now = timezone.now()
    source = Source.objects.create(name="website")
    region = RegionEndpoint.objects.filter(vendor="segment").first()
    segment = {"vendor": "segment", "secrets": {"write_key": "wk_very_secret_1234"}, "region": region}
    rolled: Any = {"old_secrets": {"signing_secret": "whsec_old"}, "old_secrets_until": now + timedelta(hours=1)}
    connector = Connector.objects.create(name="Segment – production", **segment, **rolled)
    connector.sources.add(source)
    paused = Connector.objects.create(name="Paused one", status="paused", status_at=now, **segment)
    off = Connector.objects.create(name="Off one", status="off", status_at=now, **segment)
    draft = Connector.objects.create(name="Draft", status="off", **segment)
    failed = delivery_of(event_of(source, 1), connector, "failed", "key_refused", attempts=1)
    attempt_of(failed, 401, '{"message": "Invalid key"}')
    delivered = delivery_of(event_of(source, 2), connector, "delivered", attempts=1)
    attempt_of(delivered, 200)
    held = delivery_of(event_of(source, 3), paused, "held", "paused")
    return SimpleNamespace(
        source=source,
        key=WriteKey.issue(source),
        connector=connector,
        paused=paused,
        off=off,
        draft=draft,
        failed=failed,
        delivered=delivered,
        held=held,
        trial=Trial.objects.create(connector=connector, name="A", outcome="delivered", headline="Accepted."),
        replay=Replay.objects.create(state="running", total=5),
        problem=Problem.objects.create(connector=connector, kind="key_refused", cause="key_refused", sample=failed),
        rule=AlertRule.objects.create(kind="failing", connector=connector, limit=9),
        target=AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com"),
        hook=AlertTarget.objects.create(
            kind="webhook",
            name="hook",
            address="https://a.example",
            enabled=False,
            secret="whsec_old",
            old_secret="whsec_older",
            old_secret_until=now + timedelta(hours=1),
        ),
        address=RegionEndpoint.objects.create(vendor="segment", slug="own", label="Own", base_url="https://a.example"),
        secured=Authenticator.objects.create(user=User.objects.create_user("s@example.com", name="S"), confirmed=True),
        token=ApiToken.issue("script", "viewer")[0],
        viewer=User.objects.create_user("v@example.com", name="V", role="viewer"),
        forms={"connector": connector_form(region)},
    )
