"""What is measured, as installations of their own: Signalbox, and beside it the obvious alternative."""

# ruff: noqa: S608 - names of our own in SQL

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.databases import EMPTIED, OBVIOUS_EMPTIED, SCHEMA, Database, Postgres, Sqlite
from benchmarks.processes import Process, answering, free_port, run

FOREIGN = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "SECRET_KEY", "SECRETS_KEYS", "DJANGO_SETTINGS_MODULE", "WORKERS")
HEALTHY = 5  # connectors of the isolation row
CROWD_KEYS = {"healthy": "wk_bench_healthy", "sick": "wk_bench_sick"}
KEYS = {"webhook": "wk_bench_webhook", "segment": "wk_bench_segment"}
SEGMENT_KEY = "b3nchWr1teKey0123456789abcdefGHI"  # as long as Segment makes them: what is stored is searched for it


def authorization(vendor: str = "webhook") -> str:
    return basic(KEYS[vendor])


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


class Installation:
    """An application with a database of its own, prepared once and emptied before every measurement."""

    module = ""  # what is run inside it
    tables: tuple[str, str]  # of events and of deliveries
    ready_path = "/v1/m"

    def __init__(self, database: Database, work: Path, receiver_port: int) -> None:
        self.database = database
        self.work = work
        self.inside("prepare", receiver=f"http://127.0.0.1:{receiver_port}")
        database.keep()

    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return {
            **inherited,
            **self.database.environment(),
            "ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8",
            "ADMIN_EMAIL": "bench@example.com",
            "ADMIN_PASSWORD": "correct horse battery",
            "PYTHONUNBUFFERED": "1",
        }

    def inside(self, command: str, **options: Any) -> Any:
        """Run a command of the installation's ``inside`` module in a process of its own; its answer."""
        output = run(
            [sys.executable, "-m", "benchmarks.within", self.module, command, json.dumps(options)], self.environment()
        )
        return json.loads(output.strip().splitlines()[-1])

    def start(self, *command: str) -> Process:
        log = self.work / f"{self.module}-{self.database.name}.log"
        return Process(command, self.environment(), log)

    def empty(self) -> None:
        self.database.empty()

    def delivered(self) -> int:
        return int(self.database.query(f"SELECT count(*) FROM {self.tables[1]} WHERE status = 'delivered'")[0][0])

    def stored(self) -> tuple[int, int]:
        """Events and deliveries."""
        events, deliveries = (self.database.query(f"SELECT count(*) FROM {table}")[0][0] for table in self.tables)
        return events, deliveries


class Signalbox(Installation):
    module = "benchmarks.inside"
    tables = ("deliveries_event", "deliveries_delivery")

    def serve(self, *options: str) -> tuple[Process, int]:
        """A running `manage.py serve`, and its port."""
        port = free_port()
        process = self.start(sys.executable, "manage.py", "serve", "--port", str(port), *options)
        if "--worker-only" not in options:
            answering(port, "/v1/m", process)
        return process, port

    def work_off(self) -> Process:
        return self.serve("--worker-only")[0]


class Obvious(Installation):
    """Django REST framework and django-q2 as their manuals show them, served by gunicorn with threads."""

    module = "benchmarks.obvious.inside"
    tables = ("obvious_event", "obvious_delivery")

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "DJANGO_SETTINGS_MODULE": "benchmarks.obvious.settings"}

    def serve(self) -> tuple[Process, int]:
        port = free_port()
        process = self.start(
            sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--workers", str(os.cpu_count() or 2),
            "--threads", "8", "--bind", f"127.0.0.1:{port}", "--log-level", "warning", "benchmarks.obvious.wsgi",
        )  # fmt: skip
        answering(port, "/v1/m", process)
        return process, port

    def work_off(self) -> Process:
        return self.start(sys.executable, "-m", "django", "qcluster")


def install(work: Path, receiver_port: int, url: str = "", redis: str = "") -> tuple[Signalbox, Obvious]:
    """Both applications on SQLite, or on the PostgreSQL (and Redis) given."""
    if url:
        ours: Database = Postgres(work / "signalbox-postgresql", url, redis, "public", EMPTIED)
        other: Database = Postgres(work / "obvious-postgresql", url, redis, SCHEMA, OBVIOUS_EMPTIED)
    else:
        ours, other = Sqlite(work / "signalbox-sqlite"), Sqlite(work / "obvious-sqlite")
    return Signalbox(ours, work, receiver_port), Obvious(other, work, receiver_port)
