"""Which zone the console tells its times in: the reader's own, which console.js puts into a cookie, else the one under
Settings. The APIs go on in UTC: there is no reader whose clock it could be."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.hygiene import NOT_OURS
from integrations import clock, installation

Next = Callable[[HttpRequest], HttpResponse]
COOKIE = "timezone"
NO_PAGES = (*NOT_OURS, "/healthz", "/readyz", "/metrics")  # the first of these asks the database nothing


def of_the_reader(get_response: Next) -> Next:
    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(NO_PAGES):
            return get_response(request)
        own = clock.zone_called(request.COOKIES.get(COOKIE, ""))
        with clock.told_in(own or installation.zone(), own=own is not None):
            return get_response(request)

    return middleware
