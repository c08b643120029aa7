"""What has to be true before anything is served: tables, schedules, a way in for the first person."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from config.models import SetupLink, User
from config.roles import Role
from deliveries import queue
from deliveries.models import Pump
from integrations.models import ConfigVersion

MIGRATION_LOCK = 7_320_531  # any number that nobody else uses in this database


def prepare() -> str:
    """Bring the database up to date and make sure somebody can sign in.

    Returns the path of a one-time set-up link if there is nobody yet, else "".
    """
    bring_up_to_date()
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    queue.ensure_schedules()
    Pump.objects.get_or_create(id=1)
    ConfigVersion.objects.get_or_create(id=1)
    if User.objects.exists():
        return ""
    if settings.ADMIN_EMAIL and settings.ADMIN_PASSWORD:
        name = settings.ADMIN_EMAIL.partition("@")[0]
        User.objects.create_user(settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD, name=name, role=Role.OWNER)
        return ""
    return f"/setup/{SetupLink.issue()}"


def bring_up_to_date() -> None:
    """Make the tables that this version needs."""
    with _one_at_a_time():
        if pending_migrations():
            call_command("migrate", interactive=False, verbosity=0)
        if not settings.ALONE and not settings.REDIS_URL:
            call_command("createcachetable", verbosity=0)


def pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Several machines, or a command beside the first start: only one migrates, the others wait."""
    if connection.vendor != "postgresql":
        with (settings.DATA_DIR / ".lock").open("w") as file:  # the lock goes with the file's closing
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
