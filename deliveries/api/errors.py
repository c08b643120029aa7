"""Every error of the APIs has the same four fields, whatever raised it."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import exception_handler


def body(code: str, message: str) -> dict[str, Any]:
    """The error document. ``code`` and ``message`` are what Segment's Python client reads, ``error`` Ruby's."""
    return {"success": False, "code": code, "message": message, "error": message}


def handle(exception: Exception, context: dict[str, Any]) -> Response | None:
    response = exception_handler(exception, context)
    if response is None:
        return None
    code, message = "error", "The request was refused."
    if isinstance(exception, APIException):
        detail = exception.detail
        code = getattr(detail, "code", None) or exception.default_code
        message = str(detail) if not isinstance(detail, dict | list) else _flatten(detail)
    elif response.status_code == 404:
        code, message = "not_found", "There is nothing at this address."
    response.data = body(str(code), message)
    return response


def _flatten(detail: Any, path: str = "") -> str:
    if isinstance(detail, dict):
        return " ".join(_flatten(value, f"{path}.{key}" if path else str(key)) for key, value in detail.items())
    if isinstance(detail, list):
        return " ".join(_flatten(value, path) for value in detail)
    return f"{path}: {detail}" if path else str(detail)
