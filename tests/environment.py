"""Loaded by pytest before Django's settings are (see ``addopts``): tests use a data directory of their own, and of the
environment only the addresses of a PostgreSQL and a Redis that are there for tests.

A person's own ``data/.env`` is therefore neither read nor made by a test run.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

FOR_TESTS = ("DATABASE_URL", "REDIS_URL")
# What `serve` understands. None of it may reach the tests by chance; a test sets what it needs.
OURS = (
    "DATA_DIR", "SECRET_KEY", "SECRETS_KEYS", "ALLOWED_HOSTS", "ADMIN_EMAIL", "ADMIN_PASSWORD",
    "ALLOWED_PRIVATE_NETWORKS", "WEB_PROCESSES", "WORKERS", "RETENTION_DAYS", "HOLD_DAYS", "SIGNALBOX_ROLE",
    "SIGNALBOX_CLUSTER", "SIGNALBOX_LIFELINE", "HOST", "PORT", "HTTPS_ONLY", "RATE_LIMIT_PER_KEY",
    "RATE_LIMIT_PER_ADDRESS", "RATE_LIMIT_REFUSED",
)  # fmt: skip


def prepare() -> None:
    for name in OURS:
        os.environ.pop(name, None)
    directory = tempfile.mkdtemp(prefix="signalbox-tests-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.makedirs(os.path.join(directory, "static"))
    os.environ["DATA_DIR"] = directory
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = os.path.join(directory, "hypothesis")


def redis_of_worker() -> None:
    """With several test processes at once each has a Redis database of its own, counted up from the given one."""
    url, worker = os.environ.get("REDIS_URL", ""), os.environ.get("PYTEST_XDIST_WORKER", "")
    if url and worker.startswith("gw"):
        base, _, number = url.rpartition("/")
        os.environ["REDIS_URL"] = f"{base}/{int(number or 0) + int(worker[2:])}"


prepare()
redis_of_worker()
