"""The row about too much: twice what the machine can take in."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench, Figure
from benchmarks.installation import KEYS
from benchmarks.processes import Process, run, tree

CONNECTIONS = 3000
MEMORY_BOUND = 600.0  # MB, of each process
CLIENT_EVENTS = 500


def backpressure(bench: Bench) -> Iterator[Figure]:
    """What is sustained is measured first; then twice as much is offered over 3,000 connections, whether or not it is
    answered, while Segment's own client for Python sends its events as well. ``--seconds 150`` makes it five minutes.

    Fails if anything but 200 and 429 or 503 with ``Retry-After`` is answered, if an event that was answered 200 or that
    the client was given is missing afterwards, or if a process takes more memory than stated."""
    with bench.fresh(bench.ours):
        process, port = bench.ours.serve()
        with process:
            sustained = bench.own_load(port, bench.seconds)
            memory = Memory(process)
            sender = bench.ours.work / "client.json"
            client = threading.Thread(target=_client, args=(bench, port, sender))
            client.start()
            answered = bench.own_load(port, 2 * bench.seconds, CONNECTIONS, rate=2 * sustained.rate)
            client.join()
            memory.stop()
            stored = bench.ours.stored()[0]
        given = json.loads(sender.read_text())
        if answered.bare:
            raise RuntimeError(f"{answered.bare} answers were neither 200 nor had a Retry-After.")
        _check(bench, answered.events + sustained.events, stored, given, memory)
    more = {
        "sustained": sustained.rate, "offered": 2 * sustained.rate, "asked_to_come_again": answered.refused,
        "p50_ms": answered.p50, "p99_ms": answered.p99, "broken": answered.broken, "memory_mb": memory.most,
        "client": given,
    }  # fmt: skip
    share = 100 * answered.rate / sustained.rate
    yield Figure("twice what is sustained: still taken in", share, "% of sustained", more=more)
    yield Figure("  asked to come again, by 503 with Retry-After", answered.refused, "requests")
    yield Figure("  p99 of all answers", answered.p99, "ms")
    yield Figure("  of the official client's events, lost", given["events"] - given["stored"], "events")
    yield Figure("  memory of the largest process", max(memory.most.values()), "MB")


class Memory:
    """The most that any process of a kind had in use, looked at twice a second."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.most: dict[str, float] = {}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        while not self.ended.wait(0.5):
            for pid in tree(self.process.popen.pid):
                with contextlib.suppress(OSError, ValueError, StopIteration):
                    command = Path(f"/proc/{pid}/cmdline").read_bytes()
                    kind = "web" if b"uvicorn" in command else "worker" if b"worker" in command else "serve"
                    status = Path(f"/proc/{pid}/status").read_text().splitlines()
                    kilobytes = int(next(line for line in status if line.startswith("VmRSS")).split()[1])
                    self.most[kind] = max(self.most.get(kind, 0.0), kilobytes / 1024)

    def stop(self) -> None:
        self.ended.set()
        self.thread.join()


def _client(bench: Bench, port: int, answer: Path) -> None:
    """The official client, in a process of its own; what it was given to send, and what of that is in the database."""
    ids = run(
        [sys.executable, "-m", "benchmarks.client", str(port), KEYS["webhook"], str(CLIENT_EVENTS)],
        bench.ours.environment(),
    )
    sent = json.loads(ids)
    time.sleep(0.1)
    rows = bench.ours.database.query("SELECT message_id FROM deliveries_event WHERE message_id LIKE 'client-%'")
    found = {message_id for (message_id,) in rows}
    result = {"events": len(sent["ids"]), "stored": len(found & set(sent["ids"])), "errors": sent["errors"]}
    answer.write_text(json.dumps(result))


def _check(bench: Bench, accepted: int, stored: int, given: dict[str, int], memory: Memory) -> None:
    if stored < accepted + given["stored"]:
        raise RuntimeError(f"{accepted} events were answered 200, but {stored} are stored.")
    if given["stored"] != given["events"]:
        raise RuntimeError(f"Of the client's {given['events']} events only {given['stored']} arrived.")
    if max(memory.most.values()) > MEMORY_BOUND:
        raise RuntimeError(f"More than {MEMORY_BOUND:.0f} MB: {memory.most}")
