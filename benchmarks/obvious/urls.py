from __future__ import annotations

from django.urls import path

from benchmarks.obvious.views import TrackView

urlpatterns = [path("v1/track", TrackView.as_view())]
