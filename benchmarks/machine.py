"""The machine and the versions, in one line each."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

FLUSHES = 200
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
        "disk": _flushes(),
        "databases": f"SQLite {sqlite3.sqlite_version}",
        "load": "benchmarks/load.py" if own_generator else f"{_wrk()}; what is paced: benchmarks/load.py",
    }
    if url:
        found["databases"] += f", PostgreSQL {_postgresql(url)}"
    if redis_url:
        found["databases"] += f", Redis {_redis(redis_url)}"
    return found


def _flushes() -> str:
    """How long the disk takes to make a small write durable: what every commit waits for."""
    taken: list[float] = []
    directory = "/var/tmp" if os.path.isdir("/var/tmp") else None
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(FLUSHES):
            os.pwrite(file.fileno(), bytes(8192), 0)
            begin = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - begin))
    return f"a flush takes {median(taken):.2f} ms, one in ten at least {sorted(taken)[FLUSHES * 9 // 10]:.2f} ms"


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
