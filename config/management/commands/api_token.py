"""Make an API token. It is printed once and stored hashed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.commands import PreparedCommand
from config.models import ApiToken
from config.roles import Role


class Command(PreparedCommand):
    help = "Make a token for the management API. The token itself stands alone on the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="What it is for, for example “monitoring”.")
        parser.add_argument("--role", choices=Role.values, required=True, help="What it may do.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not name or len(name) > 100:
            raise CommandError("A token needs a name of 1 to 100 characters.")
        row, token = ApiToken.issue(name, options["role"], created_by="command line")
        role = row.get_role_display().lower()
        self.stdout.write(f"API token “{row.name}” ({role}). Copy it now: it can't be shown again.")
        self.stdout.write(token)
