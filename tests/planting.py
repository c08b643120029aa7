"""Markup planted in every text that a stranger, a service or a colleague can write, and a look for it in our pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import orjson
from django.apps import apps
from django.db import models
from django_q.models import Schedule, Task

from deliveries.ledger import Book
from deliveries.models import Attempt, Event, Replay
from deliveries.trials import Trial
from integrations import history
from integrations.models import ChannelMapping, Connector, EventRule, Filter, PreferenceMapping
from integrations.secrets import EncryptedJSONField
from tests.console import delivery_of

# Short enough for names. Out of every element, out of an attribute in either quotes, and where an address is expected.
CORPUS = (
    "\"'></script></title></textarea></style></svg>--><xssel onxss=alert(1)><img/src=x/onerror=alert(1)>",
    "' onxss='alert(1)' xssattr=' \" onxss=\"alert(1)\" xssattr=\"",
    "javascript:alert(1)//<xssel>]]><script>alert(1)</script>{{ 7 }}{% x %}<svg><!--",
)
PROJECT = {"config", "integrations", "deliveries"}
# What only our own code writes, or what nothing would work without.
NOT_PLANTED = {
    "config.User": {"password", "email"},
    "config.ApiToken": {"digest"},
    "config.SetupLink": {"digest"},
    "integrations.WriteKey": {"digest"},
    "integrations.Change": {"kind"},
    "integrations.Source": {"settings"},
    "integrations.Connector": {"settings", "retry"},
    "deliveries.Event": {"type", "body"},
    "deliveries.Attempt": {"request", "request_body", "response", "response_body", "outcome", "cause"},
    "deliveries.Problem": {"cause"},
    "deliveries.Replay": {"filters"},
    "deliveries.Tally": {"status"},
    "deliveries.Trial": {"outcome", "answer"},
    "deliveries.Lane": {"holder"},
    "deliveries.JobRun": {"job"},
    "deliveries.Pump": {"linger_owner"},
    "deliveries.Heartbeat": {"cluster"},
}


def columns() -> Iterator[tuple[type[models.Model], models.Field[Any, Any]]]:
    """Every column of ours that holds a text of somebody's."""
    for model in apps.get_models():
        left_out = NOT_PLANTED.get(model._meta.label, set())
        for field in model._meta.concrete_fields if model._meta.app_label in PROJECT else ():
            text = isinstance(field, models.CharField | models.TextField) and not isinstance(field, EncryptedJSONField)
            if text and not field.choices and field.name not in left_out:
                yield model, field


def one_of_a_kind(model: type[models.Model], field: models.Field[Any, Any]) -> bool:
    return field.unique or any(field.name in one.fields for one in model._meta.total_unique_constraints)


def plant(m: Any, text: str) -> None:
    """``text`` in every text column of every row, and in the documents that other columns hold."""
    more_rows(m)
    for model, field in columns():
        for row in model._default_manager.all():
            length = field.max_length or 1000
            end = str(row.pk) if one_of_a_kind(model, field) else ""
            value = text[: length - len(end)] + end
            model._default_manager.filter(pk=row.pk).update(**{field.name: value})
    pairs = {text: text, "email": text, "nested": {text: [text]}}
    call = {"method": "POST", "url": f"https://x.example/{text}", "headers": {text: text, "X-A": text}}
    for event in Event.objects.all():
        body = orjson.loads(event.body)
        body |= {
            "event": text,
            "userId": text,
            "messageId": text,
            "properties": pairs,
            "context": pairs,
            "traits": pairs,
        }
        Event.objects.filter(pk=event.pk).update(body=orjson.dumps(body).decode())
    document, head = orjson.dumps(pairs).decode(), orjson.dumps(call).decode()
    Attempt.objects.update(request=head, response=head, request_body=document, response_body=text)
    Attempt.objects.filter(delivery=m.delivered).update(response_body=document)
    Trial.objects.update(answer=text)
    Replay.objects.update(filters={"status": "failed", "event": text, "user_id": text, "message_id": text})
    history.Change.objects.update(details=[[text, text, text]])
    Connector.objects.filter(vendor="webhook").update(
        settings={"url": f"https://x.example/{text}", "headers": {"X-A": text, text: text}, "batch_size": 1}
    )


def more_rows(m: Any) -> None:
    """A row of each kind of which ``tests.console.made`` has none."""
    for connector in (m.connector, m.draft):
        EventRule.objects.create(connector=connector, kind="track", name="Flow Viewed", send_as="x")
        Filter.objects.create(connector=connector, condition="type = 'track'", action="drop", fields={"": ["a"]})
    m.hook = Connector.objects.create(name="Hook", vendor="webhook", status="off")
    m.mapped = Connector.objects.create(name="Mapped", vendor="suprsend", status="off")
    for connector in (m.hook, m.mapped):
        connector.sources.add(m.source)
    ChannelMapping.objects.create(connector=m.mapped, channel="sms", field="phone")
    PreferenceMapping.objects.create(connector=m.mapped, preference="preferred_language", field="language")
    m.refused = Event.objects.create(
        source=m.source, message_id="r", type="track", received_at=m.failed.event.received_at, refused="x", body="{}"
    )
    for status, cause in (("skipped", "filtered"), ("retrying", "service_error"), ("failed", "data_refused")):
        delivery_of(m.failed.event, m.connector, status, cause)
    delivery_of(m.failed.event, m.connector, "waiting", replay_of=m.failed, replay=m.replay)
    Trial.objects.create(connector=m.connector, by="x", name="x", outcome="failed", headline="x")
    Book.objects.create(day=m.failed.created_at.date(), connector=m.connector, missing=1)
    history.record("x", m.connector, "x", [("x", "x", "x")])


def plant_jobs(text: str) -> None:
    """django-q2's own rows: an error of a task may quote anything."""
    Schedule.objects.create(name=text[:100], func="deliveries.tasks.hourly", args="", kwargs="")
    for success in (True, False):
        Task.objects.create(
            id=f"planted{success}", name=text[:100], func="deliveries.tasks.hourly", args=(text,), result=text,
            started="2026-01-01T00:00:00Z", stopped="2026-01-01T00:00:01Z", success=success, group=text[:100],
        )  # fmt: skip


class Finder(HTMLParser):
    """Elements, attributes and addresses that our own templates never write."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.texts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "xss" in tag or (tag == "img" and ("src", "x") in attrs):
            self.found.append(f"<{tag}>")
        if tag == "script" and "src" not in dict(attrs):
            self.found.append("<script> without an address")
        for name, value in attrs:
            if "xss" in name or (name.startswith("on") and tag != "xssel"):
                self.found.append(f"{name} of <{tag}>")
            address = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name in ("href", "src", "action", "formaction", "xlink:href", "data") and address.startswith(
                ("javascript:", "data:", "vbscript:")
            ):
                self.found.append(f"{name}={value}")
            self.texts += "xssel" in (value or "") or "alert(1)" in (value or "")

    def handle_data(self, data: str) -> None:
        self.texts += "xssel" in data or "alert(1)" in data

    def handle_comment(self, data: str) -> None:
        if "xss" in data or "alert" in data:
            self.found.append("a comment")

    def unknown_decl(self, data: str) -> None:
        self.found.append("a CDATA section")


def look(html: str) -> tuple[list[str], int]:
    """What came alive of what was planted, and in how many places it stands as a harmless text."""
    finder = Finder()
    finder.feed(html)
    finder.close()
    return finder.found, finder.texts
