"""The shapes of the management API: what it shows, and what it takes. They are the OpenAPI document as well."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework import serializers

from deliveries import pace
from deliveries.hold import BACKLOGS
from deliveries.models import Attempt, Delivery, Event, Status
from integrations.types import Cause, EventKind


class Text(serializers.CharField):
    """A text that may be missing: "" in the database, null outside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: Any) -> str | None:  # type: ignore[override]  # null for ""
        return str(value) or None


# --- Deliveries and events --------------------------------------------------------------------------------------------


class ConnectorRef(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    vendor = serializers.CharField()


class EventRef(serializers.Serializer[Delivery]):
    """A delivery's event. ``sent_as`` is the name it left under; null until it did."""

    id = serializers.IntegerField(source="event_id")
    type = serializers.ChoiceField([kind.value for kind in EventKind], source="event.type")
    name = Text(source="event.name")
    sent_as = Text()
    message_id = serializers.CharField(source="event.message_id")
    user_id = Text(source="event.user_id")
    anonymous_id = Text(source="event.anonymous_id")
    source = serializers.CharField(source="event.source.name")  # type: ignore[assignment]  # a field has a source
    received_at = serializers.DateTimeField(source="event.received_at")


class DeliverySerializer(serializers.Serializer[Delivery]):
    id = serializers.IntegerField()
    status = serializers.ChoiceField(Status.choices)
    cause = serializers.SerializerMethodField()
    connector = ConnectorRef()
    event = EventRef(source="*")
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.SerializerMethodField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_cause(self, row: Delivery) -> str | None:
        return row.cause or None

    def get_next_attempt_at(self, row: Delivery) -> str | None:
        """When it is sent next by itself; null where it never is, and while it is being sent."""
        moment = row.next_attempt_at if row.status in (Status.WAITING, Status.RETRYING) else None
        return serializers.DateTimeField().to_representation(moment) if moment else None


class SentRequest(serializers.Serializer[Any]):
    method = serializers.CharField()
    url = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())
    body = serializers.CharField()
    bytes = serializers.IntegerField(required=False, help_text="The body's size, where it was found too big.")


class Answer(serializers.Serializer[Any]):
    status = serializers.IntegerField()
    headers = serializers.DictField(child=serializers.CharField())
    body = serializers.CharField()


class AttemptSerializer(serializers.Serializer[Attempt]):
    """One request made for the delivery, redacted. ``response`` is null where no answer came."""

    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    request = SentRequest()
    response = Answer(allow_null=True)
    outcome = serializers.CharField()
    cause = serializers.ChoiceField([cause.value for cause in Cause], allow_null=True)
    detail = serializers.CharField()
    batch_size = serializers.IntegerField(help_text="How many events travelled in this request.")

    def to_representation(self, row: Attempt) -> dict[str, Any]:
        head, answer = _loaded(row.request), _loaded(row.response)
        return {
            "number": row.number,
            "started_at": serializers.DateTimeField().to_representation(row.started_at),
            "duration_ms": row.duration_ms,
            "request": {**{"method": "", "url": "", "headers": {}}, **head, "body": row.request_body},
            "response": {"headers": {}, **answer, "status": row.response_status, "body": row.response_body}
            if row.response_status is not None
            else None,
            "outcome": row.outcome,
            "cause": row.cause or None,
            "detail": row.detail,
            "batch_size": row.batch_size,
        }


class DeliveryDetail(DeliverySerializer):
    """A delivery with its tries and the sentences about it; the view puts ``tries`` and ``words`` on the row."""

    attempts = AttemptSerializer(many=True, source="tries")  # type: ignore[assignment]  # in the list it is a number
    headline = serializers.CharField(source="words.headline")
    explanation = serializers.CharField(source="words.explanation")
    what_to_do = serializers.CharField(source="words.what_to_do")
    detail = serializers.CharField(help_text="The service's own words, or the fact behind the cause.")
    notes = serializers.CharField(help_text="What was left out or changed on the way, a line each.")
    created_at = serializers.DateTimeField()
    replay_of = serializers.IntegerField(source="replay_of_id", allow_null=True)
    replays = serializers.ListField(child=serializers.IntegerField(), source="replay_ids")
    as_sent = serializers.BooleanField()


class EventSerializer(serializers.Serializer[Event]):
    """An event as it came in. ``refused`` says why it was refused at the door; then it has no deliveries."""

    id = serializers.IntegerField()
    type = Text()
    name = Text()
    message_id = serializers.CharField()
    user_id = Text()
    anonymous_id = Text()
    source = serializers.CharField(source="source.name")  # type: ignore[assignment]  # a field has a source
    received_at = serializers.DateTimeField()
    refused = Text()
    payload = serializers.SerializerMethodField()

    def get_payload(self, row: Event) -> dict[str, Any]:
        return _loaded(row.body)


class DeliveryPage(serializers.Serializer[Any]):
    results = DeliverySerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


class EventPage(serializers.Serializer[Any]):
    results = EventSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


# --- What callers send ------------------------------------------------------------------------------------------------


class PauseForm(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=300)
    resume_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class ResumeForm(serializers.Serializer[Any]):
    backlog = serializers.ChoiceField(BACKLOGS, required=False, default="send")
    per_minute = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=pace.FASTEST, help_text="Events a minute."
    )
    older_than_hours = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=24 * 365,
        help_text="With “older”: discard what came in longer ago than this, send the rest.",
    )


class ReplayOneForm(serializers.Serializer[Any]):
    as_sent = serializers.BooleanField(required=False, default=False)


class TestForm(serializers.Serializer[Any]):
    __test__ = False  # not a test class, whatever its name says to pytest
    event = serializers.DictField(required=False, allow_null=True, default=None)
    send = serializers.BooleanField(required=False, default=False)


class ReplayForm(serializers.Serializer[Any]):
    """The filters of the list of deliveries, with ``preview`` and how to replay."""

    status = serializers.CharField(required=False, help_text="failed, skipped or delivered; several with commas.")
    cause = serializers.CharField(required=False)
    answer = serializers.CharField(required=False, help_text="A status that the service answered with, such as 401.")
    connector = serializers.CharField(required=False, help_text="An id or a name.")
    event = serializers.CharField(required=False, help_text="An id or a name.")
    user_id = serializers.CharField(required=False)
    email = serializers.CharField(required=False, help_text="The person's e-mail address, exactly.")
    message_id = serializers.CharField(required=False)
    since = serializers.CharField(required=False)
    until = serializers.CharField(required=False)
    preview = serializers.BooleanField(required=False, default=False)
    as_sent = serializers.BooleanField(required=False, default=False)
    include_delivered = serializers.BooleanField(required=False, default=False)
    per_minute = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=pace.FASTEST, help_text="Events a minute."
    )


def _loaded(text: str) -> dict[str, Any]:
    """A stored JSON object; {} for anything else."""
    try:
        value = orjson.loads(text) if text else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
