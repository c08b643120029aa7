"""The first page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse


def context(request: HttpRequest) -> dict[str, Any]:
    return {}


def live(request: HttpRequest) -> HttpResponse:
    return HttpResponse("")
