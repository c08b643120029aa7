"""The one event that everything here sends: a track call of about 600 bytes, made unique by its ``messageId``."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = Path(__file__).with_name("event.json")
_PARTS = TEMPLATE.read_text(encoding="utf-8")
USERS = 10_000


def event(run: str, number: int) -> str:
    """The JSON text of one event: number ``number`` of the run ``run``. Every event has the same length."""
    return _PARTS.replace("@ID@", message_id(run, number)).replace("@USER@", f"{number % USERS:04d}")


def message_id(run: str, number: int) -> str:
    return f"{run}-{number:010d}"


def batch(run: str, first: int, size: int) -> str:
    return '{"batch":[' + ",".join(event(run, number) for number in range(first, first + size)) + "]}"
