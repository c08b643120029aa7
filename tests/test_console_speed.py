"""Every page of the console, as the table of addresses has them, with real rows: how many queries each takes."""

from __future__ import annotations

import pytest

from benchmarks import console

pytestmark = pytest.mark.django_db
MOST = 25


def test_every_page_takes_few_queries_and_as_many_with_20_times_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.tally.refresh", lambda now: 0)  # 32 days of closed hours, which no page waits for
    made = console.prepare()
    console.fill(made, 10, 5)
    few = {row["page"]: row["queries"] for row in console.look(made, 0)}
    console.fill(made, 200, 60)
    many = {row["page"]: row["queries"] for row in console.look(made, 0)}
    assert len(few) > 80
    assert {page: (few.get(page), count) for page, count in many.items() if few.get(page) != count} == {}
    assert {page: count for page, count in many.items() if count > MOST} == {}
