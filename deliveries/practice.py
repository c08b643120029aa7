"""Practice data: a source that sends survey events, and four connectors that work, refuse, shake and wait.

Everything in it is made by the product's own code; only the services are made up (``integrations.vendors.practice``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from deliveries import hold, queue
from deliveries.accept import Accepted, accept_now
from deliveries.core import normalise
from deliveries.lifeline import stopping
from deliveries.models import Attempt, Delivery, Event, Lane, Replay
from integrations.models import Connector, EventRule, Source

SOURCE = "Practice website"
SECONDS = 60
LANGUAGES = ("en", "nl", "english", "fr")
NAMES = ("Flow Viewed", "Response Submitted", "Flow Dismissed")


def loaded() -> bool:
    return Source.objects.filter(name=SOURCE).exists()


def load(by: str) -> None:
    """Make the source and its connectors, and have events sent for a minute. Nothing if it is there already."""
    now = timezone.now()
    with transaction.atomic():
        if loaded():
            return
        source = Source.objects.create(name=SOURCE, vendor="surveys")
        works = _connector("Segment (practice)", source, "works", now)
        EventRule.objects.create(connector=works, kind="track", name="Flow Dismissed", send=False)
        EventRule.objects.create(connector=works, kind="track", name="Response Submitted", send_as="survey_responded")
        refuses = _connector("Hello Customer (practice)", source, "key", now, other_events="skip")
        EventRule.objects.create(connector=refuses, kind="track", name="Response Submitted")
        _connector("Novu (practice)", source, "shaky", now, retry=[2, 4, 8, 8, 8])
        waits = _connector("SuprSend (practice)", source, "works", now)
        hold.pause(waits, by=by, reason="The new welcome mail is not ready yet")
        transaction.on_commit(queue.practise)


def remove() -> None:
    """Delete the practice source, its connectors and all that they had."""
    with transaction.atomic():
        source = Source.objects.filter(name=SOURCE).first()
        if source is None:
            return
        connectors = Connector.objects.filter(vendor="practice")
        deliveries = Delivery.objects.filter(event__source=source)
        replays = set(deliveries.exclude(replay=None).values_list("replay_id", flat=True))
        Attempt.objects.filter(delivery__in=deliveries.values("id")).delete()
        Delivery.objects.filter(id__in=list(deliveries.values_list("id", flat=True))).delete()
        Event.objects.filter(source=source).delete()
        Replay.objects.filter(id__in=replays).delete()
        Lane.objects.filter(connector__in=connectors).delete()
        for connector in connectors:
            connector.delete()
        source.delete()


def send(seconds: int = SECONDS) -> None:
    """One event a second, as a website's visitors would cause them, until the time is up or it is removed."""
    for document in _documents(seconds):
        source = Source.objects.filter(name=SOURCE).first()
        if source is None or stopping():
            return
        now = timezone.now()
        event = normalise.normalise(document, normalise.envelope(now, {}))
        accept_now(Accepted(source.pk, now, [event]))
        time.sleep(1)


def _documents(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        person = f"user_{number % 7 + 1}"
        common = {"messageId": f"evt_{uuid4().hex[:16]}", "userId": person, "anonymousId": f"anon_{number % 7 + 1}"}
        if number % 8 == 3:
            language = LANGUAGES[number // 8 % len(LANGUAGES)]
            traits = {"email": f"{person}@example.com", "phone": f"+1555555{1000 + number}", "language": language}
            yield {"type": "identify", **common, "traits": traits}
            continue
        properties = {"survey_id": "srv_welcome", "app_id": "app_demo", "organization_id": "org_demo"}
        yield {"type": "track", "event": NAMES[number % 3], **common, "properties": properties}


def _connector(name: str, source: Source, script: str, now: datetime, **fields: Any) -> Connector:
    settings = {"script": script, "since": int(now.timestamp())}
    connector = Connector.objects.create(
        name=name,
        vendor="practice",
        settings=settings,
        secrets={"api_key": "practice-key-old" if script == "key" else "practice-key-ok"},
        status_at=now,
        **fields,
    )
    connector.sources.add(source)
    return connector
