"""Apply a configuration document: all of it, or nothing and every mistake with its path."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.commands import PreparedCommand
from integrations.configuration import BadConfiguration, import_document
from integrations.configuration_preview import parse
from integrations.secrets import UnreadableSecret


class Command(PreparedCommand):
    help = "Import the configuration from a JSON document. What it does not name is left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="The document, or - for standard input.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would change, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        document = read_json(options["file"])
        try:
            changes = import_document(document, dry_run=options["dry_run"])
        except BadConfiguration as error:
            count = len(error.problems)
            mistakes = "1 mistake" if count == 1 else f"{count} mistakes"
            lines = "\n".join(error.problems)
            raise CommandError(f"Nothing was imported: the document has {mistakes}.\n{lines}") from None
        except UnreadableSecret as error:
            raise CommandError(str(error)) from None
        for line in changes:
            self.stdout.write(line)
        if options["dry_run"]:
            self.stdout.write("Nothing was changed: this was a dry run." if changes else "Nothing would change.")
        else:
            self.stdout.write("Imported." if changes else "Nothing to change: all is as the document says.")


def read_json(name: str) -> Any:
    """The file's JSON value. Raises CommandError in words."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CommandError(f"{name} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CommandError(f"{name} is not UTF-8 text.") from None
    try:
        return parse(text)
    except ValueError as error:
        raise CommandError(f"{name} is {error}") from None
