"""What no text has: a NUL. PostgreSQL takes none, so that one anywhere in an address or a form would end as an error of
ours. In what is looked for it becomes U+FFFD, as in events; in a path or a form it is refused, before anything has
happened. The APIs look after themselves: their filters and their JSON say which value is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import render

Next = Callable[[HttpRequest], HttpResponse]
NOT_OURS = ("/api/", "/v1/", "/connector/")
WORDS = "There is a character in it that no text has (NUL). Nothing was changed; leave it out and send it again."


def without_nul(get_response: Next) -> Next:
    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(NOT_OURS):
            return get_response(request)
        if "\x00" in request.path_info or _in_form(request):
            return render(request, "400.html", {"words": WORDS}, status=400)
        if "%00" in (query := request.META.get("QUERY_STRING", "")):
            request.META["QUERY_STRING"] = query.replace("%00", "%EF%BF%BD")
        return get_response(request)

    return middleware


def _in_form(request: HttpRequest) -> bool:
    if request.method != "POST":
        return False
    try:
        return any("\x00" in text for name, values in request.POST.lists() for text in (name, *values))
    except UnreadablePostError:  # the browser has gone
        return False
