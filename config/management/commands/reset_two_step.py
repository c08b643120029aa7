"""The way back in for an owner who lost phone and recovery codes, where no other owner could press the button.

Whoever may run commands on the server may read the database as well, so this opens nothing that was closed to them.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from config import twostep
from config.commands import PreparedCommand
from config.models import User
from integrations import history


class Command(PreparedCommand):
    help = "Turn off a person's two-step login, so that the next sign-in needs the password alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL", help="The e-mail address that the person signs in with.")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip()
        person = User.objects.filter(email__iexact=email).first()
        if person is None:
            raise CommandError(f"Nobody signs in here with {email}. Nothing was changed.")
        with transaction.atomic():
            if not twostep.reset(person):
                raise CommandError(f"{person} has no two-step login. Nothing was changed.")
            history.record("command line", person, "Reset the two-step login")
        self.stdout.write(f"{person} signs in with the password alone now, and can turn two-step login on again.")
        if not person.is_active:
            self.stdout.write("But the account is deactivated: an owner has to let this person sign in again.")
