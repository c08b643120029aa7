"""What our commands have in common."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from config.start import bring_up_to_date


class PreparedCommand(BaseCommand):
    """A command that needs the tables: it makes them where nothing was started yet, so that an installation can be
    configured before its first start."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        bring_up_to_date()
        return super().execute(*args, **options)
