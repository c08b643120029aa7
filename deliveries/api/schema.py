"""The OpenAPI document: how callers sign in, and the view that serves it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView

from deliveries.api.base import JsonOnly


class BearerToken(OpenApiAuthenticationExtension):
    target_class = "config.tokens.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, as JSON. It tells nothing about this installation, so it needs no token."""

    authentication_classes = []
    permission_classes = []
    renderer_classes = [OpenApiJsonRenderer]
    content_negotiation_class = JsonOnly
    schema = None
