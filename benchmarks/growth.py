"""The row about growth: what a claim costs with much history."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, Figure

LITTLE, MUCH, MUCH_QUICK = 10_000, 1_000_000, 100_000


def claims(bench: Bench) -> Iterator[Figure]:
    """Claim 500 due rows with little and with much history; all rounds at once, for history is slow to make."""
    taken: dict[int, list[float]] = {}
    sizes = (LITTLE, MUCH_QUICK if bench.quick else MUCH)
    with bench.fresh(bench.ours):
        for size in sizes:
            bench.ours.inside("history", rows=size)
            bench.ours.inside("claims", run=bench.new_run())  # warms the caches
            taken[size] = [bench.ours.inside("claims", run=bench.new_run())["ms"] for _ in range(bench.rounds)]
            for value in taken[size]:
                yield Figure(f"claim of 500 due rows at {size:,} rows of history", value, "ms")
    for little, much in zip(*taken.values(), strict=True):
        yield Figure("  ratio", much / little, "×")
    bench.ours.empty()
