"""The two databases behind one face: emptied before every measurement, asked for counts, their CPU time read."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.processes import cpu_seconds

SCHEMA = "obvious"
EMPTIED = (
    "deliveries_event",
    "deliveries_delivery",
    "deliveries_attempt",
    "deliveries_lane",
    "django_q_ormq",
    "django_q_task",
)
OBVIOUS_EMPTIED = ("obvious_event", "obvious_delivery", "obvious_attempt", "django_q_ormq", "django_q_task")
BACKGROUND = ("walwriter", "checkpointer", "background writer", "autovacuum worker")


class Sqlite:
    """A file in the application's data directory; emptied by copying the prepared one back."""

    name = "SQLite"
    redis = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prepared = directory.with_name(f"{directory.name}-prepared")
        directory.mkdir(parents=True)

    def environment(self) -> dict[str, str]:
        return {"DATA_DIR": str(self.directory)}

    def keep(self) -> None:
        """What is there now is what every measurement starts from."""
        self.query("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(self.directory, self.prepared)

    def empty(self) -> None:
        shutil.rmtree(self.directory)
        shutil.copytree(self.prepared, self.directory)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        database = sqlite3.connect(self.directory / "signalbox.sqlite3", timeout=20)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def cpu(self) -> float | None:
        return None  # SQLite computes in the application's own processes


class Postgres:
    """A database whose name says that it is for benchmarks; the obvious alternative has a schema of its own in it."""

    name = "PostgreSQL"

    def __init__(self, directory: Path, url: str, redis: str, schema: str, tables: Sequence[str]) -> None:
        import psycopg

        if "bench" not in urlsplit(url).path:
            raise SystemExit("BENCH_DATABASE_URL is emptied. So its database's name must have “bench” in it.")
        directory.mkdir(parents=True)
        self.directory, self.url, self.redis, self.schema, self.tables = directory, url, redis, schema, tables
        self.connection = psycopg.connect(url, autocommit=True, options=f"-c search_path={schema}")
        self.query(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        self.query(f"CREATE SCHEMA {schema}")

    def environment(self) -> dict[str, str]:
        found = {"DATA_DIR": str(self.directory), "DATABASE_URL": self.url}
        return {**found, "REDIS_URL": self.redis} if self.redis else found

    def keep(self) -> None:
        pass

    def empty(self) -> None:
        self.query(f"TRUNCATE {', '.join(self.tables)} RESTART IDENTITY CASCADE")
        if self.schema == "public":
            self.query("UPDATE deliveries_pump SET woken_at = NULL, linger_owner = '', linger_until = NULL")
        for table in self.tables:
            self.query(f"VACUUM ANALYZE {table}")
        if self.redis:
            import redis

            client = redis.Redis.from_url(self.redis)
            for key in client.scan_iter("django_q:*"):
                client.delete(key)
            client.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(sql)
        return cursor.fetchall() if cursor.description else []

    def cpu(self) -> float | None:
        """CPU seconds of this database's server processes and of those that write for all; None on another machine."""
        rows = self.query(
            "SELECT pid, datname = current_database(), backend_type FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )
        pids = [pid for pid, ours, kind in rows if ours or kind in BACKGROUND]
        if urlsplit(self.url).hostname not in (None, "localhost", "127.0.0.1", "::1"):
            return None
        return cpu_seconds(pids) if os.path.isdir("/proc") else None


Database = Sqlite | Postgres
