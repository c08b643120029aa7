"""Serve: web and workers under one supervisor."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from config.start import prepare
from deliveries import practice
from integrations import selectors
from integrations.secrets import UnreadableSecret

DATABASE_PATIENCE = 60  # seconds that a starting database is waited for


class Command(BaseCommand):
    help = "Serve the console and take in and deliver events, until TERM or Ctrl-C."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
        parser.add_argument("--port", type=int, default=os.environ.get("PORT") or 8000)
        parser.add_argument("--web-only", action="store_true", help="no workers: they run elsewhere")
        parser.add_argument("--practice", action="store_true", help="load practice data first")
        parser.add_argument("--worker-only", action="store_true", help="no web: it runs elsewhere")

    def handle(self, *args: Any, **options: Any) -> None:
        from config.serve import Supervisor

        if options["web_only"] and options["worker_only"]:
            raise CommandError("--web-only and --worker-only together would serve nothing. Give one of them.")
        setup_path = self._prepare()
        if options["practice"]:
            practice.load()
        host, port = options["host"], options["port"]
        os.environ["PORT"] = str(port)  # for links to ourselves, where no better address is known
        try:
            supervisor = Supervisor(host, port, web=not options["worker_only"], worker=not options["web_only"])
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port}: {error.strerror}. "
                "Stop what uses this port, or choose another: PORT=8001."
            ) from error
        connection.close()
        supervisor.run(lambda: self._announce(host, port, setup_path, options))

    def _prepare(self) -> str:
        """Prepare, waiting for a database that is just starting."""
        deadline = time.monotonic() + DATABASE_PATIENCE
        while True:
            try:
                path = prepare()
                selectors.snapshot()
                return path
            except UnreadableSecret as error:
                raise CommandError(f"{error} It belongs into {settings.DATA_DIR}/.env or the environment.") from error
            except OperationalError as error:
                connection.close()
                if time.monotonic() > deadline:
                    raise CommandError(f"The database does not answer: {error}") from error
                self.stderr.write(f"Waiting for the database: {error}")
                time.sleep(2)

    def _announce(self, host: str, port: int, setup_path: str, options: dict[str, Any]) -> None:
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared with
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
        if options["worker_only"]:
            self.stdout.write("Signalbox workers are running.")
        else:
            self.stdout.write(f"Signalbox is at  {address}/")
        if setup_path:
            self.stdout.write(
                f"Set up with      {address}{setup_path}   (one time, 24 hours: choose your name and password)"
            )
        self.stdout.write(
            f"The data is in   {settings.DATA_DIR}   (back up its .env: without it saved keys cannot be read)"
        )
        self.stdout.write("Stop with        Ctrl-C")
        self.stdout.flush()
