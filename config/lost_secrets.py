"""Instead of an error of ours where a saved secret cannot be read: what is lost, why, and the way out.

``serve`` does not start with lost keys; these pages are for who runs it otherwise, and for keys that got lost since.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from config import instead
from deliveries.api.errors import body
from integrations import lost
from integrations.secrets import UnreadableSecret


def _instead(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    """503: nothing is wrong with what was asked for, and it works again once the key is back."""
    if not isinstance(exception, UnreadableSecret):
        return None
    if request.path_info.startswith(instead.API):
        return JsonResponse(body("secrets_unreadable", str(exception)), status=503)
    # Not request.user: with two-step login that reads a secret too.
    signed_in = bool(request.session.get(SESSION_KEY))
    context = {
        "lost": lost.unreadable() if signed_in else [],
        "data_dir": settings.DATA_DIR if signed_in else "",
        "back": instead.back(request),
    }
    # Without the request: what the usual pages show beside their content reads secrets as well.
    return HttpResponse(render_to_string("503.html", context), status=503)


told = instead.of_errors(_instead)
