"""How running processes notice that the configuration has changed: a counter that every saved change moves."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction
from django.db.models import F, Q


class ConfigVersion(models.Model):
    """One row that counts configuration changes."""

    number = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="config_version_single_row")]

    def __str__(self) -> str:
        return str(self.number)

    @classmethod
    def bump(cls) -> None:
        if not cls.objects.filter(id=1).update(number=F("number") + 1):
            cls.objects.get_or_create(id=1, defaults={"number": 1})

    @classmethod
    def current(cls) -> int:
        return cls.objects.filter(id=1).values_list("number", flat=True).first() or 0


class Configured(models.Model):
    """A row whose change must reach every running process. Cache invalidation only: save() holds no business flow."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            super().save(*args, **kwargs)
            ConfigVersion.bump()

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            result = super().delete(*args, **kwargs)
            ConfigVersion.bump()
        return result
