"""The ingest routes, each with and without a trailing slash. They never redirect: a redirect loses the body."""

from __future__ import annotations

from django.urls import re_path
from django.urls.resolvers import URLPattern

from deliveries.api.ingest import BatchView, EventView, MetricsView, SegmentWebhookView, SettingsView, WebhookView
from integrations import registry
from integrations.types import EventKind

LETTERS = {"t": EventKind.TRACK, "i": EventKind.IDENTIFY, "p": EventKind.PAGE, "s": EventKind.SCREEN,
           "g": EventKind.GROUP, "a": EventKind.ALIAS}  # fmt: skip


def _event_routes() -> list[URLPattern]:
    names = {kind.value: kind for kind in EventKind} | LETTERS
    return [re_path(rf"^v1/{name}/?$", EventView.as_view(kind=kind.value)) for name, kind in names.items()]


def _webhook_routes() -> list[URLPattern]:
    routes = []
    for vendor in registry.receiving():
        assert vendor.receive is not None  # noqa: S101 - that is what receiving() means
        view = (SegmentWebhookView if vendor.slug == "segment" else WebhookView).as_view(vendor=vendor.slug)
        path = vendor.receive.path.strip("/")
        routes.append(re_path(rf"^{path}/?$", view))
        if vendor.slug != "segment":
            routes.append(re_path(rf"^{path}/(?P<key>[^/]+)/?$", view))
    return routes


urlpatterns = [
    *_event_routes(),
    re_path(r"^v1/(?:batch|import|b)/?$", BatchView.as_view()),
    re_path(r"^v1/m/?$", MetricsView.as_view()),
    re_path(r"^v1/projects/(?P<key>[^/]+)/settings/?$", SettingsView.as_view()),
    *_webhook_routes(),
]
