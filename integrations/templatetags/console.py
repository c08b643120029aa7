"""What the console's templates say often: times in words, statuses as pills, services as tiles."""

from __future__ import annotations

import json
import re
import zlib
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from integrations import clock, numbers, registry

register = template.Library()

MINUTE, HOUR, DAY = 60, 3600, 86400
WEB_ADDRESS = re.compile(r"(https?://)(\S+)")
PART = re.compile(r"[^/.?&]+[/.?&]*|[/.?&]+")
TILE_COLOURS = 8
SHOWN_CHARACTERS = 20_000
PLACE = ("before", "after", "page")  # in a list: where somebody is, not what is looked for


def words(seconds: float) -> str:
    """A span of time as a person says it: "40 s", "3 min", "2 h", "5 days"."""
    seconds = abs(seconds)
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 90 * MINUTE:
        return f"{round(seconds / MINUTE)} min"
    if seconds < 36 * HOUR:
        return f"{round(seconds / HOUR)} h"
    return f"{round(seconds / DAY)} days"


def moment(value: datetime, now: datetime | None = None) -> str:
    seconds = ((now or timezone.now()) - value).total_seconds()
    if abs(seconds) < 2:
        return "just now"
    return f"{words(seconds)} ago" if seconds > 0 else f"in {words(seconds)}"


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """ "3 min ago" or "in 4 min", with the full time on hover; "–" for never."""
    if not value:
        return "–"
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), clock.full(value), moment(value))


@register.filter
def when(value: datetime | None) -> SafeString | str:
    """ "3 min ago" of what is less than a day old, else "3 Nov", or "3 Nov 2025" of another year."""
    now = timezone.localtime()
    if not value or now - value < timedelta(days=1):
        return ago(value)
    value = timezone.localtime(value)
    words = f"{value:%-d %b}" if value.year == now.year else f"{value:%-d %b %Y}"
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), clock.full(value), words)


@register.filter
def address(email: str) -> SafeString | str:
    """An e-mail address that breaks before its @ where a line has no room for it, and nowhere else."""
    person, at, host = email.rpartition("@")
    return format_html("{}<wbr>{}{}", person, at, host) if at else email


@register.filter
def breaks(text: str) -> SafeString:
    """A text whose web addresses break between their parts where a line has no room for them, and not in a word."""
    found = WEB_ADDRESS.split(str(text))  # what stands between, then an address's scheme, then its rest, and so on
    parts = [format_html("{}", found[0])]
    for scheme, rest, between in zip(found[1::3], found[2::3], found[3::3], strict=True):
        pieces = format_html_join(SafeString("<wbr>"), "{}", ((piece,) for piece in PART.findall(rest)))
        parts.append(format_html("{}{}{}", scheme, pieces, between))
    return format_html_join("", "{}", ((part,) for part in parts))


@register.filter
def inside(detail: str) -> str:
    """The address that was not called, from "hooks.internal → 10.0.0.5"; "" where the detail says something else."""
    return detail.rpartition(" → ")[2] if " → " in detail else ""


@register.filter
def fulltime(value: datetime | None) -> SafeString | str:
    """The full time, in the reader's zone."""
    if not value:
        return "–"
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), clock.full(value))


@register.filter
def typed(text: str) -> str:
    """A time from the page's address as a date-and-time field holds it."""
    return clock.typed(text)


@register.filter
def typed_words(text: str) -> str:
    """The same in a few words: "2 Mar 14:32"."""
    found = clock.typed(text)
    return f"{datetime.fromisoformat(found):%-d %b %H:%M}" if found else text[:20]


@register.simple_tag
def zone_note() -> SafeString | str:
    """By whose clock a field is read that asks for a time; nothing where it is the reader's own. The script takes it
    away: by the time that something is typed the reader's zone is known."""
    name = clock.note()
    return format_html(" <span data-zone>({})</span>", name) if name else ""


@register.filter
def took(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "–"
    return f"{round(milliseconds)} ms" if milliseconds < 1000 else words(milliseconds / 1000)


@register.filter
def thousands(value: int | None) -> str:
    return "–" if value is None else numbers.thousands(value)


@register.filter
def per_second(per_minute: float) -> str:
    """A speed that is kept by the minute, as people choose it: "10", "0.5", "1 000" of 60 000."""
    whole, _, rest = f"{per_minute / 60:,.2f}".replace(",", "\u00a0").partition(".")
    return f"{whole}.{rest}".rstrip("0").rstrip(".")


@register.filter
def plural(count: int, singular: str) -> str:
    """ "1 event", "2 events", "1 delivery", "3 deliveries", "2 keys"."""
    ends_in_ies = singular.endswith("y") and singular[-2] not in "aeiou"
    many = f"{singular[:-1]}ies" if ends_in_ies else f"{singular}s"
    return f"{thousands(count)} {singular if count == 1 else many}"


@register.simple_tag
def pill(code: str, label: str = "") -> SafeString:
    return format_html('<span class="pill {}">{}</span>', code, label or code.replace("_", " ").capitalize())


@register.simple_tag
def tile(slug: str) -> SafeString:
    """The service's letter on its own colour; a row can outlive its vendor's file."""
    vendor = registry.get(slug)
    letter = (vendor.label if vendor else slug or "?")[:1].upper()
    number = zlib.crc32(slug.encode()) % TILE_COLOURS
    return format_html('<span class="tile tile-{}" aria-hidden="true">{}</span>', number, letter)


@register.filter
def service(slug: str) -> str:
    vendor = registry.get(slug)
    return vendor.label if vendor else slug


@register.filter
def pretty(value: Any) -> str:
    """JSON with indents where it is JSON, else the text; never marked safe."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value[:SHOWN_CHARACTERS]
    return json.dumps(value, indent=2, ensure_ascii=False)[:SHOWN_CHARACTERS]


@register.filter
def may(user: Any, permission: str) -> bool:
    return bool(user.has_perm(permission))


@register.filter
def item(mapping: Any, key: Any) -> Any:
    return mapping.get(key)


@register.filter
def span(seconds: float | None) -> str:
    return "–" if seconds is None else words(seconds)


@register.inclusion_tag("console/chip.html", takes_context=True)
def chip(context: Any, name: str, title: str, options: Any) -> dict[str, Any]:
    """A filter as a drop-down of links. ``options`` are (value, label), or plain values."""
    params = context["request"].GET
    chosen = params.get(name, "")
    pairs = [
        (str(option[0]), str(option[1])) if isinstance(option, tuple | list) else (option, option) for option in options
    ]
    shown = [
        {"url": _query(params, **{name: value}), "label": label, "current": value == chosen} for value, label in pairs
    ]
    labels = dict(pairs)
    parts = chosen.split(",")  # several, as some links choose them
    label = ", ".join(labels[part] for part in parts) if set(parts) <= set(labels) else labels.get(chosen, chosen)
    clear = _query(params, **{name: ""})
    return {"title": title, "options": shown, "chosen": chosen, "chosen_label": label, "clear": clear}


@register.simple_tag(takes_context=True)
def keep(context: Any, *names: str) -> SafeString:
    """The address's parameters as hidden inputs of a form, but for ``names`` and the place in the list."""
    left_out = {*names, *PLACE}
    pairs = [(key, value) for key, value in context["request"].GET.items() if key not in left_out]
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


def _query(params: Any, **changes: str) -> str:
    query = params.copy()
    for name in PLACE:
        query.pop(name, None)
    for name, value in changes.items():
        query.pop(name, None)
        if value:
            query[name] = value
    return f"?{query.urlencode()}"


@register.filter
def percent(value: float | None) -> str:
    """ "99.4 %"; only what is really all is 100."""
    if value is None:
        return "–"
    return "100 %" if value == 100 else f"{min(value, 99.9):.1f} %"
