"""The row about isolation: what sick connectors do to healthy ones."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks.bench import Bench, Figure, until
from benchmarks.installation import CROWD_KEYS, HEALTHY, basic

SICK = ((1, "hangs"), (1, "fails"), (10, "hangs,fails"), (50, "hangs,fails"))  # how many, and with what by turns
WORDS = {"hangs": "hangs", "fails": "fails", "hangs,fails": "hang or fail"}
BACKLOG = 200  # events that wait for every sick connector at the start, and more come
DELAY = 20  # ms that a healthy receiver takes
EXPECTED = 3500  # deliveries a second of the healthy five together: so many wait as take them ``seconds``
PACED = 40  # events a second, each to five healthy connectors
SICK_PACED = 2  # events a second to every sick one


def isolation(bench: Bench) -> Iterator[Figure]:
    """Five healthy connectors alone, and beside 1 whose receiver hangs, 1 whose receiver fails, and 10 and 50 that do
    so by turns: how fast they work off what waits, and how long an event takes from its client to its receiver. Alone
    and beside by turns, so that what else the machine does falls on both."""
    try:
        for sick, ways in SICK:
            rates, waits = [], []
            for _ in range(bench.rounds):
                rates.append([_rate(bench, number, ways) for number in (0, sick)])
                waits.append([_wait(bench, number, ways) for number in (0, sick)])
            alone, beside = (median(pair[at] for pair in rates) for at in (0, 1))
            p95_alone, p95_beside = (median(pair[at] for pair in waits) for at in (0, 1))
            words = f"beside {sick} that {WORDS[ways]}"
            more = {"alone": alone, "beside": beside, "pairs": rates}
            yield Figure(f"5 healthy connectors {words}: throughput", 100 * beside / alone, "% of alone", more=more)
            more = {"alone_ms": p95_alone, "beside_ms": p95_beside, "pairs": waits}
            yield Figure(
                f"  p95 from client to receiver {words}", 100 * p95_beside / p95_alone, "% of alone", more=more
            )
    finally:
        bench.ours.inside("no_crowd")


@contextmanager
def _crowd(bench: Bench, sick: int, ways: str) -> Iterator[None]:
    """Emptied, with so many sick connectors turned on and their backlog waiting."""
    with bench.fresh(bench.ours, DELAY):
        bench.ours.inside("crowd", receiver=f"http://127.0.0.1:{bench.receiver.port}", sick=sick, ways=ways)
        if sick:
            bench.ours.inside("fill", source="sick", events=BACKLOG, run=bench.new_run())
        yield


def _rate(bench: Bench, sick: int, ways: str) -> float:
    """Healthy deliveries a second, from a tenth of what waits to the last."""
    events = round(EXPECTED * bench.seconds / HEALTHY)
    total = events * HEALTHY
    with _crowd(bench, sick, ways):
        bench.ours.inside("fill", source="healthy", events=events, run=bench.new_run())
        with bench.ours.work_off() as process:
            until(lambda: bench.receiver.stats()["events"] >= total, process, 180, "all healthy ones delivered")
        return bench.receiver.stats(total)["rate"]


def _wait(bench: Bench, sick: int, ways: str) -> float:
    """p95 in ms from the moment a client sends an event to its arrival, at a pace that the machine holds easily."""
    with _crowd(bench, sick, ways):
        process, port = bench.ours.serve()
        with process:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            _post(connection, "healthy", 1, "warm")
            until(lambda: bench.receiver.stats()["events"] >= HEALTHY, process, 60, "the first delivery")
            begin = time.monotonic()
            sent = 0
            while (now := time.monotonic()) < begin + 2 * bench.seconds:
                _post(connection, "healthy", 1, "at")
                sent += 1
                if sick and sent % (PACED // SICK_PACED) == 0:
                    _post(connection, "sick", 1, "sick")
                time.sleep(max(0.0, begin + sent / PACED - now))
            total = (sent + 1) * HEALTHY
            until(lambda: bench.receiver.stats()["events"] >= total, process, 60, "all healthy ones delivered")
            return bench.receiver.stats()["p95"]


def _post(connection: http.client.HTTPConnection, source: str, number: int, mark: str) -> None:
    """An event whose id says when it was sent: the receiver reads it there."""
    event = {"event": "e", "userId": "u", "messageId": f"{mark}-{time.monotonic_ns()}", "properties": {"n": number}}
    connection.request("POST", "/v1/track", json.dumps(event), {"Authorization": basic(CROWD_KEYS[source])})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"An event was answered {answer.status}.")
