"""The row about Customer.io's webhooks: it gives 4 s and holds back everything that comes after an error."""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import local

from benchmarks.bench import Bench, Figure
from benchmarks.processes import run

COUNT, PACE, RESENT, MALFORMED = 1000, 200, 0.20, 0.05
KEY = "wk_bench_customerio"
METRICS = ("drafted", "attempted", "sent", "delivered", "opened", "clicked", "bounced", "unsubscribed")
_own = local()


def customerio(bench: Bench) -> Iterator[Figure]:
    """1,000 reporting webhooks at 200 a second: a fifth re-sent, one in twenty malformed (JSON that is no event, or no
    JSON at all). One event is stored for each ``event_id``, and only what is no JSON gets anything but 200."""
    with bench.fresh(bench.ours):
        source = {"name": "bench-customerio", "vendor": "customerio", "write_keys": [{"label": "main", "key": KEY}]}
        document = bench.ours.work / "customerio.json"
        document.write_text(json.dumps({"version": 1, "sources": [source], "connectors": []}))
        run([sys.executable, "manage.py", "import_config", str(document)], bench.ours.environment())
        bodies, ids, broken = _bodies()
        process, port = bench.ours.serve()
        with process:
            _post(port, bodies[0])
            answers = _paced(port, bodies)
        found = Counter(status for status, _ in answers)
        if found != {200: len(bodies) - broken, 400: broken}:
            raise RuntimeError(f"{broken} bodies are no JSON, but the answers were {dict(found)}.")
        stored = bench.ours.database.query("SELECT count(DISTINCT message_id) FROM deliveries_event")[0][0]
        events = bench.ours.stored()[0]
        if not stored == events == ids:
            raise RuntimeError(f"{ids} event_ids were sent, but there are {events} events with {stored} ids.")
    times = sorted(milliseconds for _, milliseconds in answers)
    yield Figure(f"Customer.io webhooks at {PACE}/s, p50", times[len(times) // 2], "ms", more={"events": events})
    yield Figure(f"Customer.io webhooks at {PACE}/s, p99", times[len(times) * 99 // 100], "ms")


def _bodies() -> tuple[list[bytes], int, int]:
    """The bodies, how many different ids are in those that are JSON objects, and how many are no JSON."""
    chance = random.Random(7)
    bodies: list[bytes] = []
    ids: set[str] = set()
    broken = 0
    good: list[bytes] = []
    while len(bodies) < COUNT:
        dice = chance.random()
        if dice < MALFORMED / 2:
            bodies.append(b'{"event_id": "cut off')
            broken += 1
        elif dice < MALFORMED:
            identifier = f"odd-{len(bodies)}"
            ids.add(identifier)
            bodies.append(json.dumps({"event_id": identifier, "data": "not an object"}).encode())
        elif dice < MALFORMED + RESENT and good:
            bodies.append(chance.choice(good))
        else:
            identifier = f"01E4C4CT6YDC7Y5M7FE1G{len(bodies):05d}"
            ids.add(identifier)
            person = str(chance.randrange(500))
            data = {
                "customer_id": person,
                "email_address": f"person{person}@example.com",
                "identifiers": {"id": person, "email": f"person{person}@example.com", "cio_id": f"d9c1060{person}"},
                "delivery_id": f"RPILAgUBcRhIBqSfeiIwdIYJKxTY{len(bodies)}",
                "campaign_id": chance.randrange(40),
                "subject": "Why haven't you visited lately?",
            }
            body = {"event_id": identifier, "object_type": "email", "metric": chance.choice(METRICS), "data": data}
            good.append(json.dumps({**body, "timestamp": 1_613_063_089 + len(bodies)}).encode())
            bodies.append(good[-1])
    return bodies, len(ids), broken


def _paced(port: int, bodies: list[bytes]) -> list[tuple[int, float]]:
    begin = time.monotonic() + 0.2

    def send(number: int) -> tuple[int, float]:
        due = begin + number / PACE
        time.sleep(max(0.0, due - time.monotonic()))
        status = _post(port, bodies[number])
        return status, 1000 * (time.monotonic() - due)

    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(send, range(len(bodies))))


def _post(port: int, body: bytes) -> int:
    connection = getattr(_own, "connection", None)
    if connection is None or connection.port != port:
        connection = _own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/connector/customerio", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status
