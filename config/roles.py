"""Four roles and what each may do. A role is a column of a person and of an API token; both answer ``has_perm``.

Viewer sees, operator also pauses, tests and replays, editor also configures, owner also manages people and keys.
"""

from __future__ import annotations

from django.db import models

OPERATE = frozenset({"integrations.operate_connector", "deliveries.replay_delivery"})
ERASE = frozenset({"deliveries.erase_person"})  # for owners: it cannot be undone
CONFIGURED = ("source", "writekey", "connector", "eventrule", "channelmapping", "preferencemapping", "filter")
EDIT = frozenset(
    f"integrations.{verb}_{model}" for verb in ("add", "change") for model in (*CONFIGURED, "regionendpoint")
) | frozenset(
    f"integrations.delete_{model}" for model in ("eventrule", "channelmapping", "preferencemapping", "filter")
)
# Logs are read-only for everybody, owners included.
READ_ONLY_APPS = frozenset({"deliveries", "django_q"})


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    EDITOR = "editor", "Editor"
    OWNER = "owner", "Owner"


def allows(role: str, permission: str) -> bool:
    """Whether ``role`` holds ``permission`` ("app_label.codename")."""
    app, _, codename = permission.partition(".")
    if role == Role.OWNER:
        return app not in READ_ONLY_APPS or codename.startswith("view_") or permission in OPERATE | ERASE
    if app in ("integrations", "deliveries") and codename.startswith("view_"):
        return role in Role.values
    if permission in OPERATE:
        return role in (Role.OPERATOR, Role.EDITOR)
    return role == Role.EDITOR and permission in EDIT
