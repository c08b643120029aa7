"""The machine and the versions, in one line each."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("django", "djangorestframework", "django-q2", "requests", "uvicorn", "gunicorn", "psycopg")


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def describe(url: str, redis_url: str, own_generator: bool) -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = {
        "machine": f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "databases": f"SQLite {sqlite3.sqlite_version}",
        "load": "benchmarks/load.py" if own_generator else f"{_wrk()}; what is paced: benchmarks/load.py",
    }
    if url:
        found["databases"] += f", PostgreSQL {_postgresql(url)}"
    if redis_url:
        found["databases"] += f", Redis {_redis(redis_url)}"
    return found


def _wrk() -> str:
    first = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout.splitlines()[0]
    return " ".join(first.split()[:2])


def _postgresql(url: str) -> str:
    import psycopg

    with psycopg.connect(url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]).split()[0] if row else "?"


def _redis(url: str) -> str:
    import redis

    client = redis.Redis.from_url(url)
    try:
        return str(client.info("server")["redis_version"])
    finally:
        client.close()
