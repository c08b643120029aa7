"""The management API: sources, connectors, events, deliveries."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import health, hold, log, preview, replay, sources
from deliveries.api import serializers, shapes
from deliveries.api.base import OPERATE, REPLAY, BadRequest, Conflict, ManagementView
from deliveries.explained import sentences
from deliveries.models import Delivery
from integrations import history, registry, selectors
from integrations.models import Connector, Source, WriteKey

ID = OpenApiParameter("id", int, OpenApiParameter.PATH)
PAGE = [
    OpenApiParameter("cursor", str, description="“next” of the page before."),
    OpenApiParameter("limit", int, description="Rows a page: 50 unless told, at most 500."),
]


def _texts(names: tuple[str, ...]) -> list[OpenApiParameter]:
    return [OpenApiParameter(name, str) for name in names]


class SourcesView(ManagementView):
    @extend_schema(responses=shapes.SourcePage, operation_id="sources")
    def get(self, request: Request) -> Response:
        """All sources, with status, health and the events of the last 24 hours."""
        keys = Prefetch(
            "write_keys", WriteKey.objects.defer("key")
        )  # nothing secret is read, so none can be unreadable
        rows = list(Source.objects.defer("signing_secret").prefetch_related(keys).order_by("name"))
        found = sources.report(rows, timezone.now())
        shown = [sources.Reported(row, found[row.pk]) for row in rows]
        return Response({"results": shapes.SourceSerializer(shown, many=True).data, "next": None})


class ConnectorsView(ManagementView):
    @extend_schema(responses=shapes.ConnectorPage, operation_id="connectors")
    def get(self, request: Request) -> Response:
        """All connectors, with status, health and the deliveries of the last 24 hours."""
        return Response({"results": _shown(_connectors(), shapes.ConnectorSerializer), "next": None})


class ConnectorView(ManagementView):
    @extend_schema(parameters=[ID], responses=shapes.ConnectorSerializer, operation_id="connector")
    def get(self, request: Request, id: str) -> Response:
        return Response(_one(self.row(_connectors(), id)))


class PauseView(ManagementView):
    permission = OPERATE

    @extend_schema(
        parameters=[ID],
        request=serializers.PauseForm,
        responses=shapes.ConnectorSerializer,
        operation_id="pause_connector",
    )
    def post(self, request: Request, id: str) -> Response:
        """Keep new events here from now on; what waits is held and uses no tries."""
        connector = self.row(_connectors(), id)
        form = self.read(serializers.PauseForm)
        reason = form["reason"]
        _possible(hold.pause, connector, by=str(request.user), reason=reason, resume_at=form["resume_at"])
        history.record(request.user, connector, f"Paused: {reason}" if reason else "Paused")
        return Response(_one(connector))


class ResumeView(ManagementView):
    permission = OPERATE

    @extend_schema(
        parameters=[ID], request=serializers.ResumeForm, responses=shapes.Resumed, operation_id="resume_connector"
    )
    def post(self, request: Request, id: str) -> Response:
        """Send again, and send, discard or keep what is held; “newest” sends only the newest event of each person."""
        connector = self.row(_connectors(), id)
        form = self.read(serializers.ResumeForm)
        counts = _possible(hold.resume, connector, by=str(request.user), **form)
        words = hold.in_words(counts, form["per_minute"], backlog=form["backlog"])
        history.record(request.user, connector, f"Resumed: {words}")
        return Response({**_one(connector), **counts})


class TestView(ManagementView):
    __test__ = False  # not a test class, whatever its name says to pytest
    permission = OPERATE

    @extend_schema(
        parameters=[ID], request=serializers.TestForm, responses=shapes.Tested, operation_id="test_connector"
    )
    def post(self, request: Request, id: str) -> Response:
        """What would be sent for an event (the service's example when none is given); with “send”, the answer too."""
        connector = self.row(_connectors(), id)
        form = self.read(serializers.TestForm)
        vendor = registry.get(connector.vendor)
        if vendor is None or not vendor.sends:
            raise Conflict(f"There is no service “{connector.vendor}” in this version.")
        config = selectors.connector_config(connector)
        event = form["event"] if form["event"] is not None else dict(vendor.test_event)
        if not form["send"]:
            return Response(_tested(preview.preview(config, preview.marked(event), vendor)))
        tested = preview.send_test(config, event, vendor, by=request.user)
        history.record(request.user, connector, "Sent a test event")
        return Response(_tested(tested.preview, tested))


class EventsView(ManagementView):
    @extend_schema(
        parameters=[*_texts(log.EVENT_FILTERS), *PAGE], responses=serializers.EventPage, operation_id="events"
    )
    def get(self, request: Request) -> Response:
        """Events as they came in, newest first."""
        return self.paged(log.events(self.filters(log.EVENT_FILTERS)), serializers.EventSerializer)


class DeliveriesView(ManagementView):
    @extend_schema(
        parameters=[*_texts(log.DELIVERY_FILTERS), *PAGE], responses=serializers.DeliveryPage, operation_id="deliveries"
    )
    def get(self, request: Request) -> Response:
        """Deliveries, newest first."""
        rows = log.deliveries(self.filters(log.DELIVERY_FILTERS)).defer("event__body")
        return self.paged(rows, serializers.DeliverySerializer)


class DeliveryView(ManagementView):
    @extend_schema(parameters=[ID], responses=serializers.DeliveryDetail, operation_id="delivery")
    def get(self, request: Request, id: str) -> Response:
        """One delivery with its tries and what they mean."""
        return Response(_detail(self.row(log.deliveries({}), id)))


class DeliveryReplayView(ManagementView):
    permission = REPLAY

    @extend_schema(
        parameters=[ID],
        request=serializers.ReplayOneForm,
        responses={201: serializers.DeliveryDetail},
        operation_id="replay_delivery",
    )
    def post(self, request: Request, id: str) -> Response:
        """Send this event to its connector again, with today's settings or exactly as it was sent."""
        old = self.row(log.deliveries({}), id)
        form = self.read(serializers.ReplayOneForm)
        try:
            new = replay.replay_one(old, by=str(request.user), as_sent=form["as_sent"])
        except replay.NotReplayable as error:
            raise Conflict(str(error)) from None
        return Response(_detail(self.row(log.deliveries({}), str(new.pk))), status=201)


class ReplaysView(ManagementView):
    permission = REPLAY

    @extend_schema(
        request=serializers.ReplayForm,
        responses={200: shapes.ReplayPreview, 201: shapes.ReplaySerializer},
        operation_id="replay_deliveries",
    )
    def post(self, request: Request) -> Response:
        """Replay all that match: the failed ones unless the filters say otherwise. With “preview”: counts only."""
        body = dict(request.data)
        nested = body.pop("filters", None) or {}
        if not isinstance(nested, dict):
            raise BadRequest("filters: an object was expected.")
        own = ("preview", "as_sent", "include_delivered", "per_minute")
        choices = {name: body.pop(name) for name in own if name in body}
        form = serializers.ReplayForm(data=choices)
        form.is_valid(raise_exception=True)
        filters = log.clean({**nested, **body})
        how = {name: form.validated_data[name] for name in ("as_sent", "include_delivered")}
        if form.validated_data["preview"]:
            return Response(shapes.ReplayPreview(replay.preview(filters, **how)).data)
        job = replay.start(filters, by=str(request.user), per_minute=form.validated_data["per_minute"], **how)
        return Response(shapes.ReplaySerializer(replay.progress(job)).data, status=201)


class ReplayView(ManagementView):
    @extend_schema(parameters=[ID], responses=shapes.ReplaySerializer, operation_id="replay")
    def get(self, request: Request, id: str) -> Response:
        """How far a replay of many is."""
        job = self.row(replay.Replay.objects.all(), id)
        return Response(shapes.ReplaySerializer(replay.progress(job)).data)


class ReplayStopView(ManagementView):
    permission = REPLAY

    @extend_schema(parameters=[ID], request=None, responses=shapes.ReplaySerializer, operation_id="stop_replay")
    def post(self, request: Request, id: str) -> Response:
        """Stop it: what is not sent yet is not sent. Stopping what has ended changes nothing."""
        job = self.row(replay.Replay.objects.all(), id)
        replay.stop(job, by=str(request.user))
        return Response(shapes.ReplaySerializer(replay.progress(job)).data)


def _connectors() -> QuerySet[Connector]:
    rows = Connector.objects.filter(archived_at__isnull=True).select_related("region").order_by("name")
    rows = rows.defer("secrets", "settings", "old_secrets")
    return rows.prefetch_related(Prefetch("sources", Source.objects.defer("signing_secret")))


def _shown(rows: Any, shape: Any) -> Any:
    rows = list(rows)
    found = health.report(rows, timezone.now())
    for row in rows:
        row.report = found[row.pk]
    return shape(rows, many=True).data


def _one(connector: Connector) -> dict[str, Any]:
    return dict(_shown([connector], shapes.ConnectorSerializer)[0])


def _possible(action: Any, connector: Connector, **arguments: Any) -> Any:
    try:
        return action(connector, **arguments)
    except hold.NotPossible as error:
        raise Conflict(str(error)) from None


def _detail(row: Delivery) -> Any:
    row.tries = list(row.log.order_by("number", "id"))  # type: ignore[attr-defined]  # read by the shape, as the next two
    row.words = sentences(row, row.tries, timezone.now())  # type: ignore[attr-defined]  # as above
    replays = row.replays.order_by("id").values_list("id", flat=True)
    row.replay_ids = list(replays)  # type: ignore[attr-defined]  # as above
    return serializers.DeliveryDetail(row).data


def _tested(shown: preview.Preview, tested: preview.Tested | None = None) -> Any:
    outcome = tested.outcome if tested else shown.status
    words = tested.words if tested else None
    return shapes.Tested(
        {
            "would_send": shown.would_send,
            "request": shown.request,
            "sent_as": shown.sent_as or None,
            "changes": shown.changes,
            "notes": shown.notes,
            "sent": tested is not None and shown.would_send,
            "response": tested.response if tested else None,
            "duration_ms": tested.duration_ms if tested and shown.would_send else None,
            "outcome": outcome or None,
            "cause": (tested.cause if tested else shown.cause) or None,
            "detail": tested.detail if tested else shown.detail,
            "headline": words.headline if words else None,
            "explanation": words.explanation if words else None,
            "what_to_do": words.what_to_do if words else None,
        }
    ).data
