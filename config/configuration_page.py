"""The configuration as a file: out for everybody who sees it on the pages, in again for owners, after a look at what
would change.

Between the look and the import the file waits in the session, encrypted: a document may carry keys.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from integrations import configuration_preview
from integrations.admin.pages import demand, show
from integrations.configuration import BadConfiguration, export_document
from integrations.models import ConfigVersion
from integrations.secrets import UnreadableSecret, decrypt, encrypt

MAY_IMPORT = "integrations.import_configuration"  # owners: one file can change every source and connector
WAITING = "waiting_configuration"
LARGEST = 512_000


def export(request: HttpRequest) -> HttpResponse:
    """Without keys and secrets: for these there is the command, on the machine itself."""
    body = json.dumps(export_document(), indent=2, ensure_ascii=False)
    name = f"signalbox-{timezone.now():%Y-%m-%d}.json"
    return HttpResponse(body, "application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'})


def page(request: HttpRequest) -> HttpResponse:
    """Takes a file by POST; shows what the waiting one would change."""
    demand(request, MAY_IMPORT)
    if request.method == "POST":
        return _take(request)
    waiting = request.session.get(WAITING)
    if not waiting:
        return _show(request)
    try:
        found = configuration_preview.preview(configuration_preview.parse(decrypt(waiting["text"])))
    except BadConfiguration as error:
        del request.session[WAITING]
        return _show(request, name=waiting["name"], mistakes=error.problems)
    except (UnreadableSecret, ValueError) as error:
        del request.session[WAITING]
        return _show(request, name=waiting["name"], mistakes=[str(error)])
    return _show(request, name=waiting["name"], found=found, version=ConfigVersion.current())


@require_POST
def apply(request: HttpRequest) -> HttpResponse:
    """Import the waiting file, if nothing was changed since it was looked at."""
    demand(request, MAY_IMPORT)
    waiting = request.session.get(WAITING)
    if not waiting:
        messages.error(request, "There is no file to import. Choose one first.")
        return redirect("admin:settings_import")
    if request.POST.get("version") != str(ConfigVersion.current()):
        messages.warning(
            request,
            "Somebody changed the configuration meanwhile. Nothing was imported; look once more at what changes.",
        )
        return redirect("admin:settings_import")
    try:
        found = configuration_preview.apply(configuration_preview.parse(decrypt(waiting["text"])), request.user)
    except (BadConfiguration, UnreadableSecret):
        return redirect("admin:settings_import")  # which says why
    del request.session[WAITING]
    names = ", ".join(one.name for one in found)
    messages.success(
        request, f"Imported: {names}." if found else "All is as the file says already. Nothing was changed."
    )
    return redirect("admin:settings")


@require_POST
def discard(request: HttpRequest) -> HttpResponse:
    demand(request, MAY_IMPORT)
    request.session.pop(WAITING, None)
    messages.info(request, "Nothing was imported.")
    return redirect("admin:settings")


def _take(request: HttpRequest) -> HttpResponse:
    request.session.pop(WAITING, None)
    file: Any = request.FILES.get("file")
    if file is None:
        return _show(request, mistakes=["Choose a file first."])
    if file.size > LARGEST:
        words = f"It is bigger than {LARGEST // 1000} kB. Import it on the machine: manage.py import_config FILE."
        return _show(request, name=file.name, mistakes=[words])
    try:
        text = file.read().decode("utf-8-sig")
        configuration_preview.parse(text)
    except UnicodeDecodeError:
        return _show(request, name=file.name, mistakes=["It is not a text in UTF-8."])
    except ValueError as error:
        return _show(request, name=file.name, mistakes=[f"It is {error}"])
    request.session[WAITING] = {"name": file.name[:100], "text": encrypt(text)}
    return redirect("admin:settings_import")


def _show(request: HttpRequest, **context: Any) -> HttpResponse:
    crumbs = [("Settings", reverse("admin:settings"))]
    return show(request, "console/configuration.html", "Import a configuration", crumbs=crumbs, **context)
