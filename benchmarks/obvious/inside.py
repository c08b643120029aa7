"""What has to be done inside the obvious alternative: see ``benchmarks.within``."""

from __future__ import annotations

import json

from django.core.management import call_command
from django_q.tasks import async_task

from benchmarks.events import event, message_id
from benchmarks.installation import KEYS
from benchmarks.obvious.models import Connector, Delivery, Event, Source


def prepare(receiver: str) -> None:
    call_command("migrate", run_syncdb=True, interactive=False, verbosity=0)
    source = Source.objects.create(name="bench", key=KEYS["webhook"])
    Connector.objects.create(name="bench", url=f"{receiver}/hook").sources.add(source)


def fill(vendor: str, events: int, run: str) -> int:
    source, connector = Source.objects.get(), Connector.objects.get()
    for number in range(events):
        row = Event.objects.create(
            source=source, message_id=message_id(run, number), type="track", name="Order Completed",
            body=json.loads(event(run, number)),
        )  # fmt: skip
        async_task("benchmarks.obvious.tasks.deliver", Delivery.objects.create(event=row, connector=connector).id)
    return events
