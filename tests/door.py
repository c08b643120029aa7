"""Posting to the ingest routes as clients do, and what must be true of every answer."""

from __future__ import annotations

import base64
import json
from typing import Any

from django.test import Client

ERROR_FIELDS = {"success", "code", "message", "error"}
CALLS = {
    "track": {"event": "Order Completed", "properties": {"total": 9.5}},
    "identify": {"traits": {"email": "a@example.com"}},
    "page": {"name": "Home", "properties": {"path": "/"}},
    "screen": {"name": "Start", "properties": {"variant": "b"}},
    "group": {"groupId": "g1", "traits": {"name": "Initech"}},
    "alias": {"previousId": "anon-1"},
    "delete": {},
}
LETTERS = {"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias"}
BATCHES = ("batch", "import", "b")


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def post(
    path: str, body: Any, key: str = "", content_type: str = "application/json", **headers: str | dict[str, str]
) -> Any:
    """POST ``body`` (bytes as they are, anything else as JSON). Extra headers: ``headers={…}``."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {**(basic(key) if key else {}), **headers.pop("headers", {})}  # type: ignore[dict-item]  # any
    client = Client(raise_request_exception=True)
    return client.generic("POST", path, raw, content_type=content_type, headers=sent)


def track(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Order Completed", "userId": "u1", **fields}


def assert_refused(response: Any, status: int, code: str = "") -> dict[str, Any]:
    """The status, and the body that every official client can read."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/json"
    document = json.loads(response.content)
    assert set(document) == ERROR_FIELDS
    assert document["success"] is False
    assert all(isinstance(document[name], str) and document[name] for name in ("code", "message", "error"))
    if code:
        assert document["code"] == code
    return document


def assert_taken(response: Any) -> None:
    assert response.status_code == 200, response.content
    assert response.content == b'{"success": true}'
