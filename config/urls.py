"""Every address. The ingest routes stand first: they never redirect and need no console parts."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from deliveries.api import status

handler400 = "config.instead.bad_request"

urlpatterns = [
    path("", include("deliveries.api.ingest_urls")),
    path("healthz", status.healthz),
    path("readyz", status.readyz),
    path("metrics", status.metrics),
    path("api/", include("deliveries.api.management_urls")),
    path("", admin.site.urls),
]
