"""Sources: where events come in from, their keys, and what to paste into the other product."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from integrations import history, registry, replaced
from integrations.admin.pages import PageAdmin, changes, demand
from integrations.forms import SourceForm
from integrations.history import note_changes, record
from integrations.models import Source, WriteKey
from integrations.networks import is_inside
from integrations.secrets import decrypt, encrypt
from integrations.types import Vendor

KEY_FIELD = "new_key"  # of the session: a key is shown once, on the page after it was made


class SourceAdmin(PageAdmin):
    """All but the list, which also says what came in (``deliveries.admin.sources`` adds and registers it)."""

    pages: tuple[tuple[str, str, str], ...] = (
        ("add/", "add_page", "add"),
        ("<int:pk>/", "page", "change"),
        ("<int:pk>/status/", "set_status", "status"),
        ("<int:pk>/keys/add/", "add_key", "add_key"),
        ("<int:pk>/keys/<int:key>/roll/", "roll_key", "roll_key"),
        ("<int:pk>/keys/<int:key>/revoke/", "revoke_key", "revoke_key"),
    )

    def add_page(self, request: HttpRequest) -> HttpResponse:
        demand(request, "integrations.add_source")
        vendor = registry.get(request.GET.get("service", ""))
        if vendor is None or vendor.receive is None:
            return self.show(
                request, "console/source_services.html", "Add a source", services=registry.receiving(), crumbs=_crumbs()
            )
        form = SourceForm(request.POST or None, instance=Source(vendor=vendor.slug), may_erase=_may_erase(request))
        if request.method == "POST" and form.is_valid():
            source = form.save()
            record(request.user, source, "Added the source")
            return self._show_key_once(request, WriteKey.issue(source, by=str(request.user)), "The source is ready.")
        title = f"Add a source: {vendor.label}"
        return self.show(request, "console/source_add.html", title, form=form, vendor=vendor, crumbs=_crumbs())

    def page(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(Source, pk=pk)
        form = SourceForm(request.POST or None, instance=source, may_erase=_may_erase(request))
        if request.method == "POST":
            demand(request, "integrations.change_source")
            if form.is_valid():
                note_changes(request.user, form)
                form.save()
                messages.success(request, "Saved. It counts for events that come in from now on.")
                return redirect(self.link("change", pk))
        replaced.note(form, list(history.of(source)))
        shown = request.session.pop(KEY_FIELD, None)
        new_key = decrypt(shown["key"]) if shown and shown["source"] == pk else ""
        vendor = registry.get(source.vendor)
        receive = vendor.receive if vendor else None
        address = f"{request.scheme}://{request.get_host()}"
        context: dict[str, Any] = {
            "source": source,
            "form": form,
            "vendor": vendor,
            "address": address_of(request, source, new_key),
            "key_follows": _key_in_path(vendor) and not new_key,
            "inside": request.get_host() if is_inside(request.get_host()) else "",
            "new_key": new_key,
            "paste": [_filled(line, address, new_key) for line in receive.paste] if receive else [],
            "try_it": _filled(receive.try_it, address, new_key) if receive else "",
            "keys": (keys := list(source.write_keys.all())),
            "connectors": source.connectors.filter(archived_at=None),
            "read_only": not request.user.has_perm("integrations.change_source"),
            **self.what_came_in(source, keys),
        }
        return self.show(request, "console/source.html", source.name, crumbs=_crumbs(), **context)

    def what_came_in(self, source: Source, keys: list[WriteKey]) -> dict[str, Any]:
        """For who switches it off or revokes one of its keys; known only where events are."""
        return {}

    @changes("integrations.change_source")
    def set_status(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(Source, pk=pk)
        wanted = request.POST.get("status")
        if wanted in Source.Status.values and wanted != source.status:
            source.status = wanted
            source.save()
            record(request.user, source, f"Switched the source {source.get_status_display().lower()}")
            off = source.status == Source.Status.OFF
            messages.success(request, "Switched off: events sent here are now refused." if off else "Switched on.")
        return redirect(self.link("change", pk))

    @changes("integrations.add_writekey")
    def add_key(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(Source, pk=pk)
        label = request.POST.get("label", "").strip()[:100] or "main"
        key = WriteKey.issue(source, label, by=str(request.user))
        record(request.user, source, f"Made the key {key}")
        return self._show_key_once(request, key, "The new key works now.")

    @changes("integrations.change_writekey")
    def roll_key(self, request: HttpRequest, pk: int, key: int) -> HttpResponse:
        old = get_object_or_404(WriteKey, pk=key, source_id=pk, revoked_at=None)
        new = old.roll(by=str(request.user))
        record(request.user, old.source, f"Rolled the key {old}")
        return self._show_key_once(request, new, "The new key works now; the old one works for another 24 hours.")

    @changes("integrations.change_writekey")
    def revoke_key(self, request: HttpRequest, pk: int, key: int) -> HttpResponse:
        row = get_object_or_404(WriteKey, pk=key, source_id=pk)
        if row.revoked_at is None:
            row.revoke()
            record(request.user, row.source, f"Revoked the key {row}")
        messages.success(request, f"The key {row} is revoked: events sent with it are refused from now on.")
        return redirect(self.back_to_list(request) or self.link("change", pk))

    def _show_key_once(self, request: HttpRequest, key: WriteKey, words: str) -> HttpResponse:
        # Sessions are rows too: no key stands in the database as it is.
        request.session[KEY_FIELD] = {"source": key.source_id, "key": encrypt(key.key)}
        messages.success(request, words)
        return redirect(self.link("change", key.source_id))


def address_of(request: HttpRequest, source: Source, key: str = "") -> str:
    """What is pasted into the other product. Segment's own libraries are given the host alone. Where the key belongs to
    the address and is not known any more, the address ends where it is to be put."""
    vendor = registry.get(source.vendor)
    path = vendor.receive.path if vendor and vendor.receive else ""
    end = f"/{key}" if _key_in_path(vendor) else ""
    return f"{request.scheme}://{request.get_host()}{'' if path == '/connector/segment' else path}{end}"


def _key_in_path(vendor: Vendor | None) -> bool:
    return bool(vendor and vendor.receive and vendor.receive.key_in_path)


def _may_erase(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("deliveries.erase_person"))


def _crumbs() -> list[tuple[str, str]]:
    return [("Sources", reverse("admin:integrations_source_changelist"))]


def _filled(text: str, address: str, key: str) -> str:
    return text.replace("{address}", address).replace("{key}", key or "‹write key›")
