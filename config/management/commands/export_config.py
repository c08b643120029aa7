"""Print the configuration as one JSON document."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.commands import PreparedCommand
from integrations.configuration import export_document
from integrations.secrets import UnreadableSecret


class Command(PreparedCommand):
    help = "Export the configuration as a JSON document for import_config, without secrets and write keys."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--with-secrets", action="store_true", help="With secrets and write keys, in plain text. Keep it safe."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document = export_document(with_secrets=options["with_secrets"])
        except UnreadableSecret as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))
