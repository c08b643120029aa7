"""The row about what goes: whether those who send wait while old events are deleted, or people are erased."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.bench import WARM, Bench, Figure, until

MUCH, MUCH_QUICK = 1_000_000, 100_000
PACE = 200  # events a second
LONGER = 60.0  # seconds that a job may go on after the measurement; it is ended before
JOBS = (
    ("with {rows:,} old ones", "", ""),
    ("while people are erased", "erase_people", "SELECT count(*) FROM deliveries_event WHERE erased_at IS NOT NULL"),
    ("while old ones are deleted", "retire", "SELECT -count(*) FROM deliveries_event WHERE id <= {rows}"),
)


def retention(bench: Bench) -> Iterator[Figure]:
    """The answers to events at a steady pace: with much history, while one person after the other is erased from it,
    and while it is deleted as the hourly job does it."""
    rows = MUCH_QUICK if bench.quick else MUCH
    for _ in range(bench.rounds):
        with bench.fresh(bench.ours):
            bench.ours.inside("history", rows=rows, tried=True)
            process, port = bench.ours.serve("--web-only")
            with process:
                for words, job, sql in JOBS:
                    yield from _measured(bench, port, words.format(rows=rows), job, sql.format(rows=rows))
    bench.ours.empty()


def _measured(bench: Bench, port: int, words: str, job: str, sql: str) -> Iterator[Figure]:
    with _beside(bench, job, sql):
        bench.own_load(port, WARM, rate=PACE)
        before = _count(bench, sql)
        answered = bench.own_load(port, bench.seconds, rate=PACE)
        gone = _count(bench, sql) - before
    if answered.refused or answered.broken:
        raise RuntimeError(f"{answered.refused} requests were refused and {answered.broken} broke off.")
    more = {"p50_ms": answered.p50, "gone_a_second": gone / bench.seconds}
    yield Figure(f"ingest p99 at {PACE}/s {words}", answered.p99, "ms", more=more)
    yield Figure(f"  slowest answer {words}", answered.worst, "ms")


@contextmanager
def _beside(bench: Bench, job: str, sql: str) -> Iterator[None]:
    """The job in a process of its own, which has begun and does not end by itself."""
    if not job:
        yield
        return
    options = json.dumps({"seconds": bench.seconds + LONGER})
    before = _count(bench, sql)
    with bench.ours.start(sys.executable, "-m", "benchmarks.within", bench.ours.module, job, options) as process:
        until(lambda: _count(bench, sql) > before, process, 60, "the first are gone", every=0.2)
        yield
        process.check()


def _count(bench: Bench, sql: str) -> int:
    return int(bench.ours.database.query(sql)[0][0]) if sql else 0
