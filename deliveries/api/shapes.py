"""The shapes of sources, connectors, tests, replays and books in the management API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from deliveries.api.serializers import Answer, ConnectorRef, SentRequest, Text
from deliveries.health import LABELS
from deliveries.models import Replay
from integrations.models import Connector, Source, WriteKey

HEALTH = list(LABELS)


class StatusCounts(serializers.Serializer[Any]):
    """Deliveries by status."""

    delivered = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    held = serializers.IntegerField()
    waiting = serializers.IntegerField()
    retrying = serializers.IntegerField()
    sending = serializers.IntegerField()


class Counts(StatusCounts):
    """Deliveries made in the last 24 hours, by their status now; ``received`` are all of them."""

    received = serializers.IntegerField()


class ConnectorSerializer(serializers.Serializer[Connector]):
    """A connector; the view puts its ``report`` on the row."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    vendor = serializers.CharField()
    status = serializers.ChoiceField(Connector.Status.choices)
    status_by = Text()
    status_reason = Text()
    status_at = serializers.DateTimeField(allow_null=True)
    resume_at = serializers.DateTimeField(allow_null=True)
    sources = serializers.SerializerMethodField()
    health = serializers.ChoiceField(HEALTH, source="report.health.code")
    health_reason = Text(source="report.health.why")
    held = serializers.IntegerField(source="report.held", help_text="All that is held now.")
    last_delivered_at = serializers.DateTimeField(source="report.last_delivered_at", allow_null=True)
    counts_24h = serializers.SerializerMethodField()

    def get_sources(self, row: Connector) -> list[str]:
        return sorted(source.name for source in row.sources.all())

    def get_counts_24h(self, row: Connector) -> Counts:
        counts = dict(row.report.counts)  # type: ignore[attr-defined]  # put there by the view
        return {"received": sum(counts.values()), **counts}  # type: ignore[return-value]  # a shape, not its values


class ConnectorPage(serializers.Serializer[Any]):
    results = ConnectorSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class Resumed(ConnectorSerializer):
    released = serializers.IntegerField()
    discarded = serializers.IntegerField()


class KeySerializer(serializers.Serializer[WriteKey]):
    label = serializers.CharField()  # type: ignore[assignment]  # a field's own label is a text
    hint = serializers.CharField(help_text="The key's last characters.")
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class SourceCounts(serializers.Serializer[Any]):
    """Events of the last 24 hours; the refused ones are among the received."""

    received = serializers.IntegerField()
    refused = serializers.IntegerField()


class SourceSerializer(serializers.Serializer[Any]):
    """Of a ``Reported``."""

    id = serializers.IntegerField(source="row.id")
    name = serializers.CharField(source="row.name")
    vendor = serializers.CharField(source="row.vendor")
    status = serializers.ChoiceField(Source.Status.choices, source="row.status")
    health = serializers.ChoiceField(HEALTH, source="report.health.code")
    health_reason = Text(source="report.health.why")
    last_event_at = serializers.DateTimeField(source="report.last_event_at", allow_null=True)
    counts_24h = SourceCounts(source="report")
    write_keys = KeySerializer(many=True, source="row.write_keys")


class SourcePage(serializers.Serializer[Any]):
    results = SourceSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class ChangeSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["renamed", "removed", "added", "changed"])
    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class Tested(serializers.Serializer[Any]):
    """What would be sent (``request``, null where nothing would be), and with ``send`` the answer and what it means."""

    would_send = serializers.BooleanField()
    request = SentRequest(allow_null=True)
    sent_as = serializers.CharField(allow_null=True)
    changes = ChangeSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField())
    sent = serializers.BooleanField()
    response = Answer(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    outcome = serializers.CharField(allow_null=True, help_text="The status a delivery would have after this.")
    cause = serializers.CharField(allow_null=True)
    detail = serializers.CharField()
    headline = serializers.CharField(allow_null=True)
    explanation = serializers.CharField(allow_null=True)
    what_to_do = serializers.CharField(allow_null=True)


class ReplayPreview(serializers.Serializer[Any]):
    matching = serializers.IntegerField(help_text="Deliveries that the filters mean.")
    total = serializers.IntegerField(help_text="How many would be replayed.")
    people = serializers.IntegerField()
    people_is_least = serializers.BooleanField(help_text="Only the newest were looked at for it: there may be more.")
    already_delivered_since = serializers.IntegerField()
    on_their_way = serializers.IntegerField()
    erased = serializers.IntegerField(help_text="Left out: the person was erased.")
    excluded = serializers.IntegerField(help_text="Of the total: not sent by today's rules.")
    excluded_is_estimate = serializers.BooleanField()
    oldest = serializers.DateTimeField(allow_null=True)
    newest = serializers.DateTimeField(allow_null=True)
    seconds_at_limit = serializers.IntegerField(allow_null=True)
    outside_dedupe_window = serializers.ListField(
        child=serializers.DictField(),
        help_text="Of the total, by service: how many are older than the hours for which it recognises a repeated "
        "event, though it may have got them before.",
    )
    connectors = serializers.ListField(child=serializers.DictField())


class ReplaySerializer(StatusCounts):
    id = serializers.IntegerField()
    state = serializers.ChoiceField(Replay.State.choices)
    filters = serializers.DictField(child=serializers.CharField())
    as_sent = serializers.BooleanField()
    include_delivered = serializers.BooleanField()
    per_minute = serializers.IntegerField(allow_null=True)
    total = serializers.IntegerField()
    made = serializers.IntegerField(help_text="Deliveries made so far; the statuses count them.")
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    stop_reason = serializers.CharField()


class BooksRow(StatusCounts):
    """received = delivered + failed + skipped + held + waiting + retrying + sending + erased, and what is missing."""

    connector = ConnectorRef()
    received = serializers.IntegerField()
    erased = serializers.IntegerField()
    replays = serializers.IntegerField(help_text="Replays of these events, not counted again.")
    missing = serializers.IntegerField(help_text="Received, but not among the others: 0, or there is a problem.")
    extra = serializers.IntegerField(help_text="Counted twice, or without their event: 0, or there is a problem.")


class Books(serializers.Serializer[Any]):
    day = serializers.DateField()
    results = BooksRow(many=True)
