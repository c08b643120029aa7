"""A configuration document that has some of everything, and the mistakes that importing another finds."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from integrations.configuration import BadConfiguration, import_document
from integrations.models import ConfigVersion, Connector, Source, WriteKey

DOCUMENT: dict[str, Any] = {
    "version": 1,
    "sources": [
        {
            "name": "website",
            "vendor": "segment",
            "write_keys": [{"label": "main", "key": "wk_website_1"}],
            "signing_secret": None,
        }
    ],
    "connectors": [
        {
            "name": "warehouse",
            "vendor": "segment",
            "status": "active",
            "sources": ["website"],
            "region": "eu",
            "endpoint": None,
            "settings": {},
            "secrets": {"write_key": "secret_1"},
            "prefix": "segment : ",
            "other_events": "skip",
            "events": [
                {"type": "track", "event": "Flow Viewed", "send": False},
                {"event": "Response Submitted", "send_as": "survey_responded"},
                {"type": "identify", "send": True},
            ],
            "channels": {},
            "preferences": {},
            "filters": [
                {"if": "properties.plan = 'free'", "then": "drop"},
                {"then": "only_send", "enabled": False},
                {"if": "all", "then": {"sample": 0.5, "path": "userId"}},
                {"if": "type = 'identify'", "then": {"drop_properties": {"context": ["ip"]}}},
                {"then": {"allow_properties": {"properties": ["plan", "score"]}}},
            ],
            "retry": [1, 2.5, 60],
            "rate_limit_per_second": 10,
            "max_concurrency": 4,
        },
        {"name": "hook", "vendor": "webhook", "settings": {"url": "https://example.com/in"}},
    ],
}


def changed(**changes: Any) -> dict[str, Any]:
    """The document with changes to its first connector; a value of ... takes the field out."""
    document = copy.deepcopy(DOCUMENT)
    for name, value in changes.items():
        if value is ...:
            document["connectors"][0].pop(name)
        else:
            document["connectors"][0][name] = value
    return document


def problems(document: Any) -> list[str]:
    """The mistakes of a document, none of which was written."""
    before = (Source.objects.count(), Connector.objects.count(), WriteKey.objects.count(), ConfigVersion.current())
    with pytest.raises(BadConfiguration) as caught:
        import_document(document)
    after = (Source.objects.count(), Connector.objects.count(), WriteKey.objects.count(), ConfigVersion.current())
    assert after == before
    return caught.value.problems
