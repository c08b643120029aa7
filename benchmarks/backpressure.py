"""The row about too much: twice what the machine can take in."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.bench import Answered, Bench, Figure
from benchmarks.installation import KEYS
from benchmarks.processes import ROOT, Process, run, tree
from tests import npm

CONNECTIONS = 3000
MEMORY_BOUND = 600.0  # MB, of each process
CLIENT_EVENTS = 500  # of each official client, spread over the whole overload
KINDS = ("web", "worker", "serve")


def backpressure(bench: Bench) -> Iterator[Figure]:
    """What is sustained is measured first; then twice as much is offered over 3,000 connections, whether or not it is
    answered, while Segment's own clients for Python and Node send their events as well. ``--seconds 150`` makes it five
    minutes.

    Fails if anything but 200 and 429 or 503 with ``Retry-After`` is answered, if an event that was answered 200 or that
    a client was given is missing afterwards, or if a process takes more memory than stated."""
    with bench.fresh(bench.ours):
        process, port = bench.ours.serve()
        with process:
            sustained = bench.own_load(port, bench.seconds)
            memory = Memory(process)
            arguments = [str(port), KEYS["webhook"], str(CLIENT_EVENTS), str(2 * bench.seconds)]
            with ThreadPoolExecutor() as pool:
                clients = {
                    name: pool.submit(run, [*command, *arguments], bench.ours.environment())
                    for name, command in _clients().items()
                }
                answered = bench.own_load(port, 2 * bench.seconds, CONNECTIONS, rate=2 * sustained.rate)
                given = {name: _arrived(bench, json.loads(client.result())) for name, client in clients.items()}
            memory.stop()
            stored = bench.ours.stored()[0]
        _check(answered, answered.events + sustained.events, stored, given, memory)
    more = {
        "sustained": sustained.rate, "offered": 2 * sustained.rate, "seconds": 2 * bench.seconds,
        "asked_to_come_again": answered.refused, "p50_ms": answered.p50, "p99_ms": answered.p99,
        "broken": answered.broken, "memory_mb": memory.most, "clients": given,
    }  # fmt: skip
    share = 100 * answered.rate / sustained.rate
    words = f"twice what is sustained, for {2 * bench.seconds:,.0f} s"
    yield Figure(f"{words}: still taken in", share, "% of sustained", more=more)
    yield Figure("  asked to come again, by 429 or 503 with Retry-After", answered.refused, "requests")
    yield Figure("  p99 of all answers", answered.p99, "ms")
    for name, client in given.items():
        yield Figure(f"  official client for {name}, lost of {CLIENT_EVENTS} events", client["lost"], "events")
    for kind in KINDS:
        yield Figure(f"  memory of a {kind} process, at most (allowed: {MEMORY_BOUND:.0f})", memory.most[kind], "MB")


def _clients() -> dict[str, list[str]]:
    """How each official client is started; that for Node only where there is Node.js and npm."""
    found = {"Python": [sys.executable, "-m", "benchmarks.client"]}
    if directory := npm.installed(ROOT / "tests" / "clients"):
        shutil.copy(ROOT / "benchmarks" / "client.mjs", directory)
        found["Node"] = ["node", str(directory / "client.mjs")]
    return found


def _arrived(bench: Bench, sent: dict[str, list[str]]) -> dict[str, Any]:
    """What a client was given to send, and what of that is not in the database."""
    rows = bench.ours.database.query("SELECT message_id FROM deliveries_event WHERE message_id LIKE 'client-%'")
    missing = set(sent["ids"]) - {message_id for (message_id,) in rows}
    return {"events": len(sent["ids"]), "lost": len(missing), "errors": sent["errors"]}


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


def _check(answered: Answered, accepted: int, stored: int, given: dict[str, dict[str, Any]], memory: Memory) -> None:
    if answered.bare:
        raise RuntimeError(f"{answered.bare} answers were neither 200 nor 429 or 503 with Retry-After.")
    for name, client in given.items():
        if client["lost"]:
            raise RuntimeError(f"The client for {name} lost {client['lost']} of {client['events']}: {client['errors']}")
    if stored < accepted + sum(client["events"] for client in given.values()):
        raise RuntimeError(f"{accepted} events were answered 200, but {stored} are stored.")
    if max(memory.most.values()) > MEMORY_BOUND:
        raise RuntimeError(f"More than {MEMORY_BOUND:.0f} MB: {memory.most}")
