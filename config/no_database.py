"""Instead of an error of ours while the database does not answer: what that means, and what to do.

The ingest routes look after themselves: their senders are asked to come again.
"""

from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from config import instead
from deliveries.api.errors import body

COME_AGAIN = {"Retry-After": "5"}
MESSAGE = "The database does not answer just now. Nothing is lost; ask again in a few seconds."
log = logging.getLogger("signalbox.database")


def _instead(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    """503: it cannot be reached, is too busy for one more, or has no room; the same works again once that is over."""
    if not isinstance(exception, OperationalError | InterfaceError):
        return None
    log.error("%s %s: %s", request.method, request.path_info, exception)
    if request.path_info.startswith(instead.API):
        return JsonResponse(body("try_again", MESSAGE), status=503, headers=COME_AGAIN)
    # Without the request: what the usual pages show beside their content is read from the database as well.
    changing = request.method not in ("GET", "HEAD")
    content = render_to_string("no_database.html", {"changing": changing, "back": instead.back(request)})
    return HttpResponse(content, status=503, headers=COME_AGAIN)


told = instead.of_errors(_instead)
