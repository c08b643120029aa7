"""Middleware that answers instead of an error of ours, for views of the console and of the management API."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

API = "/api/"
Next = Callable[[HttpRequest], HttpResponse]


def of_errors(answer: Callable[[HttpRequest, Exception], HttpResponse | None]) -> Callable[[Next], Next]:
    """``answer`` returns None for an exception that is not its own."""

    def told(get_response: Next) -> Next:
        def middleware(request: HttpRequest) -> HttpResponse:
            return get_response(request)

        middleware.process_exception = answer  # type: ignore[attr-defined]  # Django asks for it by this name
        return middleware

    return told
