"""Rows about sending events out."""

# ruff: noqa: S608 - numbers of our own in SQL

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator

from benchmarks.bench import WARM, Bench, Cpu, Figure, until
from benchmarks.installation import Installation
from benchmarks.processes import Process, tree

EXPECTED = {0: 3000, 50: 1500}  # deliveries a second, by the receiver's milliseconds: how many to prepare
EXPECTED_OBVIOUS = {0: 110, 50: 35}
EXPECTED_BATCHED = 40_000
OFFERED = 1600  # events a second, both in and out
STEADY, STEADY_FOR = 500, 300  # events a second, seconds
KILLS = 10
KILLED_DURING = 10_000


def one_by_one(bench: Bench) -> Iterator[Figure]:
    """One event a call to a receiver that answers at once, and one that takes 50 ms, beside one task per delivery."""
    for delay in (0, 50):
        words = f"delivery, one event a call, {delay} ms receiver"
        ours = _work_off(bench, bench.ours, "webhook", round(EXPECTED[delay] * bench.seconds), delay, words)
        yield ours
        rows = max(100, round(EXPECTED_OBVIOUS[delay] * bench.seconds))
        theirs = _work_off(bench, bench.other, "webhook", rows, delay, f"  one task per delivery, {delay} ms receiver")
        yield theirs
        yield Figure(f"  ratio, {delay} ms receiver", ours.value / theirs.value, "×")


def batched(bench: Bench) -> Iterator[Figure]:
    """Segment's batches of 100 events a call."""
    rows = round(EXPECTED_BATCHED * min(bench.seconds, 5))
    yield _work_off(bench, bench.ours, "segment", rows, 0, "delivery, Segment batches of 100")


def _work_off(bench: Bench, installation: Installation, vendor: str, rows: int, delay: int, line: str) -> Figure:
    """Rows stored beforehand, then the workers started. Measured from a tenth of them on to the last one."""
    with bench.fresh(installation, delay):
        installation.inside("fill", vendor=vendor, events=rows, run=bench.new_run())
        with installation.work_off() as process:
            received = bench.receiver.stats
            until(lambda: received()["events"] >= rows // 10, process, 120, "a tenth of the deliveries")
            done = int(received()["events"])
            cpu = Cpu(process, installation)
            until(lambda: received()["distinct"] >= rows, process, 300, "all deliveries received")
            app, database = cpu.per_event(rows - done)
            until(lambda: installation.delivered() == rows, process, 60, "all deliveries recorded", every=0.2)
        stats = received(rows)
    more = {"rows": rows, "received": stats["events"], "repeats": stats["events"] - stats["distinct"]}
    return Figure(line, stats.get("rate", 0.0), "events/s", app, database, more)


def both(bench: Bench) -> Iterator[Figure]:
    """In and out at once: what came in and what went out in the same seconds, and whether all of it arrived."""
    with bench.fresh(bench.ours):
        process, port = bench.ours.serve()
        with process:
            bench.own_load(port, 1, rate=100)
            until(lambda: bench.receiver.stats()["events"] > 0, process, 60, "the first delivery")
            before = bench.ours.stored()[0]
            cpu = Cpu(process, bench.ours)
            sent = bench.own_load(port, bench.seconds, rate=OFFERED, warm=WARM)
            app, database = cpu.per_event(sent.events)
            total = before + sent.events
            until(lambda: bench.receiver.stats()["distinct"] >= total, process, 120, f"all {total} events received")
            until(lambda: bench.ours.delivered() == total, process, 60, "all recorded", every=0.2)
            stats = bench.receiver.stats()
        out = bench.receiver.between(sent.begin, sent.end) / (sent.end - sent.begin)
    more = {
        "offered": OFFERED,
        "in": sent.rate,
        "out": out,
        "accepted": total,
        "received": stats["distinct"],
        "repeats": stats["events"] - stats["distinct"],
        "caught_up_after_s": stats["last"] - sent.end,
        "refused": sent.refused,
        "broken": sent.broken,
    }
    yield Figure(f"in and out at once, {OFFERED:,}/s offered", min(sent.rate, out), "events/s", app, database, more)
    yield Figure("  lost", total - stats["distinct"], "events")
    yield Figure("  ingest p99 meanwhile", sent.p99, "ms")


def steady(bench: Bench) -> Iterator[Figure]:
    """Web and workers write together for five minutes: everything arrives, and no statement meets a locked database."""
    seconds = 5 if bench.quick else STEADY_FOR
    with bench.fresh(bench.ours):
        process, port = bench.ours.serve()
        with process:
            cpu = Cpu(process, bench.ours)
            sent = bench.own_load(port, seconds, rate=STEADY)
            app, database = cpu.per_event(sent.events)
            until(lambda: bench.receiver.stats()["distinct"] >= sent.events, process, 60, "all events received")
            until(lambda: bench.ours.delivered() == sent.events, process, 60, "all recorded", every=0.2)
            stats = bench.receiver.stats()
        log = process.log.read_text(errors="replace").lower()
    words = f"{STEADY}/s in and out for {seconds} s"
    more = {"refused": sent.refused, "broken": sent.broken, "repeats": stats["events"] - stats["distinct"]}
    yield Figure(f"{words}: lost", sent.events - stats["distinct"], "events", app, database, more)
    yield Figure("  statements that met a locked database", log.count("locked"), "times")
    yield Figure("  ingest p99 meanwhile", sent.p99, "ms")


def killed(bench: Bench) -> Iterator[Figure]:
    """Ten times kill -9 of a worker that has deliveries in hand, during 10,000 deliveries."""
    with bench.fresh(bench.ours, 2):
        bench.ours.inside("fill", vendor="webhook", events=KILLED_DURING, run=bench.new_run())
        process = bench.ours.work_off()
        with process:
            in_hand = []
            for number in range(KILLS):
                at = KILLED_DURING * (number + 1) // (KILLS + 1)
                until(lambda at=at: bench.receiver.stats()["distinct"] >= at, process, 120, f"{at} received")
                pid = _busy_worker(bench, process)
                os.kill(pid, signal.SIGKILL)
                in_hand.append(_in_hand(bench, pid))
            until(lambda: bench.receiver.stats()["distinct"] >= KILLED_DURING, process, 180, "everything received")
            until(lambda: bench.ours.delivered() == KILLED_DURING, process, 90, "everything recorded", every=0.2)
            stats = bench.receiver.stats()
    yield Figure(f"worker killed -9 {KILLS} times: received of {KILLED_DURING:,}", stats["distinct"], "events")
    more = {"in_hand_when_killed": in_hand}
    yield Figure("  received again, with the same id", stats["events"] - stats["distinct"], "events", more=more)
    yield Figure("  first to last, leases run out included", stats["last"] - stats["first"], "s")


def _busy_worker(bench: Bench, process: Process) -> int:
    """A random worker process that holds leases: a lease's owner begins with the number of its process."""
    found: list[int] = []

    def look() -> bool:
        rows = bench.ours.database.query(
            "SELECT DISTINCT lease_owner FROM deliveries_delivery WHERE status = 'sending' AND lease_owner <> ''"
        )
        family = set(tree(process.popen.pid))
        found[:] = [pid for (owner,) in rows if (pid := int(owner.partition("-")[0])) in family]
        return bool(found)

    until(look, process, 90, "a worker with deliveries in hand")
    return random.choice(found)


def _in_hand(bench: Bench, pid: int) -> int:
    rows = bench.ours.database.query(
        f"SELECT count(*) FROM deliveries_delivery WHERE status = 'sending' AND lease_owner LIKE '{pid}-%'"
    )
    return int(rows[0][0])
