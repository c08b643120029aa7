"""What the rows share: the figures they yield, the two installations, the receiver, and the load on them."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.events import TEMPLATE
from benchmarks.installation import Installation, Obvious, Signalbox, authorization
from benchmarks.processes import ROOT, Process, answering, run

CONNECTIONS = 32
WARM = 2.0


@dataclass
class Figure:
    """One measured value of one line of the table. CPU is in milliseconds per event; None where it has no meaning."""

    line: str
    value: float
    unit: str
    cpu: float | None = None
    database_cpu: float | None = None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Answered:
    """What a load generator saw: answers of 200 and the others, events per second, milliseconds."""

    events: int
    rate: float
    p50: float
    p99: float
    refused: int
    broken: int
    begin: float = 0.0
    end: float = 0.0
    worst: float = 0.0
    bare: int = 0  # refused, but not by 429 or 503 with Retry-After


class Cpu:
    """CPU seconds of an application and its database from the moment it is made."""

    def __init__(self, process: Process, installation: Installation) -> None:
        self.process, self.installation = process, installation
        self.before = self._now()

    def _now(self) -> tuple[float, float | None]:
        return self.process.cpu(), self.installation.database.cpu()

    def per_event(self, events: int) -> tuple[float | None, float | None]:
        """Milliseconds of the application and of the database's server."""
        (app, server), (app_before, server_before) = self._now(), self.before
        if not events or not os.path.isdir("/proc"):
            return None, None
        database = None if server is None or server_before is None else 1000 * (server - server_before) / events
        return 1000 * (app - app_before) / events, database


class Receiver:
    """The receiving process and its control."""

    def __init__(self, port: int, work: Path) -> None:
        self.port = port
        environment = dict(os.environ)
        self.process = Process(
            [sys.executable, "-m", "benchmarks.receiver", str(port)], environment, work / "receiver.log"
        )
        answering(port, "/_stats", self.process)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, target: str) -> dict[str, float]:
        self.connection.request("GET", target)
        return json.loads(self.connection.getresponse().read())

    def reset(self, delay: float = 0, refuse: int = 0) -> None:
        self.ask(f"/_reset?delay={delay}&refuse={refuse}")

    def stats(self, total: int = 0) -> dict[str, float]:
        return self.ask(f"/_stats?total={total}")

    def between(self, since: float, until: float) -> int:
        return int(self.ask(f"/_between?since={since}&until={until}")["events"])


class Bench:
    """One pair of installations on one database, with how long to measure."""

    def __init__(self, ours: Signalbox, other: Obvious, receiver: Receiver, seconds: float, rounds: int) -> None:
        self.ours, self.other, self.receiver = ours, other, receiver
        self.seconds, self.rounds = seconds, rounds
        self.quick = seconds < 4
        self._runs = count(1)

    def new_run(self) -> str:
        """A prefix for message ids that no other run has."""
        return f"bench-{os.getpid()}-{next(self._runs):04d}"

    @contextmanager
    def fresh(self, installation: Installation, delay: float = 0) -> Iterator[None]:
        """The installation emptied, and the receiver's counts too."""
        installation.empty()
        self.receiver.reset(delay)
        yield

    def closed_loop(self, port: int, seconds: float, connections: int = CONNECTIONS, batch: int = 0) -> Answered:
        """As fast as the answers come."""
        if not wrk():
            return self.own_load(port, seconds, connections, batch=batch)
        path = "batch" if batch else "track"
        output = run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "30s"),
                *("-s", str(ROOT / "benchmarks" / "wrk.lua"), f"http://127.0.0.1:{port}/v1/{path}"),
                *("--", str(TEMPLATE), authorization(), self.new_run(), str(batch)),
            ],
            os.environ,
        )
        found = json.loads(output.rpartition("RESULT ")[2])
        good = (found["answered"] - found["refused"]) * (batch or 1)
        rate = good / found["seconds"]
        return Answered(good, rate, found["p50"], found["p99"], found["refused"], found["broken"])

    def own_load(
        self,
        port: int,
        seconds: float,
        connections: int = CONNECTIONS,
        rate: float = 0,
        batch: int = 0,
        warm: float = 0,
    ) -> Answered:
        """Our own generator: paced if there is a rate. ``events`` are all that were accepted, the warm-up's too."""
        options = {
            "port": port,
            "authorization": authorization(),
            "run": self.new_run(),
            "connections": connections,
            "seconds": seconds,
            "rate": rate,
            "batch": batch,
            "warm": warm,
        }
        found = json.loads(run([sys.executable, "-m", "benchmarks.load", json.dumps(options)], os.environ))
        size = batch or 1
        return Answered(
            found["accepted"] * size,
            found["answered"] * size / found["seconds"],
            found["p50"],
            found["p99"],
            found["refused"],
            found["broken"],
            found["begin"],
            found["end"],
            found["worst"],
            found["bare"],
        )


def wrk() -> bool:
    return shutil.which("wrk") is not None


def until(condition: Any, process: Process, timeout: float, what: str, every: float = 0.02) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        process.check()
        if time.monotonic() > deadline:
            raise RuntimeError(f"Not within {timeout:.0f} s: {what}\n{process.log.read_text(errors='replace')[-3000:]}")
        time.sleep(every)
