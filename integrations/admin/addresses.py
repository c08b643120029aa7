"""The services' addresses. The built-in ones are shown; people may add one beside them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from integrations.models import RegionEndpoint


@admin.register(RegionEndpoint)
class RegionEndpointAdmin(admin.ModelAdmin):
    list_display = ("label", "vendor", "base_url", "builtin")
    list_filter = ("vendor",)
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    fields = ("vendor", "slug", "label", "base_url", "note")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The vendors' own addresses come from their files: a change here would be undone at the next start."""
        return not (obj and obj.builtin) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(obj and not obj.builtin) and super().has_delete_permission(request, obj)
