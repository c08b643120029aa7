"""The services' addresses. The built-in ones come from the vendors' files; people may add one beside them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from integrations import history, registry
from integrations.admin.pages import PageAdmin, changes, demand
from integrations.fields import AddressField, mark_closed
from integrations.models import Connector, RegionEndpoint


class AddressForm(forms.ModelForm):
    base_url = AddressField(label="Address", help_text="Without a slash at the end and without /v1.")

    class Meta:
        model = RegionEndpoint
        fields = ("vendor", "label", "slug", "base_url", "note")
        labels = {"vendor": "Service", "label": "Name", "slug": "Short name"}
        help_texts = {"slug": "Letters, digits and dashes: how exported settings name it."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(vendor.slug, vendor.label) for vendor in registry.sending() if vendor.regions]
        self.fields["vendor"] = forms.ChoiceField(label="Service", choices=choices)

    def clean_base_url(self) -> str:
        return str(self.cleaned_data["base_url"]).rstrip("/").removesuffix("/v1")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        mark_closed(self)
        return data


@admin.register(RegionEndpoint)
class RegionEndpointAdmin(PageAdmin):
    pages = (
        ("", "list_page", "changelist"),
        ("add/", "form_page", "add"),
        ("<int:pk>/", "form_page", "change"),
        ("<int:pk>/remove/", "remove", "remove"),
    )

    def list_page(self, request: HttpRequest) -> HttpResponse:
        rows = RegionEndpoint.objects.all()
        used = Counter(Connector.objects.exclude(region=None).values_list("region_id", flat=True))
        return self.show(request, "console/addresses.html", "Service addresses", rows=rows, used=used)

    def form_page(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """Only for rows that people made: a change to a built-in one would be undone at the next start."""
        demand(request, "integrations.change_regionendpoint")
        row = get_object_or_404(RegionEndpoint, pk=pk, builtin=False) if pk else RegionEndpoint()
        form = AddressForm(request.POST or None, instance=row)
        if request.method == "POST" and form.is_valid():
            if pk:
                history.note_changes(request.user, form)
            form.save()
            if not pk:
                history.record(request.user, row, f"Added the address {row}")
            messages.success(request, f"{row.label} is saved.")
            return redirect(self.link("changelist"))
        title = "Change an address" if pk else "Add an address"
        crumbs = [("Service addresses", self.link("changelist"))]
        return self.show(request, "console/form.html", title, form=form, crumbs=crumbs, button="Save")

    @changes("integrations.change_regionendpoint")
    def remove(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(RegionEndpoint, pk=pk, builtin=False)
        try:
            row.delete()
        except ProtectedError:
            messages.error(request, f"{row.label} is used by a connector. Choose another region there first.")
        else:
            history.record(request.user, row, f"Removed the address {row}")
            messages.success(request, f"{row.label} is removed.")
        return redirect(self.link("changelist"))
