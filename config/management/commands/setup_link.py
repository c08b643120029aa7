"""Print a new one-time link with which a person makes an owner's account."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import CommandError

from config.commands import PreparedCommand
from config.models import SetupLink, User


class Command(PreparedCommand):
    help = "Print a new one-time set-up link. It works for 24 hours; earlier unused links stop working."

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.exists():
            raise CommandError(
                "There is an account already, so a set-up link would not work. Owners add people under People; "
                "manage.py changepassword EMAIL gives somebody a new password."
            )
        self.stdout.write(f"{base_address()}/setup/{SetupLink.issue()}")
        self.stderr.write("It works once, for 24 hours. Signalbox listens elsewhere? Give its HOST and PORT here too.")


def base_address() -> str:
    """Where the console can be opened on this machine, from HOST and PORT as `serve` takes them."""
    host = os.environ.get("HOST") or "127.0.0.1"
    port = os.environ.get("PORT") or "8000"
    if host in ("0.0.0.0", "::", "[::]"):  # noqa: S104 - compared with, not bound to
        host = "127.0.0.1"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{port}"
