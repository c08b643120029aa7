"""Secrets at rest: Fernet with keys of their own (``SECRETS_KEYS``, newest first), never Django's SECRET_KEY.

The first key encrypts, every key decrypts; ``manage.py rotate_secrets`` re-encrypts everything with the first. A value
that no key opens raises :class:`UnreadableSecret` rather than becoming an empty password.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class UnreadableSecret(Exception):
    """None of SECRETS_KEYS opens a stored secret."""


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    return _fernet(tuple(settings.SECRETS_KEYS)).encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    try:
        return _fernet(tuple(settings.SECRETS_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise UnreadableSecret(
            "A saved secret cannot be read: SECRETS_KEYS lacks the key that it was saved with. "
            "Put the old key back (it may stand after the new one)."
        ) from None


def digest(text: str) -> str:
    """A keyed fingerprint, so that two equal write keys are found without storing a guessable hash."""
    return hmac.new(settings.SECRETS_KEYS[0].encode(), text.encode(), hashlib.sha256).hexdigest()


def hint(text: str) -> str:
    """The last four characters, for telling keys apart; nothing of a short secret."""
    return text[-4:] if len(text) >= 12 else ""


if TYPE_CHECKING:

    class AnyTextField(models.TextField[Any, Any]):
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any
        _pyi_lookup_exact_type: Any
else:
    AnyTextField = models.TextField


class EncryptedJSONField(AnyTextField):
    """A JSON value, encrypted in the database and plain in Python. Empty values are stored as an empty text."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return orjson.loads(decrypt(value)) if value else self.empty()

    def to_python(self, value: Any) -> Any:
        return value if value is not None else self.empty()

    def get_prep_value(self, value: Any) -> str:
        return encrypt(orjson.dumps(value).decode()) if value else ""

    def value_to_string(self, obj: models.Model) -> str:
        raise TypeError("Secrets are not serialized.")

    def empty(self) -> Any:
        return self.get_default() if self.has_default() else None


class EncryptedTextField(EncryptedJSONField):
    """A text, encrypted in the database; "" when there is none."""

    def empty(self) -> str:
        return ""
