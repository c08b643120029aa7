"""What the very first start makes: the data directory and its ``.env`` with generated secrets.

Imported by the settings, so it may not import Django's configured parts.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import environ
from cryptography.fernet import Fernet

HEADER = "# Made on the first start. Back this file up: without SECRETS_KEYS the saved keys cannot be read.\n"


class Env(environ.Env):
    """A variable that is set to nothing counts as one that is not set: so do Compose files and shells pass on what they
    were not given."""

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        if default is not self.NOTSET and not self.ENVIRON.get(var, "set").strip():
            return default
        return super().get_value(var, cast=cast, default=default, parse_default=parse_default)


def ensure_secrets(data_dir: Path) -> bool:
    """Make ``data_dir``, and in it ``.env`` with SECRET_KEY and SECRETS_KEYS unless it, or the environment, has them.

    Returns True if the file was made. The file is readable by its owner only, and is never overwritten.
    """
    for name in ("SECRET_KEY", "SECRETS_KEYS"):
        if not os.environ.get(name):  # set to nothing, it would hide the file's
            os.environ.pop(name, None)
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / ".env"
    if path.exists() or ("SECRET_KEY" in os.environ and "SECRETS_KEYS" in os.environ):
        return False
    text = f"{HEADER}SECRET_KEY={secrets.token_urlsafe(50)}\nSECRETS_KEYS={Fernet.generate_key().decode()}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was first: its file counts
        return False
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    return True
