"""Middleware that answers instead of an error of ours, for views of the console and of the management API."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse

API = "/api/"
Next = Callable[[HttpRequest], HttpResponse]


def back(request: HttpRequest) -> str:
    """Where *Try again* leads: to the page that was asked for, or on which something was pressed."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    at = urlsplit(request.META.get("HTTP_REFERER", ""))
    return urlunsplit(("", "", at.path, at.query, "")) if at.netloc == request.get_host() else "/"


def of_errors(answer: Callable[[HttpRequest, Exception], HttpResponse | None]) -> Callable[[Next], Next]:
    """``answer`` returns None for an exception that is not its own."""

    def told(get_response: Next) -> Next:
        def middleware(request: HttpRequest) -> HttpResponse:
            return get_response(request)

        middleware.process_exception = answer  # type: ignore[attr-defined]  # Django asks for it by this name
        return middleware

    return told
