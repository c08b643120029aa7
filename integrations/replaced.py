"""Who replaced a saved secret last, and when: told by the history, which says of a secret nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django import forms

from integrations.fields import SecretField
from integrations.history import SHOWN, Change

SAME_MOMENT = timedelta(seconds=10)  # a form is noted in the history just before it is saved


def note(form: forms.BaseForm, changes: Sequence[Change], at: datetime | None = None) -> None:
    """Put it on each field with a saved secret. ``changes``: of the form's row, newest first, as ``history.of`` gives
    them. ``at``: when any of its secrets was replaced last, where the row knows."""
    saved = [field for field in form.fields.values() if isinstance(field, SecretField) and field.mask]
    for field in saved:
        field.replaced_at, field.replaced_by = _last(str(field.label), changes, at, alone=len(saved) == 1)


def _last(label: str, changes: Sequence[Change], at: datetime | None, *, alone: bool) -> tuple[datetime | None, str]:
    named = (change for change in changes if label.lower() in {str(line[0]).lower() for line in change.details})
    change = next(named, None)
    if change is None:  # so it is as it was when the row was made, or was replaced otherwise
        whole = len(changes) < SHOWN
        change = next((one for one in changes if at and _near(one.at, at)), None)
        change = change or (changes[-1] if whole and changes and at is None else None)
    if change is None or (alone and at is not None and not _near(change.at, at)):
        return at, ""
    return change.at, change.by


def _near(one: datetime, other: datetime) -> bool:
    return abs(one - other) < SAME_MOMENT
