"""Signing in and permission questions, by role."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission

from config.roles import Role, allows


class RoleBackend(ModelBackend):
    """Signs people in by e-mail and password, and answers permission questions from their role."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return bool(user_obj.is_active and not user_obj.is_anonymous and allows(user_obj.role, perm))

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        if not user_obj.is_active or user_obj.is_anonymous:
            return False
        return app_label in ("integrations", "deliveries") or user_obj.role == Role.OWNER

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        names = Permission.objects.values_list("content_type__app_label", "codename")
        return {name for name in (f"{app}.{code}" for app, code in names) if self.has_perm(user_obj, name)}
