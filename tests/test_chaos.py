"""Chaos' own parts: the plan that a seed makes, and books that find what is planted in them."""

from __future__ import annotations

import pytest

from tests.chaos import plan
from tests.chaos.faults import FAULTS
from tests.chaos.ledger import Account, Arrivals, account, table

ON_BOTH = {"sqlite", "postgres"}


def test_every_kind_has_its_fault() -> None:
    assert set(FAULTS) == set(plan.BY_NAME)


@pytest.mark.parametrize("database", sorted(ON_BOTH))
@pytest.mark.parametrize("short", [True, False])
def test_a_plan_has_every_kind_alone_and_some_together(database: str, short: bool) -> None:
    steps = plan.make(7, database, 60, short=short)
    able = {kind.name for kind in plan.KINDS if database in kind.databases}
    alone = [step.kinds[0] for step in steps if len(step.kinds) == 1]
    assert sorted(alone) == sorted(able)
    assert len(able) >= 12
    assert any(len(step.kinds) > 1 for step in steps)
    assert {kind for step in steps for kind in step.kinds} == able


def test_the_same_seed_makes_the_same_plan() -> None:
    assert plan.make(7, "sqlite", 60, short=True) == plan.make(7, "sqlite", 60, short=True)
    assert plan.make(7, "sqlite", 60, short=True) != plan.make(8, "sqlite", 60, short=True)


def test_a_plan_of_chosen_kinds() -> None:
    steps = plan.make(7, "sqlite", 1, short=True, names=["hangs", "cut"])
    assert [step.kinds for step in steps] == [("hangs",)]  # connections are cut on PostgreSQL only


def test_in_a_step_databases_are_hurt_last_and_so_healed_first() -> None:
    for step in plan.make(3, "postgres", 600, short=False):
        orders = [plan.BY_NAME[kind].order for kind in step.kinds]
        assert orders == sorted(orders)


def books(rows: list[tuple[str, str]], *came: tuple[str, str]) -> Account:
    arrivals = Arrivals()
    for number, message_id in came:
        arrivals.came(number, message_id)
        arrivals.answered[number] += 1
    return account("shop", ["n-1", "n-2"], rows, arrivals)


def test_books_that_are_right() -> None:
    found = books([("n-1", "delivered"), ("n-2", "failed")], ("n-1", "a"), ("n-1", "a"))
    assert (found.wrong, found.lost, found.repeats) == ([], 0, 1)
    assert table([found]).splitlines()[1].split() == ["shop", "2", "1", "1", "0", "0", "0", "0", "1"]


@pytest.mark.parametrize(
    ("rows", "came", "words"),
    [
        ([("n-1", "delivered")], [("n-1", "a")], "1 accepted events have no delivery: n-2"),
        ([("n-1", "delivered"), ("n-2", "held")], [], "1 are called delivered and never arrived: n-1"),
        (
            [("n-1", "waiting"), ("n-2", "held")],
            [("n-1", "a"), ("n-1", "b")],
            "1 came again under another message id: n-1",
        ),
        ([("n-1", "held"), ("n-2", "held"), ("n-2", "held")], [], "1 have two deliveries: n-2"),
    ],
)
def test_books_that_are_wrong(rows: list[tuple[str, str]], came: list[tuple[str, str]], words: str) -> None:
    assert words in books(rows, *came).wrong


def test_a_sum_that_does_not_balance() -> None:
    found = books([("n-1", "held"), ("n-2", "held"), ("n-3", "held")])
    assert found.wrong == ["2 accepted is not the sum 3"]
