"""One permission class: a view names what it needs, and whoever calls must hold it."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class HasPermission(BasePermission):
    """``view.permission`` is "app_label.codename", or a mapping of HTTP methods to such names. Without it: refused."""

    message = "This API token's role may not do that."

    def has_permission(self, request: Request, view: Any) -> bool:
        needed = getattr(view, "permission", None)
        if isinstance(needed, dict):
            needed = needed.get(request.method)
        return bool(needed and request.user and request.user.is_authenticated and request.user.has_perm(needed))
