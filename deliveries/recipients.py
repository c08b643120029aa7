"""Who is told of which problem, and the secret with which a webhook's alerts are signed."""

from __future__ import annotations

import base64
import re
import secrets
from datetime import datetime

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q
from standardwebhooks import Webhook

from deliveries.alarm import AlertRule, AlertTarget
from integrations.fields import AddressField
from integrations.models import ROLL_OVERLAP
from integrations.networks import closed, parse_networks

Kind = AlertTarget.Kind
NO_MAIL = "Write a whole e-mail address, for example team@example.com."
ADDRESSES: dict[str, forms.Field] = {
    Kind.EMAIL: forms.EmailField(max_length=254, error_messages={"invalid": NO_MAIL, "required": NO_MAIL}),
    Kind.SLACK: AddressField(max_length=500),
    Kind.WEBHOOK: AddressField(max_length=500),
}
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{16,}={0,2}")
TOLD = Q(enabled=True) & (Q(person=None) | Q(person__is_active=True))
PREFETCH = Prefetch("targets", AlertTarget.objects.filter(TOLD).select_related("person"))


def of(kind: str, connector_id: int | None = None) -> list[AlertTarget]:
    """Whom the connector's own rule names, else whom the usual one does, else everybody.

    Where all that a rule names are switched off it counts as naming nobody: an alert must not go lost by a switch that
    is meant for one address.
    """
    for key in dict.fromkeys((connector_id, None)):
        rule = AlertRule.objects.filter(kind=kind, connector=key).prefetch_related(PREFETCH).first()
        if found := named(rule):
            return found
    return everybody()


def named(rule: AlertRule | None) -> list[AlertTarget]:
    """Whom the rule itself names and who is told just now; the rule was read with PREFETCH."""
    return list(rule.targets.all()) if rule is not None and rule.pk else []


def everybody() -> list[AlertTarget]:
    return list(AlertTarget.objects.filter(TOLD).select_related("person"))


def usable(kind: str, typed: str) -> str:
    """The address as it is kept. Raises ValueError, in words, where nobody could be told there."""
    if kind not in ADDRESSES:
        raise ValueError("Choose how to tell: by e-mail, in Slack or by a webhook.")
    try:
        address = str(ADDRESSES[kind].clean(typed))
    except ValidationError as wrong:
        raise ValueError(" ".join(wrong.messages)) from wrong
    if kind != Kind.EMAIL and (words := closed(address, parse_networks(tuple(settings.ALLOWED_PRIVATE_NETWORKS)))):
        raise ValueError(words)
    return address


def is_secret(text: str) -> bool:
    """Whether calls can be signed with it."""
    try:
        return SECRET.fullmatch(text) is not None and bool(Webhook(text))
    except ValueError:  # not base64 after all
        return False


def new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


def roll_secret(target: AlertTarget, secret: str, now: datetime) -> bool:
    """Sign with ``secret`` from now on, and for a day with the replaced one as well. Returns whether there was one."""
    overlaps = target.secret not in ("", secret)
    if overlaps:
        target.old_secret, target.old_secret_until = target.secret, now + ROLL_OVERLAP
    target.secret = secret
    target.save(update_fields=["secret", "old_secret", "old_secret_until"])
    return overlaps


def end_overlap(target: AlertTarget) -> bool:
    """The replaced secret signs no more. Returns whether there was one."""
    return bool(
        AlertTarget.objects.filter(pk=target.pk)
        .exclude(old_secret_until=None)
        .update(old_secret="", old_secret_until=None)
    )


def forget_ended(now: datetime) -> int:
    """Throw away replaced secrets whose day is over."""
    return AlertTarget.objects.filter(old_secret_until__lte=now).update(old_secret="", old_secret_until=None)
