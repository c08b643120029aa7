"""What an older version stored as it was: after the migration it is encrypted, works as before, and is nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "3132333435363738393031323334353637383930"
OTP_TABLES = (
    "CREATE TABLE otp_totp_totpdevice (id integer PRIMARY KEY, user_id integer, name varchar(64), confirmed boolean, "
    "key varchar(80), drift smallint, last_t bigint)",
    "CREATE TABLE otp_static_staticdevice (id integer PRIMARY KEY, user_id integer, name varchar(64), "
    "confirmed boolean)",
    "CREATE TABLE otp_static_statictoken (id integer PRIMARY KEY, device_id integer, token varchar(16))",
)


def migrate(*targets: tuple[str, str]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets))
    return executor.loader.project_state(list(targets)).apps


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def execute(sql: str, values: Any = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def test_who_had_a_second_step_keeps_it() -> None:
    old = migrate(("config", "0002_house_rules"))
    user = old.get_model("config", "User").objects.create(email="ada@example.com", name="Ada")
    for statement in OTP_TABLES:
        execute(statement)
    execute("INSERT INTO otp_totp_totpdevice VALUES (1, %s, 'App', %s, %s, 1, 55)", [user.pk, True, KEY])
    execute("INSERT INTO otp_static_staticdevice VALUES (7, %s, 'Recovery codes', %s)", [user.pk, True])
    for number, code in enumerate(("11112222", "33334444")):
        execute("INSERT INTO otp_static_statictoken VALUES (%s, 7, %s)", [number, code])
    migrate(("config", "0003_devices"))

    from config.devices import Authenticator, RecoveryCodes

    app, codes = Authenticator.objects.get(), RecoveryCodes.objects.get()
    assert (app.user_id, app.name, app.confirmed, app.key, app.drift, app.last_t) == (user.pk, "App", True, KEY, 1, 55)
    assert (codes.user_id, codes.codes) == (user.pk, ["11112222", "33334444"])
    assert codes.verify_token("33334444")
    assert not {"otp_totp_totpdevice", "otp_static_staticdevice", "otp_static_statictoken"} & set(
        connection.introspection.table_names()
    )
    stored = repr(execute("SELECT * FROM config_authenticator") + execute("SELECT * FROM config_recoverycodes"))
    assert [secret for secret in (KEY, "11112222") if secret in stored] == []


def test_settings_of_connectors_are_encrypted_and_back_again() -> None:
    old = migrate(("integrations", "0004_old_secrets"), ("config", "0003_devices")).get_model(
        "integrations", "Connector"
    )
    settings = {"url": "https://example.com/é", "headers": {"X-Auth-Token": "plain-4711"}}
    row = old.objects.create(name="hook", vendor="webhook", settings=settings)
    old.objects.create(name="bare", vendor="webhook", settings={})
    new = migrate(("integrations", "0005_encrypted_settings")).get_model("integrations", "Connector")
    assert new.objects.get(pk=row.pk).settings == settings
    assert new.objects.get(name="bare").settings == {}
    assert "4711" not in repr(execute("SELECT settings FROM integrations_connector"))
    back = migrate(("integrations", "0004_old_secrets")).get_model("integrations", "Connector")
    assert back.objects.get(pk=row.pk).settings == settings
