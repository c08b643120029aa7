"""A server's own database, and its own Redis database where one is given, made for it and removed with it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import redis

CLAIM = "signalbox-tests"


class SqliteStore:
    environment: dict[str, str] = {}

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "signalbox.sqlite3"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=20)) as database:
            return database.execute(sql).fetchall()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nothing can be stored: somebody else is writing."""
        with closing(sqlite3.connect(self.path, timeout=20, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield
            database.execute("ROLLBACK")

    def close(self) -> None:
        """It goes with the data directory."""


class PostgresStore:
    """A new database on the given PostgreSQL, and a free database of the given Redis."""

    def __init__(self, url: str, redis_url: str = "") -> None:
        self.name = f"signalbox_process_{os.getpid()}_{uuid4().hex[:8]}"
        self.admin_url = url
        self.url = urlunsplit(urlsplit(url)._replace(path=f"/{self.name}"))
        with psycopg.connect(url, autocommit=True) as database:
            database.execute(f'CREATE DATABASE "{self.name}"')
        self.environment = {"DATABASE_URL": self.url}
        self.redis_url = _claim_redis(redis_url) if redis_url else ""
        if self.redis_url:
            self.environment["REDIS_URL"] = self.redis_url

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as database:
            return database.execute(sql).fetchall()  # type: ignore[arg-type]  # a test's own SQL

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nothing can be stored: somebody else has the table."""
        with psycopg.connect(self.url) as database:
            database.execute("LOCK TABLE deliveries_event IN ACCESS EXCLUSIVE MODE")
            yield

    def cut_connections(self) -> int:
        """End every connection to the database but our own; returns how many there were."""
        return len(
            self.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    def close(self) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as database:
            database.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        if self.redis_url:
            redis.from_url(self.redis_url).flushdb()


Store = SqliteStore | PostgresStore


def given_urls() -> tuple[str, str]:
    return os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")


def make_store(data_dir: Path) -> Store:
    database_url, redis_url = given_urls()
    return PostgresStore(database_url, redis_url) if database_url else SqliteStore(data_dir)


def _claim_redis(url: str) -> str:
    """An empty Redis database nobody else claimed, looked for from the last one down."""
    base = url.rpartition("/")[0] if urlsplit(url).path.strip("/") else url.rstrip("/")
    for number in range(15, -1, -1):
        candidate = f"{base}/{number}"
        with redis.from_url(candidate) as database:
            if not database.dbsize() and database.set(CLAIM, os.getpid(), nx=True):
                return candidate
    raise RuntimeError(f"No database of the Redis at {base} is empty.")
