"""What all tests share: no network but loopback, nothing kept from one test to the next, and a few factories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from hypothesis import settings as hypothesis_settings

from deliveries import limits
from integrations import installation, selectors
from integrations.models import Connector, Source, WriteKey
from tests import looking, network, rows

# The same examples every time: a red test stays red until its cause is gone.
hypothesis_settings.register_profile("signalbox", derandomize=True, deadline=None, database=None)
hypothesis_settings.load_profile("signalbox")

MakeSource = Callable[..., tuple[Source, str]]


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    with network.blocked() as tried:
        yield
    if tried and "expects_connections" not in request.fixturenames:
        pytest.fail(f"The test tried to reach the network: {', '.join(sorted(set(tried)))}", pytrace=False)


@pytest.fixture
def expects_connections() -> None:
    """For the tests of the block itself."""


@pytest.fixture(autouse=True, scope="session")
def _passwords_are_hashed_fast() -> None:
    """A password costs a quarter second on purpose, and nothing here depends on that. Real processes have their own."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _looking_changes_nothing() -> Iterator[None]:
    with looking.watched() as broke:
        yield
    if broke:
        pytest.fail("\n".join(["Changed by a look, or in spite of a no:", *broke]), pytrace=False)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    """The rows of a test are rolled back; what processes remember of them must go as well."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    selectors.forget()
    limits.forget()
    installation.forget()
    cache.clear()  # on Redis the whole database of the tests, queued tasks included


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the workers were asked to do: no task of the test leaves for a broker."""
    functions: list[str] = []
    monkeypatch.setattr("deliveries.queue.async_task", functions.append)
    return functions


@pytest.fixture
def http() -> Iterator[network.StrictResponses]:
    """Registered answers for outgoing requests: every one must be fetched, and no other request may be made."""
    mock = network.StrictResponses()
    with mock:
        yield mock
    if mock.unexpected:
        pytest.fail(f"Unexpected requests: {', '.join(mock.unexpected)}", pytrace=False)


@pytest.fixture
def make_source(db: Any) -> MakeSource:
    """A source with a write key: ``source, key = make_source("website", vendor="segment")``."""

    def make(name: str = "website", key: str = "", **fields: Any) -> tuple[Source, str]:
        source = Source.objects.create(name=name, **fields)
        return source, WriteKey.issue(source, key=key or f"wk_{name}").key

    return make


@pytest.fixture
def make_connector(db: Any) -> Callable[..., Connector]:
    """A connector at the given sources; a webhook unless told otherwise."""

    def make(name: str = "warehouse", *sources: Source, vendor: str = "webhook", **fields: Any) -> Connector:
        if vendor == "webhook":
            fields.setdefault("settings", {"url": "https://example.com/hook", "batch_size": 1})
        connector = Connector.objects.create(name=name, vendor=vendor, **fields)
        connector.sources.set(sources or [rows.source()])
        selectors.forget()
        return connector

    return make


def pytest_report_header() -> str:
    engine = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
    return f"signalbox: {engine}, {'Redis' if settings.REDIS_URL else 'database'} broker"
