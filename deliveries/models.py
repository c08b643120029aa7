"""What flows: events in, deliveries through the queue, attempts in the log, replays.

The Delivery row is the queue and the truth. Foreign keys of the hot tables have no database constraint: checking them
costs a third of the insert rate, rows are only made by ``accept`` and ``replay``, and configuration is never deleted
while history points to it (PROTECT).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from deliveries.core import documents
from integrations.models import Connector, Source
from integrations.types import Cause


class Status(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    RETRYING = "retrying", "Retrying"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"
    HELD = "held", "Held"
    SKIPPED = "skipped", "Skipped"


CAUSES = [(cause.value, cause.value.replace("_", " ")) for cause in Cause]
# Literally in every claim: a partial index is used only where its own condition stands in the query.
DUE = "('waiting', 'retrying', 'sending')"


def one_of(field: str, values: Iterable[str]) -> Q:
    """A condition for a constraint: ``field`` is one of the values, the usual ones first.

    SQLite makes a table of an ``IN (…)`` for every row that it checks, which was half the cost of a new delivery.
    """
    return reduce(or_, (Q(**{field: value}) for value in values))


class Event(models.Model):
    """One event as it came in, normalised to the Segment spec. ``body`` is its JSON text; ``refused`` says why it was
    refused at the door (then it has no deliveries). With ``erased_at`` it is the shell that is left after its person's
    erasure: no ids, no content, but its message id still keeps a repeated one out, and the books still add up."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    message_id = models.CharField(max_length=255)
    type = models.CharField(max_length=10)
    name = models.CharField(max_length=255, blank=True)
    user_id = models.CharField(max_length=255, blank=True)
    anonymous_id = models.CharField(max_length=255, blank=True)
    received_at = models.DateTimeField()
    # The first address in the usual places, in lower case, for finding a person by it: see ``core.normalise``.
    email = models.CharField(max_length=255, blank=True, default="", db_default="")
    refused = models.CharField(max_length=300, blank=True)
    body = models.TextField()
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message_id", "source"], name="event_once_per_source")]
        indexes = [
            models.Index(fields=["user_id", "id"], condition=~Q(user_id=""), name="event_by_user"),
            models.Index(fields=["anonymous_id", "id"], condition=~Q(anonymous_id=""), name="event_by_anonymous"),
            models.Index(fields=["email", "id"], condition=~Q(email=""), name="event_by_email"),
            models.Index(fields=["received_at"], name="event_by_time"),
            models.Index(fields=["id"], condition=~Q(refused=""), name="event_refused"),
            models.Index(fields=["id"], condition=Q(erased_at__isnull=False), name="event_erased"),
        ]

    def __str__(self) -> str:
        return self.name or self.type

    @property
    def payload(self) -> dict[str, Any]:
        return documents.load(self.body)


class Delivery(models.Model):
    """One event going to one connector: the unit that waits, is tried, succeeds, fails and is replayed.

    While ``sending`` it is leased: ``lease_owner`` is the drain that has it, and ``next_attempt_at`` is when the lease
    runs out and the row is due again. ``lane`` is 0 for live traffic, 1 for a replay of many, which is sent when
    nothing live waits, 2 for what was tried before: retries keep their times even while the connector rests.
    """

    event = models.ForeignKey(Event, on_delete=models.PROTECT, db_constraint=False, related_name="deliveries")
    connector = models.ForeignKey(
        Connector, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    cause = models.CharField(max_length=20, choices=CAUSES, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lane = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=40, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    sent_as = models.CharField(max_length=255, blank=True)
    notes = models.TextField(blank=True)
    replay_of = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        db_index=False,
        related_name="replays",
    )
    replay = models.ForeignKey(
        "Replay",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    as_sent = models.BooleanField(default=False)
    # Who replayed this one by hand; of a replay of many, the job knows. The engine writes ``notes`` anew at every try.
    replayed_by = models.CharField(max_length=150, blank=True, default="", db_default="")

    class Meta:
        verbose_name_plural = "deliveries"
        permissions = [("replay_delivery", "Can replay deliveries")]
        constraints = [
            models.CheckConstraint(condition=one_of("status", Status.values), name="delivery_status_known"),
            models.CheckConstraint(
                condition=one_of("cause", ["", *(cause.value for cause in Cause)]), name="delivery_cause_known"
            ),
            models.CheckConstraint(
                condition=Q(next_attempt_at__isnull=False) | ~one_of("status", ["waiting", "sending", "retrying"]),
                name="delivery_open_has_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["connector", "lane", "next_attempt_at"],
                condition=Q(status__in=["waiting", "retrying", "sending"]),
                name="delivery_due",
            ),
            models.Index(fields=["connector", "id"], name="delivery_by_connector"),
            models.Index(fields=["created_at"], name="delivery_by_time"),
            models.Index(
                # By status, in the order of lists. The others only stand in it: what is counted is then in the index.
                fields=["status", "id", "connector", "cause", "event"],
                condition=Q(status__in=["failed", "retrying", "held", "skipped"]),
                name="delivery_unusual",
            ),
            models.Index(fields=["replay_of"], condition=Q(replay_of__isnull=False), name="delivery_replays"),
            models.Index(fields=["replay", "status"], condition=Q(replay__isnull=False), name="delivery_of_replay"),
        ]

    def __str__(self) -> str:
        return f"Delivery {self.pk}"

    @property
    def open(self) -> bool:
        return self.status in (Status.WAITING, Status.SENDING, Status.RETRYING)


class Attempt(models.Model):
    """One HTTP request made for a delivery: append-only, redacted and cut before it is stored.

    ``request`` and ``response`` are JSON texts of method, url, headers and of status, headers; the bodies stand beside
    them. In a batch call the request body is this event's part, and ``batch_size`` says how many travelled together.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, db_constraint=False, related_name="log")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    request = models.TextField()
    request_body = models.TextField(blank=True)
    response = models.TextField(blank=True)
    response_body = models.TextField(blank=True)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    batch_size = models.PositiveIntegerField(default=1)
    outcome = models.CharField(max_length=10)
    cause = models.CharField(max_length=20, blank=True)
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            # What was accepted is nearly everything and needs no index: the newest are found at once.
            models.Index(
                fields=["response_status", "delivery"], condition=Q(response_status__gte=300), name="attempt_by_refusal"
            )
        ]

    def __str__(self) -> str:
        return f"Try {self.number}"


class Replay(models.Model):
    """A replay of many: who asked, for which filter, and how far it is. Its deliveries carry its id."""

    class State(models.TextChoices):
        PREPARING = "preparing", "Preparing"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"

    state = models.CharField(max_length=10, choices=State, default=State.PREPARING)
    filters = models.JSONField(default=dict)
    as_sent = models.BooleanField(default=False)
    include_delivered = models.BooleanField(default=False)
    total = models.PositiveIntegerField(default=0)
    made = models.PositiveIntegerField(default=0)
    last_id = models.BigIntegerField(default=0)  # the newest original looked at so far
    up_to_id = models.BigIntegerField(default=0)  # the newest original there was when it was asked for
    per_minute = models.PositiveIntegerField(null=True, blank=True)  # None: as fast as the connectors take them
    next_moment = models.DateTimeField(null=True, blank=True)  # the first that is free, with a speed
    taken_until = models.DateTimeField(null=True, blank=True)  # a task goes on with it: see deliveries.replay_turns
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["preparing", "running", "done", "stopped"]), name="replay_state_known"
            )
        ]

    def __str__(self) -> str:
        return f"Replay {self.pk}"


class Lane(models.Model):
    """What the drains of all workers must agree on about one connector.

    ``failures``: failed calls in a row that were the service's fault. ``resting_since``: set while the connector rests
    and only one probe at a time is sent. ``next_probe_at``: not before this. ``next_slot_at``: for a connector with a
    speed limit, the next free moment; drains reserve theirs by moving it. ``holder``: with a limit of calls at once,
    the only drain that may serve it, until ``held_until``. ``stops_at``: set while it is about to be stopped; a probe
    that is refused after this stops it.
    """

    connector = models.OneToOneField(Connector, primary_key=True, on_delete=models.CASCADE, related_name="+")
    failures = models.PositiveIntegerField(default=0)
    key_refusals = models.PositiveIntegerField(default=0)
    resting_since = models.DateTimeField(null=True, blank=True)
    next_probe_at = models.DateTimeField(null=True, blank=True)
    stops_at = models.DateTimeField(null=True, blank=True)
    next_slot_at = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=40, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Lane of connector {self.connector_id}"


class Heartbeat(models.Model):
    """A worker cluster's sign of life, written by the tasks that its workers run."""

    cluster = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.cluster


class Pump(models.Model):
    """One row that coalesces wake-ups: a drain is queued only when none is queued yet (``woken_at``), and of all drains
    only one stays to wait for retries that are due soon (``linger_owner`` until ``linger_until``)."""

    woken_at = models.DateTimeField(null=True, blank=True)
    linger_owner = models.CharField(max_length=40, blank=True)
    linger_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="pump_single_row")]

    def __str__(self) -> str:
        return "Pump"


from deliveries.alarm import AlertRule as AlertRule  # noqa: E402  # the models of alarms stand in their own file
from deliveries.alarm import AlertTarget as AlertTarget  # noqa: E402  # as above
from deliveries.alarm import Problem as Problem  # noqa: E402  # as above
from deliveries.erasures import Erasure as Erasure  # noqa: E402  # as above
from deliveries.jobs import JobRun as JobRun  # noqa: E402  # as above
from deliveries.ledger import Book as Book  # noqa: E402  # as above
from deliveries.resumptions import Resumption as Resumption  # noqa: E402  # as above
from deliveries.tally import Tally as Tally  # noqa: E402  # as above
from deliveries.trials import Trial as Trial  # noqa: E402  # as above
