"""``make bench``: measure, print a table, write results.json. See README.md beside this file."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmarks import backpressure, delivery, growth, ingest, isolation, pages, promptness, retention, webhooks
from benchmarks.bench import Bench, Figure, Receiver, wrk
from benchmarks.installation import install
from benchmarks.machine import describe
from benchmarks.processes import exit_on_signals, free_port, stop_all
from benchmarks.report import RESULTS, Report


class Row(NamedTuple):
    name: str
    measure: Callable[[Bench], Iterator[Figure]]
    all_rounds: bool = False  # it does its rounds itself


ROWS = (
    Row("ingest", ingest.single),
    Row("batch", ingest.batches),
    Row("latency", ingest.latency),
    Row("customerio", webhooks.customerio),
    Row("delivery", delivery.one_by_one),
    Row("segment", delivery.batched),
    Row("promptness", promptness.promptness, True),
    Row("both", delivery.both),
    Row("steady", delivery.steady, True),
    Row("claim", growth.claims, True),
    Row("pages", pages.pages, True),
    Row("retention", retention.retention, True),
    Row("kill", delivery.killed),
    Row("isolation", isolation.isolation, True),
    Row("backpressure", backpressure.backpressure),
)


def main() -> int:
    options = _options()
    if find_spec("gunicorn") is None:
        print("gunicorn is missing (the obvious alternative runs on it): pip install -r benchmarks/requirements.txt")
        return 1
    url, redis = os.environ.get("BENCH_DATABASE_URL", ""), os.environ.get("BENCH_REDIS_URL", "")
    machine = describe(url, redis, own_generator=not wrk())
    for name, words in machine.items():
        print(f"{name:10} {words}")
    if not wrk():
        print("           wrk is not installed (apt install wrk): its share of the CPU is larger without")
    if not url:
        print("PostgreSQL is left out: give BENCH_DATABASE_URL (and BENCH_REDIS_URL). See benchmarks/README.md.")
    exit_on_signals()
    report = Report()
    work = Path(tempfile.mkdtemp(prefix="signalbox-bench-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    begun = time.monotonic()
    try:
        receiver = Receiver(free_port(), work)
        for database_url in dict.fromkeys(("", url)):
            if options.database in (None, "postgresql" if database_url else "sqlite"):
                ours, other = install(work, receiver.port, database_url, redis if database_url else "")
                _measure(Bench(ours, other, receiver, options.seconds, options.rounds), options.only, report)
    except KeyboardInterrupt:
        print("\nStopped.")
    finally:
        stop_all()
        shutil.rmtree(work, ignore_errors=True)
    print(f"\n{report.table()}\n")
    print("CPU ms: of Signalbox's (or the other's) processes, and of the database's server, per event.")
    print(f"{options.rounds} rounds, {options.seconds:g} s each; {(time.monotonic() - begun) / 60:.0f} minutes in all.")
    if not options.quick and report.figures:
        report.save(machine, {"rounds_asked": options.rounds, "seconds": options.seconds})
        print(f"Written to {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}")
    for failure in report.failures:
        print(f"\nFAILED: {failure}")
    return 1 if report.failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [row.name for row in ROWS]
    parser.add_argument("--only", action="append", choices=names, help="only this row; may be given several times")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one (default: both)")
    parser.add_argument("--rounds", type=int, default=0, help="of which the median is shown (default 3)")
    parser.add_argument("--seconds", type=float, default=0, help="that each measurement takes (default 8)")
    parser.add_argument("--quick", action="store_true", help="one round of 2 s, little history; nothing is written")
    options = parser.parse_args()
    if options.database == "postgresql" and not os.environ.get("BENCH_DATABASE_URL"):
        parser.error("give PostgreSQL's address in BENCH_DATABASE_URL: see benchmarks/README.md")
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (2.0 if options.quick else 8.0)
    return options


def _measure(bench: Bench, only: list[str] | None, report: Report) -> None:
    database = bench.ours.database.name
    for row in ROWS:
        if only and row.name not in only:
            continue
        for number in range(1 if row.all_rounds else bench.rounds):
            print(f"… {database}: {row.name}, round {number + 1}", file=sys.stderr, flush=True)
            try:
                for figure in row.measure(bench):
                    report.add(row.name, database, figure)
                    print(f"    {figure.line.strip()}: {figure.value:,.2f} {figure.unit}", file=sys.stderr, flush=True)
            except RuntimeError as error:
                report.failures.append(f"{database}: {row.name}: {error}")
                print(f"    FAILED: {error}", file=sys.stderr, flush=True)
                break


if __name__ == "__main__":
    sys.exit(main())
