"""The second step of signing in: an authenticator app, and the recovery codes for when it is lost.

Devices as django-otp has them, but with their secrets encrypted by ``SECRETS_KEYS`` like all others: django-otp's own
tables keep them as they are. Recovery codes are encrypted rather than hashed, so that ``rotate_secrets`` reaches them,
and because eight digits are soon found for any hash.
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import b32encode
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import models
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.oath import TOTP

from integrations.secrets import EncryptedJSONField, EncryptedTextField

CODES = 8
DIGITS = 6
ISSUER = "Signalbox"  # how apps call the account
TOLERANCE = 1  # codes of the half minute before and after count as well


def new_key() -> str:
    return secrets.token_hex(20)


class Authenticator(TimestampMixin, ThrottlingMixin, Device):
    """An app that shows a new code every half minute (RFC 6238), of which each works once."""

    key = EncryptedTextField(default=new_key)
    drift = models.SmallIntegerField(default=0)  # how many half minutes the phone's clock is off
    last_t = models.BigIntegerField(default=-1)  # the half minute of the last code that was used

    class Meta(Device.Meta):
        app_label = "config"

    def get_throttle_factor(self) -> float:
        return float(getattr(settings, "OTP_TOTP_THROTTLE_FACTOR", 1))

    def verify_token(self, token: str) -> bool:
        if not self.verify_is_allowed()[0]:
            return False
        totp = TOTP(self.bin_key, drift=self.drift)
        totp.time = time.time()
        plain = token.isascii() and token.isdigit() and len(token) == DIGITS
        if not plain or not totp.verify(int(token), TOLERANCE, self.last_t + 1):
            self.throttle_increment()
            return False
        self.last_t, self.drift = totp.t(), totp.drift
        self.throttle_reset(commit=False)
        self.set_last_used_timestamp(commit=False)
        self.save()
        return True

    @property
    def bin_key(self) -> bytes:
        return bytes.fromhex(self.key)

    @property
    def text(self) -> str:
        """The secret as apps take it."""
        return b32encode(self.bin_key).decode().rstrip("=")

    @property
    def config_url(self) -> str:
        """What the picture says (https://github.com/google/google-authenticator/wiki/Key-Uri-Format)."""
        given = {"secret": self.text, "issuer": ISSUER, "algorithm": "SHA1", "digits": DIGITS, "period": 30}
        return f"otpauth://totp/{ISSUER}:{quote(str(self.user.get_username()))}?{urlencode(given)}"


class RecoveryCodes(TimestampMixin, ThrottlingMixin, Device):
    """Codes of which each works once, in any order."""

    codes = EncryptedJSONField(default=list)

    class Meta(Device.Meta):
        app_label = "config"
        verbose_name_plural = "recovery codes"

    @classmethod
    def issue(cls, user: Any) -> tuple[str, ...]:
        """New ones for the person, to be shown once."""
        codes = tuple(f"{secrets.randbelow(10**8):08d}" for _ in range(CODES))
        cls.objects.create(user=user, name="Recovery codes", confirmed=True, codes=list(codes))
        return codes

    def get_throttle_factor(self) -> float:
        return float(getattr(settings, "OTP_STATIC_THROTTLE_FACTOR", 1))

    def verify_token(self, token: str) -> bool:
        if not self.verify_is_allowed()[0]:
            return False
        kept = [code for code in self.codes if not hmac.compare_digest(code.encode(), token.encode())]
        if len(kept) == len(self.codes):
            self.throttle_increment()
            return False
        self.codes = kept
        self.throttle_reset(commit=False)
        self.set_last_used_timestamp(commit=False)
        self.save()
        return True
