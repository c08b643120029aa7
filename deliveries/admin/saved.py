"""What is said after a connector was saved: what has new names, and the offer to send the last day again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from deliveries.admin import badges
from deliveries.log import newest_of
from integrations.forms import ConnectorForm
from integrations.models import Connector
from integrations.numbers import thousands
from integrations.tables import Table

DAY = timedelta(hours=24)
MOST = 1000  # counted up to here: "more than 1000"
# What changes nothing in the events that go out.
ELSEWHERE = frozenset(
    {"name", "notes", "sources", "retry_choice", "retry_list", "rate_limit_per_second", "max_concurrency"}
)


def renamed(lists: Mapping[str, Table]) -> str:
    rules = lists["rules"].forms if "rules" in lists else []
    count = sum("send_as" in line.changed_data and not line.cleaned_data.get("DELETE") for line in rules)
    if not count:
        return ""
    return " 1 event now has a new name." if count == 1 else f" {count} events now have new names."


def offer(row: Connector, form: ConnectorForm, more: Sequence[object]) -> SafeString | str:
    """Buttons to the replay of what failed, and to that of the last 24 hours, with the counts; "" where the change
    alters nothing that is sent."""
    if (not more and not set(form.changed_data) - ELSEWHERE) or row.status != Connector.Status.ACTIVE:
        return ""
    day = newest_of(row.pk).filter(created_at__gte=timezone.now() - DAY)
    new = f"{reverse('admin:deliveries_replay_add')}?connector={row.pk}"
    offered = [
        ("what failed", f"{new}&status=failed", badges.need_a_look(row, MOST + 1)),
        ("the last 24 h", f"{new}&range=24h&include_delivered=on", day[: MOST + 1].count()),
    ]
    links = [(address, what, _up_to_most(count)) for what, address, count in offered if count]
    return format_html_join(" ", '<a class="button tiny" href="{}">Replay {} ({})…</a>', links)


def _up_to_most(count: int) -> str:
    return f"more than {thousands(MOST)}" if count > MOST else thousands(count)
