"""Problems and whom to tell about them: the rows. What opens and ends a problem is in :mod:`deliveries.problems`."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from deliveries.core.bidi import isolated
from integrations.models import Connector
from integrations.secrets import EncryptedTextField


class AlertRule(models.Model):
    """What is worth a problem, and from which limit on. The usual ones are there from the first start; one with a
    connector counts for that connector in place of the usual one."""

    class Kind(models.TextChoices):
        KEY = "key_refused", "A service refuses our key"
        FAILING = "failing", "Many deliveries fail"
        OVERDUE = "overdue", "Deliveries wait too long"
        HELD = "held", "Held events come near their age limit"
        QUIET = "quiet", "Nothing arrives any more"
        BOOKS = "books", "A day's books do not add up"
        STOPPING = "stopping", "A connector is about to stop by itself"
        STOPPED = "stopped", "A connector has stopped by itself"
        SILENT = "silent", "The workers give no sign of life"

    kind = models.CharField("what", max_length=20, choices=Kind)
    connector = models.ForeignKey(Connector, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    limit = models.PositiveIntegerField()
    enabled = models.BooleanField("on", default=True)
    targets: models.ManyToManyField[AlertTarget, models.Model] = models.ManyToManyField(
        "AlertTarget", blank=True, related_name="+", verbose_name="to whom"
    )

    class Meta:
        app_label = "deliveries"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(limit__gte=1), name="alert_limit_positive"),
            models.UniqueConstraint(fields=["kind"], condition=Q(connector__isnull=True), name="alert_rule_once"),
            models.UniqueConstraint(fields=["kind", "connector"], name="alert_rule_once_per_connector"),
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())

    @property
    def counts(self) -> bool:
        """Whether its limit means anything: a connector stops or it does not."""
        return self.kind not in (self.Kind.STOPPING, self.Kind.STOPPED)


class AlertTarget(models.Model):
    """Who is told: somebody who signs in here, an e-mail address, a Slack web address, or a webhook that we sign.

    A person is told at the address that they sign in with, today's, and only while they may sign in.
    """

    class Kind(models.TextChoices):
        PERSON = "person", "Person"
        EMAIL = "email", "E-mail"
        SLACK = "slack", "Slack"
        WEBHOOK = "webhook", "Webhook"

    kind = models.CharField("how", max_length=10, choices=Kind)
    name = models.CharField(max_length=100)
    address = EncryptedTextField(help_text="A Slack address is a secret: whoever knows it can post.")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    secret = EncryptedTextField(blank=True, default="")
    old_secret = EncryptedTextField(blank=True, default="", editable=False)  # signs too until it ends: see recipients
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    enabled = models.BooleanField("on", default=True)
    last_sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        app_label = "deliveries"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="person", person__isnull=False) | (~Q(kind="person") & Q(person__isnull=True)),
                name="alert_target_of_a_person_has_one",
            ),
            models.UniqueConstraint(fields=["person"], name="alert_target_once_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.person or self.name}"

    def secrets_at(self, now: datetime) -> list[str]:
        """What a call is signed with: the newest first, and the replaced one while it is still good."""
        old = self.old_secret if self.old_secret_until is not None and now < self.old_secret_until else ""
        return [secret for secret in (self.secret, old) if secret]


class Problem(models.Model):
    """One thing that is wrong at one connector, or with the workers (then it has none). At most one is open for a
    connector and cause."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        SEEN = "seen", "Seen"
        SOLVED = "solved", "Solved by itself"
        CLOSED = "closed", "Closed"

    connector = models.ForeignKey(Connector, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=AlertRule.Kind)
    cause = models.CharField(max_length=20, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    opened_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    count = models.PositiveIntegerField(default=1)
    sample = models.ForeignKey(
        "deliveries.Delivery", null=True, blank=True, on_delete=models.SET_NULL, db_constraint=False, related_name="+"
    )
    seen_by = models.CharField(max_length=150, blank=True)
    note = models.CharField(max_length=300, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connector", "kind", "cause"], condition=Q(state__in=["open", "seen"]), name="problem_open_once"
            ),
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(connector__isnull=True, state__in=["open", "seen"]),
                name="problem_of_nobody_open_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "seen", "solved", "closed"]), name="problem_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def live(self) -> bool:
        return self.state in (self.State.OPEN, self.State.SEEN)

    @property
    def title(self) -> str:
        """The connector's name should be loaded with the row."""
        words = TITLES.get(self.cause) or TITLES[self.kind]
        return f"{isolated(self.connector.name)}: {words}" if self.connector else words


TITLES = {
    "key_refused": "the key is refused",
    "data_refused": "events are refused",
    "not_found": "the address is not found",
    "too_large": "events are too big",
    "slow_down": "it asks us to slow down",
    "service_error": "the service has a problem",
    "timeout": "no answer in time",
    "unreachable": "it cannot be reached",
    "tls": "its certificate is not valid",
    "blocked_address": "the address is not allowed",
    "redirect": "the address sends us elsewhere",
    "refused_by_service": "events are refused",
    "mapping_missing": "a field is missing in the events",
    "gave_up": "we gave up after all tries",
    "internal": "a mistake of our own",
    "failing": "deliveries fail",
    "overdue": "deliveries wait too long",
    "held": "held events will soon be too old",
    "quiet": "nothing arrives any more",
    "books": "a day's books do not add up",
    "stopping": "it will stop by itself if this goes on",
    "stopped": "it has stopped by itself",
    "silent": "Nothing is being sent: the workers give no sign of life",
}
