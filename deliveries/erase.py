"""Erase a person: everything received about them until it was asked for loses its content and its ids.

What stays is a shell: the event's row with its message id, so that the same message is not taken in again, and its
deliveries with how they ended, so that the books balance. What waits, retries or is held for them is not sent any more;
a call that is under way ends, and only that it was made is kept (``engine.erased``). Attempts lose what was sent and
answered, and replays of many that were asked for by the person's id lose the id.

A person is the user ids that were asked for and the anonymous ids seen together with them. An erasure is a row and runs
in small batches, each a transaction that also notes the anonymous ids it found: it can be stopped or die between any
two, and the minute sweep goes on with it. It ends with a last look a while after it was asked for: an event received
before, but stored a moment later by a slow request, is found by that. What is received afterwards is kept: somebody who
should not come in again must not be sent here any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, F, Q, QuerySet, Value, When

from deliveries.core.documents import ERASED_BODY
from deliveries.engine import erased
from deliveries.engine.writing import write_transaction
from deliveries.erasures import Erasure
from deliveries.models import Delivery, Event, Replay, Trial
from integrations.history import record
from integrations.numbers import thousands
from integrations.types import EventKind

BATCH = 200
PAUSE = 0.02  # seconds between batches, for the writers of traffic
BUDGET = 45.0  # seconds of one task; the minute sweep queues the next
SETTLE = timedelta(seconds=60)  # by then every event received before is stored, or was answered with an error
REFUSED = "It was refused at the door; the reason went with the person it belongs to."
GONE = "(erased)"
State = Erasure.State


def ask(
    users: Iterable[str], anonymous: Iterable[str], *, spared: Iterable[str] = (), by: str, now: datetime
) -> Erasure:
    """An erasure of these ids, of all that was received until ``now``. Raises ValueError when there is nobody."""
    people: Any = {"users": _ids(users), "anonymous": _ids(anonymous), "spared": _ids(spared)}
    if not people["users"] and not people["anonymous"]:
        raise ValueError("There is nobody to erase: no id was chosen.")
    with transaction.atomic():
        erasure = Erasure.objects.create(people=people, by=by[:150], asked_at=now, next_look_at=now)
        record(by, erasure, "Asked for the erasure of a person")
        _queue()
    return erasure


def advance_all(now: datetime, *, goes_on: Callable[[], bool] | None = None) -> None:
    """Go on with every erasure that is due for a look, for as long as ``goes_on`` says so (a task's time otherwise)."""
    ends = time.monotonic() + BUDGET
    goes_on = goes_on or (lambda: time.monotonic() < ends)
    due = Erasure.objects.filter(state=State.RUNNING, next_look_at__lte=now).order_by("next_look_at")
    for erasure_id in list(due.values_list("id", flat=True)):
        if goes_on():
            advance(erasure_id, now, goes_on=goes_on)


def advance(erasure_id: int, now: datetime, *, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Erase batch by batch until nothing is left. Safe to run at any time and twice at once: the row's lock keeps runs
    apart."""
    while goes_on():
        _share_nothing(erasure_id)
        if not _batch(erasure_id, now):
            _settle(erasure_id, now)
            return
        time.sleep(PAUSE)


def due(now: datetime) -> bool:
    return Erasure.objects.filter(state=State.RUNNING, next_look_at__lte=now).exists()


def preview(users: Iterable[str], anonymous: Iterable[str]) -> dict[str, Any]:
    """What an erasure of these ids would reach now: ``ids`` (kind, id, events), ``events``, and the ``deliveries`` that
    would not be sent any more."""
    users, anonymous = _ids(users), _ids(anonymous)
    mine, nameless = _of_users(users), _of_anonymous(anonymous)
    counts = [("user", one, count) for one, count in _counted(mine, "user_id", users)]
    counts += [("anonymous", one, count) for one, count in _counted(nameless, "anonymous_id", anonymous)]
    events = mine.order_by().values("id").union(nameless.order_by().values("id"), all=True)
    still = Delivery.objects.filter(event__in=events, status__in=erased.STILL_TO_GO)
    return {"ids": counts, "events": sum(count for _, _, count in counts), "deliveries": still.count()}


def _counted(events: QuerySet[Event], name: str, ids: list[str]) -> list[tuple[str, int]]:
    """How many events each of the ids has, in one statement."""
    found = dict(events.order_by().values_list(name).annotate(count=Count("id")))
    return [(one, found.get(one, 0)) for one in ids]


def _ids(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))


def _of_users(users: list[str]) -> QuerySet[Event]:
    """Each side has an index of just that."""
    return Event.objects.filter(~Q(user_id=""), user_id__in=users)


def _of_anonymous(anonymous: list[str]) -> QuerySet[Event]:
    return Event.objects.filter(anonymous_id__in=anonymous, user_id="")


def _share_nothing(erasure_id: int) -> None:
    """What services answered to calls with several events, those of the next batch among them, also stands at events of
    other people, up to a hundred times as many: it goes first, in small transactions of its own."""
    erasure = Erasure.objects.get(pk=erasure_id)
    if erasure.state != State.RUNNING:
        return
    mine = Delivery.objects.filter(event_id__in=[event.pk for event in _next(erasure)])
    shared = erased.sharing(list(mine.values_list("id", flat=True)))
    for start in range(0, len(shared), BATCH):
        with write_transaction():
            erased.strip_answers(shared[start : start + BATCH])


def _batch(erasure_id: int, now: datetime) -> int:
    """Erase up to BATCH events; returns how many."""
    with write_transaction():
        erasure = Erasure.objects.select_for_update().get(pk=erasure_id)
        if erasure.state != State.RUNNING:
            return 0
        events = _next(erasure)
        if events:
            _learn(erasure, events)
            erasure.stopped += _erase([event.pk for event in events], now)
            erasure.events += len(events)
            erasure.save(update_fields=["people", "stopped", "events"])
    return len(events)


def _next(erasure: Erasure) -> list[Event]:
    """The next events to erase. The ``delete`` event that asked for it goes last: it is first passed on."""
    for rows in (_of_users(erasure.people["users"]), _of_anonymous(erasure.people["anonymous"])):
        rows = rows.filter(received_at__lte=erasure.asked_at)
        if erasure.source_id is not None:
            rows = rows.filter(source_id=erasure.source_id)
        if erasure.event_id is not None and _on_its_way(erasure.event_id):
            rows = rows.exclude(id=erasure.event_id)
        if found := list(rows.only("id", "type", "anonymous_id", "email", "body")[:BATCH]):
            return found
    return []


def _on_its_way(event_id: int) -> bool:
    return Delivery.objects.filter(event_id=event_id, status__in=[*erased.STILL_TO_GO, "sending"]).exists()


def _learn(erasure: Erasure, events: list[Event]) -> None:
    """Keep the anonymous ids that stand beside the person's ids, before the events lose them."""
    people = erasure.people
    found = [event.anonymous_id for event in events]
    found += [previous_id(event) for event in events if event.type == EventKind.ALIAS]
    new = [one for one in _ids(found) if one not in people["spared"] and one not in people["anonymous"]]
    people["anonymous"] += new
    people["emails"] = _ids([*people.get("emails", []), *(event.email for event in events)])


def previous_id(event: Event) -> str:
    """Of an alias event, the id the person had before."""
    try:
        value = event.payload.get("previousId")
    except (ValueError, AttributeError):
        return ""
    return value if isinstance(value, str) else ""


def _erase(event_ids: list[int], now: datetime) -> int:
    """Make shells of these events; returns how many deliveries are not sent any more. The deliveries are locked first:
    see ``engine.erased.among``."""
    mine = Delivery.objects.filter(event_id__in=event_ids).select_for_update().order_by("id")
    delivery_ids = list(mine.values_list("id", flat=True))
    stopped = erased.strip(delivery_ids, now)
    erased.strip_attempts(delivery_ids)
    Event.objects.filter(id__in=event_ids).update(
        user_id="",
        anonymous_id="",
        email="",
        body=ERASED_BODY,
        # A developer names what is tracked; a page's name may well be a person's.
        name=Case(When(type=EventKind.TRACK, then=F("name")), default=Value("")),
        refused=Case(When(refused="", then=Value("")), default=Value(REFUSED)),
        erased_at=now,
    )
    return stopped


def _settle(erasure_id: int, now: datetime) -> None:
    """Nothing is left to erase just now: done, or another look later."""
    with write_transaction():
        erasure = Erasure.objects.select_for_update().get(pk=erasure_id)
        if erasure.state != State.RUNNING:
            return
        _forget_filters(erasure.people)
        if now < erasure.asked_at + SETTLE:
            erasure.next_look_at = erasure.asked_at + SETTLE
        elif erasure.event_id is not None and _on_its_way(erasure.event_id):
            # It may be held for days: look at it the more rarely, the longer it takes.
            erasure.next_look_at = now + max(SETTLE, (now - erasure.asked_at) / 4)
        else:
            # Tests are made with real events too, and what was answered may say whose: nobody could tell them apart.
            Trial.objects.filter(at__lte=erasure.asked_at).delete()
            erasure.state, erasure.people, erasure.finished_at = State.DONE, {}, now
            counted = f"{thousands(erasure.events)} events, {thousands(erasure.stopped)} deliveries not sent any more"
            record(erasure.by, erasure, f"Erased a person: {counted}")
        erasure.save(update_fields=["state", "people", "finished_at", "next_look_at"])


def _forget_filters(people: dict[str, list[str]]) -> None:
    """A replay of many may have been asked for by the person's id or e-mail address."""
    asked_by = {"user_id": [*people["users"], *people["anonymous"]], "email": people.get("emails", [])}
    for name, values in asked_by.items():
        for replay in Replay.objects.filter(**{f"filters__{name}__in": values}):
            replay.filters = {**replay.filters, name: GONE}
            replay.save(update_fields=["filters"])


def _queue() -> None:
    from deliveries import queue

    transaction.on_commit(queue.erase)
