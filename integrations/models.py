"""What is configured: where events come in, where they go, and how they change on the way.

Every saved change moves :class:`ConfigVersion`, so that running processes notice it at once (see ``selectors``).
"""

from __future__ import annotations

import secrets
import uuid
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from integrations import registry
from integrations.secrets import EncryptedJSONField, EncryptedTextField, digest, hint
from integrations.types import EventKind
from integrations.versioned import Configured
from integrations.versioned import ConfigVersion as ConfigVersion  # a model of this app: Django looks for it here

ROLL_OVERLAP = timedelta(hours=24)


def vendor_choices() -> list[tuple[str, str]]:
    return [(vendor.slug, vendor.label) for vendor in registry.vendors().values()]


def kind_choices() -> list[tuple[str, str]]:
    return [(kind.value, kind.value) for kind in EventKind]


def default_retry() -> str:
    return "standard"


class Source(Configured):
    """One place events come in from."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        OFF = "off", "Off"

    class Erases(models.TextChoices):
        NO = "no", "Pass it on, erase nothing here"
        SOURCE = "source", "Pass it on, and erase what this source sent about the person"
        ALL = "all", "Pass it on, and erase the person everywhere"

    name = models.CharField(max_length=100, unique=True, help_text="How it is called here, for example “website”.")
    vendor = models.CharField("service", max_length=50, choices=vendor_choices, default="segment")
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    signing_secret = EncryptedTextField(
        blank=True, default="", help_text="Where set, every call that the service can sign must be signed with it."
    )
    settings = models.JSONField(blank=True, default=dict)
    rate_limit_per_second = models.PositiveIntegerField(
        "speed limit", null=True, blank=True, help_text="Requests per second; beyond it senders are asked to wait."
    )
    erases = models.CharField("when a delete event comes in", max_length=10, choices=Erases, default=Erases.NO)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["active", "off"]), name="source_status_known"),
            models.CheckConstraint(condition=Q(erases__in=["no", "source", "all"]), name="source_erases_known"),
            models.CheckConstraint(condition=~Q(name=""), name="source_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class WriteKey(Configured):
    """A key that lets a sender write into a source. Several may live side by side; a rolled one works a day more."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="write_keys")
    label = models.CharField(max_length=100, default="main")
    key = EncryptedTextField()
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=4, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["source", "created_at"]

    def __str__(self) -> str:
        return f"{self.label} ••••{self.hint}"

    @property
    def usable(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    @staticmethod
    def generate() -> str:
        return f"wk_{secrets.token_urlsafe(24)}"

    @classmethod
    def issue(cls, source: Source, label: str = "main", key: str = "", *, by: str = "") -> WriteKey:
        """A new key for the source: generated, or ``key`` as given. Raises ValidationError if it is in use already."""
        key = key or cls.generate()
        fingerprint = digest(key)
        if cls.objects.filter(digest=fingerprint).exists():
            raise ValidationError("This write key belongs to a source already. Keys must be unique.")
        made = {"label": label, "key": key, "digest": fingerprint, "hint": hint(key), "created_by": by[:150]}
        return cls.objects.create(source=source, **made)

    def roll(self, *, by: str = "") -> WriteKey:
        """A new key with the same label; this one works for another 24 hours."""
        with transaction.atomic():
            ends = timezone.now() + ROLL_OVERLAP
            self.expires_at = min(self.expires_at or ends, ends)  # what has an end gets no later one
            self.save()
            return self.issue(self.source, self.label, by=by)

    def revoke(self) -> None:
        self.revoked_at = timezone.now()
        self.save()


class RegionEndpoint(Configured):
    """A named address of a vendor. The vendor's own are made by ``migrate``; people may add more."""

    vendor = models.CharField("service", max_length=50, choices=vendor_choices)
    slug = models.SlugField(max_length=50)
    label = models.CharField(max_length=100)
    base_url = models.URLField(help_text="Without a trailing slash and without /v1.")
    note = models.CharField(max_length=300, blank=True)
    builtin = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["vendor", "-builtin", "id"]
        verbose_name = "region"
        constraints = [models.UniqueConstraint(fields=["vendor", "slug"], name="region_unique_per_vendor")]

    def __str__(self) -> str:
        return f"{self.label} ({self.base_url})"


class Connector(Configured):
    """One configured account at a vendor that events go out to."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        OFF = "off", "Off"

    class OtherEvents(models.TextChoices):
        SEND = "send", "Send them"
        SKIP = "skip", "Do not send them"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True, help_text="For example “Segment – production”.")
    vendor = models.CharField("service", max_length=50, choices=vendor_choices)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    status_reason = models.CharField(max_length=300, blank=True, editable=False)
    status_by = models.CharField(max_length=150, blank=True, editable=False)
    status_at = models.DateTimeField(null=True, blank=True, editable=False)
    resume_at = models.DateTimeField(null=True, blank=True, help_text="While paused: resume by itself at this time.")
    sources = models.ManyToManyField(Source, blank=True, related_name="connectors")
    region = models.ForeignKey(RegionEndpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    endpoint = models.URLField(blank=True, help_text="An address of your own instead of the region's.")
    settings = EncryptedJSONField(blank=True, default=dict)  # a webhook's headers may hold a key
    secrets = EncryptedJSONField(blank=True, default=dict)
    secrets_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    old_secrets = EncryptedJSONField(blank=True, default=dict, editable=False)  # in use until they end: see rolling
    old_secrets_until = models.DateTimeField(null=True, blank=True, editable=False)
    prefix = models.CharField(max_length=50, blank=True, help_text="Put in front of every event name.")
    other_events = models.CharField(
        max_length=10,
        choices=OtherEvents,
        default=OtherEvents.SEND,
        help_text="What happens to events that are not in the table below.",
    )
    retry = models.JSONField("tries again", blank=True, default=default_retry)
    rate_limit_per_second = models.FloatField("speed limit", null=True, blank=True)
    max_concurrency = models.PositiveIntegerField("calls at once", null=True, blank=True)
    notes = models.TextField(blank=True)
    tested_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        permissions = [("operate_connector", "Can pause, resume and test connectors")]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["active", "paused", "off"]), name="connector_status_known"),
            models.CheckConstraint(condition=Q(other_events__in=["send", "skip"]), name="connector_other_events_known"),
            models.CheckConstraint(
                condition=Q(rate_limit_per_second__isnull=True) | Q(rate_limit_per_second__gt=0),
                name="connector_rate_limit_positive",
            ),
            models.CheckConstraint(
                condition=Q(max_concurrency__isnull=True) | Q(max_concurrency__gt=0),
                name="connector_concurrency_positive",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="connector_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def vendor_label(self) -> str:
        vendor = registry.get(self.vendor)
        return vendor.label if vendor else self.vendor


class EventRule(Configured):
    """A line of the events table: send it? and under which name? An empty kind or name matches any."""

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="rules")
    kind = models.CharField("type", max_length=10, blank=True, choices=kind_choices)
    name = models.CharField("when this happens", max_length=200, blank=True)
    send = models.BooleanField("send it?", default=True)
    send_as = models.CharField("send it under this name", max_length=200, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = "event"
        constraints = [
            models.UniqueConstraint(fields=["connector", "kind", "name"], name="rule_unique_per_connector"),
            models.CheckConstraint(condition=~Q(kind="", name=""), name="rule_matches_something"),
        ]

    def __str__(self) -> str:
        return self.name or self.kind


class ChannelMapping(Configured):
    """Which field of an identify call fills a channel (e-mail, SMS …) of the person."""

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="channels")
    channel = models.CharField(max_length=50)
    field = models.CharField("comes from this field", max_length=200)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["connector", "channel"], name="channel_unique_per_connector")]

    def __str__(self) -> str:
        return f"{self.channel} ← {self.field}"


class PreferenceMapping(Configured):
    """Which field of an identify call fills a preference of the person, such as the preferred language."""

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="preferences")
    preference = models.CharField(max_length=50)
    field = models.CharField("comes from this field", max_length=200)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["connector", "preference"], name="preference_unique_per_connector")
        ]

    def __str__(self) -> str:
        return f"{self.preference} ← {self.field}"


class Filter(Configured):
    """A condition in Segment's filter language, and what happens to events for which it holds."""

    class Action(models.TextChoices):
        DROP = "drop", "Do not send the event"
        ONLY_SEND = "only_send", "Send only these events"
        SAMPLE = "sample", "Send a share of them"
        DROP_PROPERTIES = "drop_properties", "Leave out these fields"
        ALLOW_PROPERTIES = "allow_properties", "Send only these fields"

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="filters")
    condition = models.CharField("if", max_length=2000, default="all")
    action = models.CharField("then", max_length=20, choices=Action, default=Action.DROP)
    percent = models.FloatField("share", default=1.0, help_text="0 to 1, for “a share of them”.")
    path = models.CharField("decided by", max_length=200, blank=True, help_text="For a share: for example userId.")
    fields = models.JSONField(blank=True, default=dict, help_text="Object path → list of fields; “” is the top level.")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=["drop", "only_send", "sample", "drop_properties", "allow_properties"]),
                name="filter_action_known",
            ),
            models.CheckConstraint(condition=Q(percent__gte=0) & Q(percent__lte=1), name="filter_percent_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.condition}"


from integrations.history import Change as Change  # noqa: E402  # the model stands in its own file
from integrations.installation import Installation as Installation  # noqa: E402  # as above
