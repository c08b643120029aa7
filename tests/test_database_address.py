"""A PostgreSQL server that vanishes without a word is given up within seconds, by every kind of process."""

from __future__ import annotations

import json

import pytest

from tests.test_hardening import manage

TELL = "import json; from django.db import connection as c; print(json.dumps(c.get_connection_params(), default=str))"
ADDRESS = "postgres://someone@db.example.com/signalbox"


def parameters(role: str, address: str) -> dict[str, object]:
    done = manage("shell", "--no-imports", "-c", TELL, SIGNALBOX_ROLE=role, DATABASE_URL=address)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("role", ["web", "worker", "command"])
def test_senders_and_workers_do_not_wait_for_a_server_that_is_gone(role: str) -> None:
    found = parameters(role, ADDRESS)
    names = ("connect_timeout", "tcp_user_timeout", "keepalives_idle", "keepalives_interval")
    assert [found[name] for name in names] == [5, 6000, 5, 2]


@pytest.mark.parametrize("role", ["web", "worker"])
def test_the_address_may_say_otherwise(role: str) -> None:
    found = parameters(role, f"{ADDRESS}?tcp_user_timeout=60000&sslmode=require")
    assert (found["tcp_user_timeout"], found["sslmode"], found["connect_timeout"]) == (60000, "require", 5)
