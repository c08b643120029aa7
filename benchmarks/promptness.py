"""The rows about an idle system: how soon an event's first try starts, and a retry after it is due."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import datetime
from urllib.request import Request, urlopen

from benchmarks.bench import Bench, Figure, until
from benchmarks.events import event
from benchmarks.installation import authorization

EVENTS = 40
DELAYS = (1, 75)  # seconds until the retries: one that a drain waits for, and one that has to be woken for


def promptness(bench: Bench) -> Iterator[Figure]:
    """Single events with pauses between them, every fourth refused twice with a 503 and then taken."""
    events, delays = (10, DELAYS[:1]) if bench.quick else (EVENTS, DELAYS)
    chance = random.Random(11)
    with bench.fresh(bench.ours):
        bench.ours.inside("retry_after", delays=[*delays, 600])
        bench.receiver.reset(refuse=len(delays))
        process, port = bench.ours.serve()
        due: dict[tuple[int, int], float] = {}
        with process:
            run = bench.new_run()
            for number in range(events):
                _send(port, event(run, number))
                time.sleep(chance.uniform(0.1, 1.5))
                _look(bench, due)
            until(lambda: _look(bench, due) >= events, process, 150, "every event delivered", every=0.3)
        bench.ours.inside("retry_after", delays=None)
    tries = _tries(bench)
    first = [tried[0][0] - came for came, tried in tries.values()]
    yield _p95("idle: from the event's answer to its first try, p95", first)
    for number, delay in enumerate(delays, 1):
        late = [tries[key][1][number][0] - moment for (key, made), moment in due.items() if made == number]
        yield _p95(f"idle: a retry after {delay} s is late by, p95", late)


def _look(bench: Bench, due: dict[tuple[int, int], float]) -> int:
    """Note when the retries are due that are planned now: (event, tries made) → seconds. How many are delivered."""
    query = "SELECT event_id, attempts, next_attempt_at FROM deliveries_delivery WHERE status = 'retrying'"
    due |= {(key, made): _seconds(moment) for key, made, moment in bench.ours.database.query(query)}
    return bench.ours.delivered()


def _send(port: int, body: str) -> None:
    request = Request(f"http://127.0.0.1:{port}/v1/track", body.encode(), {"Authorization": authorization()})
    with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server on loopback
        answer.read()


def _tries(bench: Bench) -> dict[int, tuple[float, list[tuple[float, float]]]]:
    """For every event: when it came, and when each try began and ended, in seconds."""
    rows = bench.ours.database.query(
        "SELECT e.id, e.received_at, a.started_at, a.duration_ms FROM deliveries_event e "
        "JOIN deliveries_delivery d ON d.event_id = e.id JOIN deliveries_attempt a ON a.delivery_id = d.id "
        "ORDER BY a.id"
    )
    found: dict[int, tuple[float, list[tuple[float, float]]]] = {}
    for key, received, started, duration in rows:
        begin = _seconds(started)
        found.setdefault(key, (_seconds(received), []))[1].append((begin, begin + duration / 1000))
    return found


def _seconds(moment: str | datetime) -> float:
    return (datetime.fromisoformat(moment) if isinstance(moment, str) else moment).timestamp()


def _p95(line: str, values: list[float]) -> Figure:
    values.sort()
    more = {"most_s": values[-1], "median_s": values[len(values) // 2], "of": len(values)}
    return Figure(line, values[len(values) * 95 // 100], "s", more=more)
