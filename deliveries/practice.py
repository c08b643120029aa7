"""Practice data: a source that sends survey events, and four connectors that work, refuse, shake and wait.

Everything in it is made by the product's own code; only the services are made up (``integrations.vendors.practice``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.core.cache import cache
from django.db import transaction
from django.db.models import Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from deliveries import books, hold, queue, tally
from deliveries.accept import Accepted, accept_now
from deliveries.alarm import Problem
from deliveries.core import normalise
from deliveries.counting import Counted, at_most, some
from deliveries.engine.writing import write_transaction
from deliveries.lifeline import stopping
from deliveries.log import newest_of
from deliveries.models import Attempt, Delivery, Event, Lane, Replay
from deliveries.tally import Tally
from integrations.history import Change
from integrations.models import Connector, EventRule, Source
from integrations.templatetags.console import plural

SOURCE = "Practice website"
SECONDS = 60  # one event in each of them, then …
EVERY = 30  # … one in so many, while somebody looks on
# What the console keeps of counts for a while; it is wrong once the practice data is gone.
COUNTED = ("overview:numbers", *(f"overview:bars:{kept}" for kept in (5, 15, 120, 600)), "names", "recent-names")
LANGUAGES = ("en", "nl", "english", "fr")
NAMES = ("Flow Viewed", "Response Submitted", "Flow Dismissed")


def loaded() -> bool:
    return _sources().exists()


def loss() -> str:
    """What goes with the practice data, in words; "" where none is loaded. One query, because every page says it."""
    connectors = Connector.objects.filter(vendor="practice")
    each = connectors.annotate(count=Counted(some(newest_of(OuterRef("pk")))))
    total = each.values("vendor").annotate(total=Sum("count")).values("total")
    found = _sources().values_list(Counted(connectors.values("pk")), Coalesce(Subquery(total), 0)).first()
    return f"{plural(found[0], 'connector')} and {at_most(found[1], 'delivery')}" if found else ""


def _sources() -> QuerySet[Source]:
    """By a mark of its own: people may rename it."""
    return Source.objects.filter(settings__practice=True)


def load(by: str = "the practice data") -> None:
    """Make the source and its connectors, and have events sent for a minute. Nothing if it is there already.

    ``by`` pauses one of them. Without a person it must not be Signalbox, whose pauses are problems that it tells of.
    """
    now = timezone.now()
    with transaction.atomic():
        if loaded():
            return
        source = Source.objects.create(name=SOURCE, vendor="surveys", settings={"practice": True})
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
    """Delete the practice source, every connector to a made-up service, and all that they had."""
    with write_transaction():
        sources = list(_sources())
        if not sources:
            return
        connectors = list(Connector.objects.filter(vendor="practice"))
        ids = [connector.pk for connector in connectors]
        _forget(Q(event__source__in=sources) | Q(connector__in=ids))
        Event.objects.filter(source__in=sources).delete()
        Replay.objects.filter(filters__connector__in=[str(key) for key in ids]).delete()
        Problem.objects.filter(connector__in=ids).delete()
        Lane.objects.filter(connector__in=ids).delete()
        Change.objects.filter(kind="connector", object_id__in=ids).delete()
        Change.objects.filter(kind="source", object_id__in=[source.pk for source in sources]).delete()
        for row in (*connectors, *sources):
            row.delete()
    cache.delete_many(COUNTED)


def _forget(which: Q) -> None:
    """Delete these deliveries with their tries, the replays that had no others, and the counts of their hours."""
    rows = Delivery.objects.filter(which)
    ids = list(rows.values_list("id", flat=True))
    if not ids:
        return
    first = rows.aggregate(first=Min("created_at"))["first"]
    books.count_again(set(rows.values_list("connector_id", flat=True)), first)
    replays = set(rows.exclude(replay=None).values_list("replay_id", flat=True))
    Delivery.objects.filter(id__in=ids).delete()
    Attempt.objects.filter(delivery__in=ids).delete()  # second, for the tries that were being written down meanwhile
    others = Delivery.objects.filter(replay__in=replays).values("replay_id")
    Replay.objects.filter(id__in=replays).exclude(id__in=others).delete()
    Problem.objects.filter(sample__in=ids).update(sample=None)
    # Those hours are counted again by the sweep; the log of older ones may be gone, and their counts stay.
    Tally.objects.filter(hour__gte=first - tally.HOUR).delete()


def send(seconds: int = SECONDS) -> None:
    """One event a second, as a website's visitors would cause them, until the time is up or it is removed."""
    source = _sources().first()
    for document in _documents(range(seconds)):
        if source is None or stopping() or not _accept(source, document, timezone.now()):
            return
        time.sleep(1)


def send_one(now: datetime) -> None:
    """One more event, for whoever still looks on: the console asks while a page of it is open.

    Every half a minute has one message id, so that many open pages make no more events than one.
    """
    source = _sources().first()
    if source is None or now - source.created_at < timedelta(seconds=SECONDS):
        return  # the first minute has its own events
    number = int(now.timestamp()) // EVERY
    document = next(_documents(range(number, number + 1)))
    _accept(source, {**document, "messageId": f"evt_practice_{number}"}, now)


def _accept(source: Source, document: dict[str, Any], now: datetime) -> bool:
    """Take the event in; False, with nothing left of it, when the practice data is gone."""
    event = normalise.normalise(document, normalise.envelope(now, {}))
    accept_now(Accepted(source.pk, now, [event]))
    if _sources().filter(pk=source.pk).exists():
        return True
    _forget(Q(event__source=source.pk))  # removed meanwhile, perhaps just before this event came
    Event.objects.filter(source=source.pk).delete()
    return False


def _documents(numbers: range) -> Iterator[dict[str, Any]]:
    for number in numbers:
        person = f"user_{number % 7 + 1}"
        common = {"messageId": f"evt_{uuid4().hex[:16]}", "userId": person, "anonymousId": f"anon_{number % 7 + 1}"}
        if number % 8 == 3:
            language = LANGUAGES[number // 8 % len(LANGUAGES)]
            traits = {
                "email": f"{person}@example.com",
                "phone": f"+1555555{1000 + number % 9000}",
                "language": language,
            }
            yield {"type": "identify", **common, "traits": traits}
            continue
        properties = {"survey_id": "srv_welcome", "app_id": "app_demo", "organization_id": "org_demo"}
        yield {"type": "track", "event": NAMES[number % 3], **common, "properties": properties}


def _connector(name: str, source: Source, script: str, now: datetime, **fields: Any) -> Connector:
    settings = {"script": script, "since": int(now.timestamp())}
    secrets: Any = {"api_key": "practice-key-old" if script == "key" else "practice-key-ok"}
    connector = Connector.objects.create(
        name=name,
        vendor="practice",
        settings=settings,
        secrets=secrets,
        status_at=now,
        **fields,
    )
    connector.sources.add(source)
    return connector
