"""Instead of an empty page where an address that only takes a press of a button is opened: reloaded, say, or kept."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve

from config.hygiene import NOT_OURS
from config.instead import Next


def told(get_response: Next) -> Next:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code == 405 and not request.path_info.startswith(NOT_OURS):
            response.content = render_to_string("405.html", {"back": _above(request.path_info)})
            response["Content-Type"] = "text/html; charset=utf-8"
        return response

    return middleware


def _above(path: str) -> str:
    """The nearest page that has the address in it: of what belongs to a connector, the connector's."""
    while len(path) > 1:
        path = f"{path.rstrip('/').rpartition('/')[0]}/"
        try:
            if resolve(path).url_name:  # the console's answer to what is nowhere has no name
                return path
        except Resolver404:
            continue
    return "/"
