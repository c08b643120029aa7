"""The system checks: each says what is wrong, and nothing where all is well."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

from integrations import checks
from integrations.models import Connector


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


@pytest.mark.django_db
def test_all_is_well_here() -> None:
    assert [one for one in ids(run_checks(databases=["default"])) if one.startswith("signalbox.")] == []


@pytest.mark.parametrize(("keys", "expected"), [([], ["signalbox.E001"]), (["short"], ["signalbox.E002"])])
def test_secrets_keys(settings: Any, keys: list[str], expected: list[str]) -> None:
    settings.SECRETS_KEYS = keys
    assert ids(checks.secrets_keys(None)) == expected


@pytest.mark.parametrize(("networks", "expected"), [(["10.0.0.0/8"], []), (["10.0.0.1/8", ""], ["signalbox.E003"] * 2)])
def test_private_networks(settings: Any, networks: list[str], expected: list[str]) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = networks
    assert ids(checks.private_networks(None)) == expected


@pytest.mark.django_db
def test_a_connector_without_its_vendors_file() -> None:
    Connector.objects.create(name="old", vendor="gone")
    found = checks.vendors_of_rows(None, databases=["default"])
    assert ids(found) == ["signalbox.W001"]
    assert "“old”" in found[0].msg
    assert checks.vendors_of_rows(None) == []
