"""Addresses below ``/api/``. Each works with and without a slash at the end, and none redirects; the rest is 404."""

from __future__ import annotations

from django.urls import include, path, re_path

from deliveries.api import management as views
from deliveries.api.base import ManagementView, Nowhere
from deliveries.api.books import BooksView
from deliveries.api.schema import SchemaView

CALLS: dict[str, type[ManagementView]] = {
    "sources/": views.SourcesView,
    "connectors/": views.ConnectorsView,
    "connectors/<str:id>/": views.ConnectorView,
    "connectors/<str:id>/pause/": views.PauseView,
    "connectors/<str:id>/resume/": views.ResumeView,
    "connectors/<str:id>/test/": views.TestView,
    "events/": views.EventsView,
    "deliveries/": views.DeliveriesView,
    "deliveries/<str:id>/": views.DeliveryView,
    "deliveries/<str:id>/replay/": views.DeliveryReplayView,
    "replays/": views.ReplaysView,
    "replays/<str:id>/": views.ReplayView,
    "replays/<str:id>/stop/": views.ReplayStopView,
    "books/": BooksView,
}
calls = [path(route, view.as_view()) for route, view in CALLS.items()]
schema = SchemaView.as_view(patterns=[path("api/v1/", include(calls))])
# Left out of the OpenAPI document, which would list every call twice.
slashless = [path(route.rstrip("/"), view.as_view(schema=None)) for route, view in CALLS.items()]

urlpatterns = [
    path("v1/", include([*calls, path("schema/", schema, name="schema"), path("schema", schema), *slashless])),
    re_path(r"^.*$", Nowhere.as_view(schema=None)),
]
