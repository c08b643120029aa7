"""Who changed what, in words. Written by whoever makes the change (a form, a button); secrets never stand in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db import models
from django.utils import timezone

LONGEST = 200
SHOWN = 20  # changes of one row


class Change(models.Model):
    """One change: ``words`` say what in a sentence, ``details`` are [field, before, after] where there are such."""

    at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=150)
    kind = models.CharField(max_length=30)
    object_id = models.BigIntegerField(null=True, blank=True)
    object_name = models.CharField(max_length=150, blank=True)
    words = models.CharField(max_length=300)
    details = models.JSONField(default=list, blank=True)

    class Meta:
        app_label = "integrations"
        ordering = ["-id"]
        indexes = [models.Index(fields=["kind", "object_id", "-id"], name="change_of_object")]

    def __str__(self) -> str:
        return self.words


def record(by: object, row: models.Model, words: str, details: Iterable[tuple[str, str, str]] = ()) -> Change:
    """Write one line of history about ``row``. Its name is kept, so that the line outlives the row."""
    return Change.objects.create(
        by=str(by)[:150],
        kind=row._meta.model_name or "",
        object_id=row.pk,
        object_name=str(row)[:150],
        words=words[:300],
        details=[[label, before, after] for label, before, after in details],
    )


def of(row: models.Model, limit: int = SHOWN) -> models.QuerySet[Change]:
    return Change.objects.filter(kind=row._meta.model_name, object_id=row.pk)[:limit]


def note_changes(by: object, form: forms.ModelForm[Any], more: Iterable[tuple[str, str, str]] = ()) -> Change | None:
    """One line for a saved form, with before and after of every changed field; None when nothing changed."""
    details = [*form_changes(form), *more]
    if not details:
        return None
    labels = list(dict.fromkeys(label for label, _, _ in details))
    return record(by, form.instance, f"Changed {', '.join(labels)}", details)


def form_changes(form: forms.BaseForm) -> list[tuple[str, str, str]]:
    """(label, before, after) of the changed fields. Of a secret only that it was replaced."""
    found = []
    for name in form.changed_data:
        field = form.fields[name]
        label = getattr(field, "called", "") or str(field.label or name)
        if getattr(field, "secret", False) or getattr(field, "private", False):
            found.append((label, "••••", "replaced"))
        else:
            said = getattr(field, "in_words", _words)
            found.append((label, said(form.get_initial_for_field(field, name)), said(form.cleaned_data.get(name))))
    return found


def _words(value: Any) -> str:
    if value is None or value == "":
        return "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        value = ", ".join(f"{key}: {text}" for key, text in value.items()) or "(empty)"
    elif isinstance(value, Iterable) and not isinstance(value, str):
        value = ", ".join(str(part) for part in value) or "(none)"
    return str(value)[:LONGEST]
