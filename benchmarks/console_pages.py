"""Every page of the console, found in the table of addresses, with real rows behind each: for the row `pages` and for
the test that counts queries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver
from django.utils import timezone

from config.models import ApiToken, User
from deliveries.admin.catalog import steps_for
from deliveries.alarm import AlertTarget, Problem
from deliveries.models import Heartbeat, Replay
from integrations import history, registry
from integrations.models import Connector, RegionEndpoint, Source, WriteKey

# Not pages of the console for who is signed in: a redirect, a file, a script, a link that works once.
NO_PAGES = frozenset(
    {
        *("login", "logout", "setup", "jsi18n", "autocomplete", "view_on_site", ""),
        *("deliveries_delivery_export", "integrations_change_export", "settings_export"),
    }
)
BETWEEN = "since={since}&until={until}"
# What people choose on a page; each is a page of its own to the database. Names in braces are the rows made below.
CHOICES = {
    "index": ("range=1h", "range=7d", "range=30d"),
    "deliveries_delivery_changelist": (
        *(f"view={view}" for view in ("look", "retrying", "held", "skipped", "delivered")),
        *(f"range={span}" for span in ("1h", "24h", "7d", "30d")),
        "status=waiting",
        "status=delivered&connector={connector}",
        "view=look&connector={connector}&range=24h",
        "answer=401",
        "answer=418",
        "cause=key_refused",
        "cause=key_refused&connector={connector}",
        "event=Event+7",
        "event=no+such+event",
        "connector={connector}",
        "connector={quiet}",
        "connector={quiet}&event=Event+7&status=failed",
        "q=user-7",
        "q=anon-7",
        "q=m-7",
        "q=nobody",
        "before={middle}",
        "after={middle}",
        "replay={replay}",
        *("user_id=user-7", "message_id=m-7", "q=p7%40example.com", "view=look&q=user-7", "view=look&event=Event+7"),
        *(f"{BETWEEN}{more}" for more in ("", "&view=look", "&event=Event+7", "&connector={quiet}")),
        "cause=key_refused&event=no+such+event",
        "answer=401&range=24h",
        "view=held&before={middle}",
    ),
    "deliveries_delivery_live": ("newest={middle}", "newest={middle}&view=look&connector={connector}"),
    "deliveries_event_changelist": (
        "view=refused",
        "source={source}",
        "type=identify",
        "name=Event+7",
        "range=24h",
        "q=user-7",
        "q=anon-7",
        "q=m-7",
        "q=p7%40example.com",
        "before={middle}",
        BETWEEN,
        f"{BETWEEN}&name=Event+7",
        "source={source}&name=no+such+event",
        "type=identify&range=24h",
    ),
    "deliveries_replay_add": (
        *("status=failed", "status=failed&connector={connector}&cause=key_refused", "status=delivered", "range=24h"),
        *("view=look", "view=skipped", "answer=401", "event=Event+7", "q=user-7", "replay={replay}", BETWEEN),
        *("as_sent=on", "include_delivered=on", "as_sent=on&include_delivered=on"),
        *(f"{one}&include_delivered=on" for one in ("range=30d", "connector={connector}", "event=Event+7", BETWEEN)),
        "answer=401&include_delivered=on",
    ),
    "deliveries_problem_changelist": (
        *("view=ended", "view=all", "state=closed", "connector={connector}", "cause=timeout&view=all"),
        *("range=24h", f"view=all&{BETWEEN}"),
    ),
    "deliveries_replay_changelist": ("state=running", "connector={connector}", "cause=timeout", "range=24h", BETWEEN),
    "books": ("day={day}",),
    "config_user_changelist": ("role=viewer",),
    "deliveries_delivery_change": ("replayed={middle}",),
    "events_seen": ("source={source}", "connector={connector}", "q=event+7", "page=2"),
    "events_seen_one": ("source={source}&type=track&name=Event+7",),
    "integrations_change_changelist": ("kind=connector", "by=Ann", "connector={connector}"),
    "integrations_connector_add": ("q=seg",),
    "integrations_connector_changelist": ("service=webhook", "badge=paused"),
    "integrations_source_add": ("service=customerio",),
    "integrations_source_changelist": ("state=working",),
    "settings": ("allow=10.0.0.5",),
    "journey_erase": ("q=user-7", "q=p7%40example.com"),
    "journey": ("q=user-7", "q=anon-7", "q=m-7", "q=p7%40example.com", "q=nobody%40example.com"),
}


def make() -> dict[str, Any]:
    """One of everything that is configured. Returns the ids that the addresses need."""
    now = timezone.now()
    owner = User.objects.create_user("pages@example.com", "correct horse battery", name="Ann", role="owner")
    User.objects.create_user("viewer@example.com", name="Vera", role="viewer")
    sources = [Source.objects.create(name=f"pages {number}") for number in range(3)]
    for source in sources:
        WriteKey.issue(source)
    region = RegionEndpoint.objects.filter(vendor="segment").first()
    connectors = [
        Connector.objects.create(name=f"{vendor} pages", vendor=vendor, region=region if vendor == "segment" else None)
        for vendor in ("segment", "novu", "suprsend", "hello_customer")
    ]
    hook = {"vendor": "webhook", "settings": {"url": "https://example.com/hook", "batch_size": 1}}
    paused = Connector.objects.create(name="paused pages", status="paused", status_at=now, status_by="Ann", **hook)
    off = Connector.objects.create(name="off pages", status="off", status_at=now, **hook)
    draft = Connector.objects.create(name="draft pages", vendor="suprsend", status="off")
    quiet = Connector.objects.create(name="quiet pages", **hook)
    for row in (*connectors, paused, off):
        row.sources.set(sources)
    replay = Replay.objects.create(state="done", total=20, last_id=1, up_to_id=1, filters={"status": "failed"})
    AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com")
    ApiToken.issue("script", "viewer")
    RegionEndpoint.objects.create(vendor="segment", slug="pages", label="Own", base_url="https://a.example")
    Heartbeat.objects.create(cluster="pages", seen_at=now)
    history.record(owner, connectors[0], "Changed the prefix", [("prefix", "", "x")])
    return {
        "person": owner.pk,
        "connector": connectors[0].pk,
        "connectors": [row.pk for row in connectors],
        "paused": paused.pk,
        "off": off.pk,
        "draft": draft.pk,
        "quiet": quiet.pk,
        "source": sources[0].pk,
        "sources": [row.pk for row in sources],
        "replay": replay.pk,
        "since": f"{now - timedelta(days=20):%Y-%m-%dT%H:%MZ}",
        "until": f"{now - timedelta(minutes=90):%Y-%m-%dT%H:%MZ}",
        "day": f"{now:%Y-%m-%d}",
    }


def grow(made: dict[str, Any], rows: int) -> None:
    """More of what people make besides deliveries: problems, replays, history."""
    now = timezone.now()
    problem = {"kind": "failing", "state": "solved", "ended_at": now, "opened_at": now - timedelta(hours=1)}
    Problem.objects.bulk_create(
        Problem(connector_id=made["connectors"][n % 4], cause="timeout", sample_id=8, **problem) for n in range(rows)
    )
    for key in made["connectors"][: max(1, min(rows // 10, 4))]:
        values = {"kind": "key_refused", "cause": "key_refused", "state": "open"}
        Problem.objects.get_or_create(connector_id=key, **values, defaults={"sample_id": 8})
    Replay.objects.bulk_create(
        Replay(state="running", total=20, filters={"status": "failed", "connector": str(made["connector"])})
        for _ in range(rows)
    )
    connector = Connector.objects.get(pk=made["connector"])
    history.Change.objects.bulk_create(
        history.Change(by=f"Ann {n}", kind="connector", object_id=connector.pk, object_name=connector.name, words="x")
        for n in range(rows)
    )


def pages(made: dict[str, Any]) -> Iterator[str]:
    """The addresses. Those that only take a POST, or that no role opens, are among them: they answer 405 or 403."""
    for route, name in _walk(admin.site.get_urls()):
        if name in NO_PAGES:
            continue
        for address in _filled(route, name, made):
            yield address
            yield from (f"{address}?{choice.format(**made)}" for choice in CHOICES.get(name, ()))


def _walk(patterns: list[URLPattern | URLResolver], before: str = "/") -> Iterator[tuple[str, str]]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from _walk(one.url_patterns, f"{before}{one.pattern}")
        else:
            yield f"{before}{one.pattern}", one.name or ""


def _filled(route: str, name: str, made: dict[str, Any]) -> Iterator[str]:
    """The route with the id of a real row in each place; nothing where there is no such row."""
    if "^" in route:
        return
    if "<slug:service>" in route:
        yield from (route.replace("<slug:service>", vendor.slug) for vendor in registry.sending())
    elif "<slug:step>" in route:
        vendor = registry.get(Connector.objects.get(pk=made["draft"]).vendor)
        route = route.replace("<int:pk>", str(made["draft"]))
        yield from (route.replace("<slug:step>", step.slug) for step in (steps_for(vendor) if vendor else ()))
    elif "<" not in route:
        yield route
    else:
        route = route.replace("<int:key>", "1").replace("<int:trial>", "1").replace("<path:object_id>", "<int:pk>")
        yield from (route.replace("<int:pk>", str(key)) for key in _keys(name, made))


def _keys(name: str, made: dict[str, Any]) -> list[Any]:
    if name == "source_first":
        return [made["source"]]
    app, _, rest = name.partition("_")
    app, rest = ("django_q", rest.partition("_")[2]) if app == "django" else (app, rest)
    app, rest = (f"{app}_{rest.split('_')[0]}", rest.partition("_")[2]) if app == "otp" else (app, rest)
    try:
        model = apps.get_model(app, rest.partition("_")[0])
    except LookupError:  # an address that is about no row
        return []
    if model is Connector:
        return [made[one] for one in ("connector", "paused", "off", "draft", "quiet")]
    if model is RegionEndpoint:
        return [RegionEndpoint.objects.get(slug="pages").pk]
    return list(model._default_manager.order_by("-pk").values_list("pk", flat=True)[:1])
