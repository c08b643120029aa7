"""The books of a day: what came in for each connector, what became of it, and whether it adds up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from deliveries import log
from deliveries.books import PARTS, books
from deliveries.ledger import Book
from integrations.admin.pages import show

KEPT = 15  # seconds; a day of a million deliveries takes a moment to count
ENDED = ("delivered", "failed", "skipped", "erased")
OPEN = tuple(part for part in PARTS if part not in (*ENDED, "held"))


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    today = timezone.now().date()
    context: dict[str, Any] = {"today": today}
    try:
        day = log.parse_day(given, "day") if (given := request.GET.get("day", "")) else today
    except log.BadValue as wrong:
        context["error"], day = str(wrong), today
    rows = _rows(day)
    total = {name: sum(row[name] for row in rows) for name in rows[0] if name != "connector"} if rows else {}
    looked = Book.objects.filter(day=day, checked_at__isnull=False).order_by("-checked_at").first()
    return show(
        request,
        "console/books.html",
        "Books",
        day=day,
        before=day - timedelta(days=1),
        after=day + timedelta(days=1) if day < today else None,
        rows=rows,
        total=total,
        checked_at=looked.checked_at if looked else None,
        **context,
    )


def _rows(day: date) -> list[dict[str, Any]]:
    found = cache.get(key := f"books:{day}")
    if found is None:
        found = [row for row in books(day) if row["received"] or row["missing"] or row["extra"]]
        for row in found:
            row["connector"] = {"id": row["connector"].pk, "name": row["connector"].name}
            row["on_its_way"] = sum(row[name] for name in OPEN)
        cache.set(key, found, KEPT)
    return found
