"""Counts that cost little however many rows there are: to a limit, several in one query, and said so."""

from __future__ import annotations

from typing import Any

from django.db.models import IntegerField, QuerySet, Subquery

from deliveries.models import Delivery
from integrations.templatetags.console import plural

MOST = 10_000  # counted up to here: "more than 10 000"


class Counted(Subquery):
    """How many rows there are, as one column of a query. What is cut with a slice is counted no further."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def some(rows: QuerySet[Delivery]) -> QuerySet[Delivery, Any]:
    """For ``Counted``: as many of them as tell whether there are more than MOST."""
    return rows.values("id")[: MOST + 1]


def at_most(count: int, noun: str) -> str:
    """ "1 204 deliveries", "more than 10 000 deliveries"."""
    return plural(count, noun) if count <= MOST else f"more than {plural(MOST, noun)}"
