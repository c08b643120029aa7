"""A caller of the management API for tests."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from config.models import ApiToken

ROLES = ("viewer", "operator", "editor", "owner")


class Api:
    """Calls with a token of this role; every answer is (status, JSON)."""

    def __init__(self, role: str = "viewer") -> None:
        self.token = ApiToken.issue("tests", role)[1]
        self.client = Client(headers={"authorization": f"Bearer {self.token}"})

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        return answer(self.client.get(f"/api/v1/{path}", query))

    def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return answer(self.client.post(f"/api/v1/{path}", data, content_type="application/json"))


def answer(response: Any) -> tuple[int, Any]:
    assert response["content-type"].startswith("application/json"), response.content
    return response.status_code, json.loads(response.content)


def refused(found: tuple[int, Any], status: int) -> str:
    """The message of an error answer in its four-field form."""
    assert found[0] == status, found
    body = found[1]
    assert sorted(body) == ["code", "error", "message", "success"]
    assert body["success"] is False
    assert body["message"] == body["error"]
    assert isinstance(body["message"], str)
    assert body["code"]
    return str(body["message"])
