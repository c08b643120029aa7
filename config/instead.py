"""Middleware that answers instead of an error of ours, for views of the console and of the management API."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

API = "/api/"
Next = Callable[[HttpRequest], HttpResponse]


def back(request: HttpRequest) -> str:
    """Where *Try again* leads: to the page that was asked for, or on which something was pressed."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    at = urlsplit(request.META.get("HTTP_REFERER", ""))
    return urlunsplit(("", "", at.path, at.query, "")) if at.netloc == request.get_host() else "/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's ``handler400``. Signalbox opened under a name that it does not know is no fault of the browser's."""
    name = request.META.get("HTTP_HOST", "")[:200] if isinstance(exception, DisallowedHost) else ""
    return HttpResponse(render_to_string("400.html", {"host": name}), status=400)


def of_errors(answer: Callable[[HttpRequest, Exception], HttpResponse | None]) -> Callable[[Next], Next]:
    """``answer`` returns None for an exception that is not its own."""

    def told(get_response: Next) -> Next:
        def middleware(request: HttpRequest) -> HttpResponse:
            return get_response(request)

        middleware.process_exception = answer  # type: ignore[attr-defined]  # Django asks for it by this name
        return middleware

    return told
