"""A vendor under test: its module, its cases, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrations.types import ConnectorConfig, OutgoingRequest, Vendor
from tests.vendors import cases

# Every sender has a case for each of these, and each must end in a cause that says who acts.
STATUSES = (400, 401, 403, 404, 408, 413, 422, 429, 500, 503)


@dataclass(frozen=True)
class Subject:
    """A vendor under test, with its module's text and its cases."""

    vendor: Vendor
    source: str
    cases: list[cases.Case]

    @property
    def connector(self) -> dict[str, Any]:
        """A connector that is filled in: that of the first case that sends something."""
        found = (case.document.get("connector") for case in self.cases if {"event", "request"} <= set(case.document))
        return next((connector for connector in found if connector), {})

    @property
    def sent(self) -> list[cases.Case]:
        return [case for case in self.cases if {"event", "request"} <= set(case.document)]

    def config(self, **changes: Any) -> ConnectorConfig:
        return cases.config_of(self.vendor, self.connector, **changes)


Rule = Callable[[Subject], Iterator[str]]


def subject_of(vendor: Vendor, source: str, root: Path = cases.ROOT) -> Subject:
    return Subject(vendor, source, cases.load(root, vendor.slug))


def requests_of(subject: Subject, **changes: Any) -> Iterator[OutgoingRequest]:
    """What the cases' events become, each at the connector of its own case."""
    for case in subject.sent:
        config = cases.config_of(subject.vendor, case.document.get("connector"), **changes)
        yield cases.built(subject.vendor, config, case.document["event"])
