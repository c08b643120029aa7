"""Rows about taking events in."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import CONNECTIONS, WARM, Answered, Bench, Cpu, Figure
from benchmarks.installation import Installation
from benchmarks.processes import Process

BATCH = 100
BATCH_CONNECTIONS = 4
PACE = 1000


def single(bench: Bench) -> Iterator[Figure]:
    """One event a request, as fast as 32 connections can, beside the obvious way; both rows durable before the 200."""
    with bench.fresh(bench.ours):
        ours = _closed_loop(bench, bench.ours, bench.ours.serve("--web-only"), "ingest, one event a request")
    yield ours
    with bench.fresh(bench.other):
        theirs = _closed_loop(bench, bench.other, bench.other.serve(), "  the obvious DRF and ORM view")
    yield theirs
    yield Figure("  ratio", ours.value / theirs.value, "×")


def batches(bench: Bench) -> Iterator[Figure]:
    """A hundred events a request, with their ids looked up: repeats are dropped."""
    with bench.fresh(bench.ours):
        served, line = bench.ours.serve("--web-only"), f"ingest, {BATCH} events a request"
        yield _closed_loop(bench, bench.ours, served, line, BATCH_CONNECTIONS, BATCH)


def _closed_loop(
    bench: Bench,
    installation: Installation,
    served: tuple[Process, int],
    line: str,
    connections: int = CONNECTIONS,
    batch: int = 0,
) -> Figure:
    process, port = served
    with process:
        warm = bench.closed_loop(port, WARM, connections, batch)
        cpu = Cpu(process, installation)
        answered = bench.closed_loop(port, bench.seconds, connections, batch)
        app, database = cpu.per_event(answered.events)
    _check(installation, warm.events + answered.events, answered)
    more = {"p50_ms": answered.p50, "p99_ms": answered.p99, "refused": answered.refused, "broken": answered.broken}
    return Figure(line, answered.rate, "events/s", app, database, more)


def _check(installation: Installation, accepted: int, answered: Answered) -> None:
    """Every answered event is in the database with its delivery (more may be: those under way at the end), and hardly
    any request went without a good answer."""
    if (answered.refused + answered.broken) * 100 > answered.events:
        raise RuntimeError(f"{answered.refused} requests were refused and {answered.broken} broke off.")
    events, deliveries = installation.stored()
    if events < accepted or deliveries != events:
        raise RuntimeError(f"{accepted} events were accepted, but there are {events} and {deliveries} deliveries.")


def latency(bench: Bench) -> Iterator[Figure]:
    """At 1,000 requests a second, without and with workers that deliver the same events meanwhile."""
    for options, words in ((("--web-only",), f"at {PACE:,}/s"), ((), f"at {PACE:,}/s while delivering")):
        with bench.fresh(bench.ours):
            process, port = bench.ours.serve(*options)
            with process:
                bench.own_load(port, WARM, rate=PACE)
                cpu = Cpu(process, bench.ours)
                answered = bench.own_load(port, bench.seconds, rate=PACE)
                app, database = cpu.per_event(answered.events)
            _check(bench.ours, answered.events, answered)
        more = _more(answered)
        yield Figure(f"ingest p50 {words}", answered.p50, "ms", app, database, more)
        yield Figure(f"ingest p99 {words}", answered.p99, "ms")


def _more(answered: Answered) -> dict[str, float]:
    return {"rate": answered.rate, "refused": answered.refused, "broken": answered.broken}
