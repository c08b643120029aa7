"""``GET /api/v1/books/``: per connector, what became of a day's events."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import log
from deliveries.api import shapes
from deliveries.api.base import ManagementView
from deliveries.books import books

DAY = OpenApiParameter("day", str, description="A day in UTC, such as 2025-11-22. Today when missing.")


class BooksView(ManagementView):
    @extend_schema(parameters=[DAY], responses=shapes.Books, operation_id="books")
    def get(self, request: Request) -> Response:
        """What became of every event that came in that day. An event counts once for a connector."""
        given = request.query_params.get("day")
        day = log.parse_day(given, "day") if given else timezone.now().date()
        return Response(shapes.Books({"day": day, "results": books(day)}).data)
