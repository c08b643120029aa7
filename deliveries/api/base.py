"""What every call of the management API shares: JSON in and out, ids, pages, and errors in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deliveries import log
from deliveries.core import documents

MAX_BODY = 1_000_000
VIEW = "deliveries.view_delivery"
OPERATE = "integrations.operate_connector"
REPLAY = "deliveries.replay_delivery"
Row = TypeVar("Row", bound=Model)


class BadRequest(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid_request"


class Conflict(APIException):
    """The request makes sense, but not in the state that things are in."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class JsonParser(BaseParser):
    """A JSON object, whatever the content type says; nothing at all is an empty one."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        raw = stream.read(MAX_BODY + 1)
        if len(raw) > MAX_BODY:
            raise BadRequest("The body is larger than 1 MB.", "too_large")
        if not raw.strip():
            return {}
        try:
            document = documents.parse(raw)
        except documents.BadDocument as error:
            raise BadRequest(str(error)) from None
        if not isinstance(document, dict):
            raise BadRequest("The body must be a JSON object.")
        return document


class JsonOnly(BaseContentNegotiation):
    """There is one format; nobody needs to ask for it."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next(iter(parsers))

    def select_renderer(self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class ManagementView(APIView):
    """``permission`` names what the caller needs (see ``deliveries.api.permissions``)."""

    permission: str | Mapping[str, str] = VIEW
    parser_classes = [JsonParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = JsonOnly

    def handle_exception(self, exc: Exception) -> Response:
        """A value that a filter or a service function refuses is the caller's mistake."""
        return super().handle_exception(BadRequest(str(exc)) if isinstance(exc, log.BadValue) else exc)

    def row(self, rows: QuerySet[Row], key: str) -> Row:
        """The row with this id. Raises NotFound for an unknown one and for what is no id."""
        try:
            found = rows.filter(pk=log.identifier(key, "id")).first()
        except ValueError:
            found = None
        if found is None:
            raise NotFound("There is nothing with this id.")
        return found

    def read(self, form: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The body's fields, checked by ``form``."""
        serializer = form(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def paged(self, rows: QuerySet[Any], shown: type[serializers.Serializer[Any]]) -> Response:
        """One page of the rows, as the query's cursor and limit say."""
        query = self.request.query_params
        found, cursor = log.page(rows, query.get("cursor"), query.get("limit"))
        return Response({"results": shown(found, many=True).data, "next": cursor})

    def filters(self, names: Sequence[str]) -> dict[str, str]:
        """The query's values for these filters."""
        return {name: value for name in names if (value := self.request.query_params.get(name))}


class Nowhere(APIView):
    """Any address under /api/ that is none."""

    authentication_classes = []
    permission_classes = []
    renderer_classes = [JSONRenderer]
    content_negotiation_class = JsonOnly

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is nothing at this address.")
