"""The catalog of services and the steps to a new connector.

The connector is a row from the second step on, off and listening to no source, so that going back or closing the tab
loses nothing. The last step chooses the sources and turns it on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from deliveries import hold, trials
from deliveries.admin import badges, event_lines
from deliveries.admin.trying import saved_config
from deliveries.models import Event
from integrations import history, registry, replaced, selectors
from integrations.admin.pages import changes, demand
from integrations.forms import ConnectorForm
from integrations.models import ChannelMapping, Connector, EventRule, PreferenceMapping, Source
from integrations.numbers import thousands
from integrations.tables import tables
from integrations.types import EventKind, Vendor

ADD = "integrations.add_connector"
REACHED = "setup_reached"
WEBHOOK = "webhook"  # has a card of its own, which is there whatever is searched for


@dataclass(frozen=True)
class Step:
    slug: str
    label: str
    groups: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


TEST = Step("test", "Test")


def steps_for(vendor: Vendor) -> list[Step]:
    """The steps that this service has something to ask in. A region is a choice, beside the keys that belong to it."""
    steps = [
        Step("keys", "Keys and region" if len(vendor.regions) > 1 else "Keys", ("name", "vendor", "region")),
        Step("events", "Events", ("events",), ("rules", "filters")),
    ]
    if vendor.channels or vendor.preferences:
        steps.append(Step("mapping", "Mapping", ("mapping",), ("channels", "preferences")))
    return [*steps, TEST, Step("on", "Turn on", ("sources",))]


def _reached(request: HttpRequest, row: Connector) -> int:
    """How far somebody got with this draft, kept with their login: going back takes no tick away."""
    return int(request.session.get(REACHED, {}).get(str(row.pk), 0))


def _passed(request: HttpRequest, row: Connector, step: int) -> None:
    reached = max(step + 1, _reached(request, row))
    request.session[REACHED] = {**request.session.get(REACHED, {}), str(row.pk): reached}


def _forget(request: HttpRequest, pk: int) -> None:
    kept = request.session.get(REACHED, {})
    if str(pk) in kept:
        request.session[REACHED] = {key: value for key, value in kept.items() if key != str(pk)}


def _is_done(step: Step, row: Connector, vendor: Vendor, passed: bool, refused: bool) -> bool:
    """A step that was passed, and has what it asks for: a copy has no keys yet, and the test may be left out, or have
    been refused."""
    if step is TEST:
        return row.tested_at is not None and not refused
    if step.slug == "keys":
        return passed and not vendor.missing(row.settings, row.secrets)
    return passed


class CatalogPages:
    """The pages of the connector's admin that lead to a new one."""

    catalog_pages = (
        ("new/", "catalog", "add"),
        ("new/<slug:service>/", "first_step", "new"),
        ("new/<slug:service>/preview/", "preview_new", "preview_new"),
        ("<int:pk>/setup/<slug:step>/", "step", "setup"),
        ("<int:pk>/discard/", "discard", "discard"),
    )

    def catalog(self: Any, request: HttpRequest) -> HttpResponse:
        demand(request, ADD)
        rows = list(Connector.objects.filter(archived_at=None))
        drafts = _with_lines([row for row in rows if badges.is_draft(row)])
        connected = Counter(row.vendor for row in rows if not badges.is_draft(row))
        sourced = dict(Source.objects.order_by().values_list("vendor").annotate(count=Count("id")))
        search = request.GET.get("q", "").strip().lower()
        found = [
            vendor for vendor in registry.vendors().values() if search in f"{vendor.label} {vendor.summary}".lower()
        ]
        return self.show(
            request,
            "console/catalog.html",
            "Add a connector",
            crumbs=self.crumbs(),
            sending=[(vendor, connected[vendor.slug]) for vendor in found if vendor.sends and vendor.slug != WEBHOOK],
            webhooks=connected[WEBHOOK],
            receiving=[(vendor, sourced.get(vendor.slug, 0)) for vendor in found if vendor.receives],
            drafts=drafts,
            search=search,
        )

    def first_step(self: Any, request: HttpRequest, service: str) -> HttpResponse:
        demand(request, ADD)
        row, vendor = _unsaved(service)
        step = steps_for(vendor)[0]
        form = ConnectorForm(request.POST or None, instance=row, only=step.groups)
        if request.method == "POST" and form.is_valid():
            with transaction.atomic():
                connector = form.save()
                _default_mappings(connector, vendor)
                history.record(request.user, connector, "Started to set it up")
            _passed(request, connector, 0)
            return redirect(self.link("setup", connector.pk, _after(vendor, "keys")))
        if not form.is_bound:
            form.initial["name"] = _free_name(vendor)
        return self._show_step(request, _unsaved(service)[0], vendor, step, form, {})

    def preview_new(self: Any, request: HttpRequest, service: str) -> HttpResponse:
        """*Try it* and the mistakes at their fields before there is a row."""
        demand(request, ADD)
        return self.preview_row(request, _unsaved(service)[0])

    def step(self: Any, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        demand(request, ADD)
        connector = self.row(pk)
        vendor = registry.get(connector.vendor)
        current = next((one for one in steps_for(vendor) if one.slug == step), None) if vendor else None
        if vendor is None or current is None:
            raise Http404("There is no such step.")
        if current.slug == "on" and request.method == "POST":
            return self._turn_on(request, connector)
        data = request.POST or None
        form = ConnectorForm(data, instance=connector, only=current.groups)
        lists = tables(connector, data, only=current.tables)
        valid = [form.is_valid(), *(table.is_valid() for table in lists.values())]  # all, so that all mistakes show
        if current.slug == "on" and not form.initial["sources"]:
            form.initial["sources"] = _only_source()
        if request.method == "POST" and all(valid):
            with transaction.atomic():
                form.save()
                for table in lists.values():
                    table.save()
            _passed(request, connector, steps_for(vendor).index(current))
            return redirect(self.link("setup", pk, _after(vendor, step)))
        return self._show_step(request, connector, vendor, current, form, lists)

    def test_step(self: Any, request: HttpRequest, row: Connector, vendor: Vendor, tested: Any) -> HttpResponse:
        """The step *Test* with what a test that was just sent has shown."""
        return self._show_step(request, row, vendor, TEST, None, {}, tested)

    def _show_step(
        self: Any,
        request: HttpRequest,
        row: Connector,
        vendor: Vendor,
        step: Step,
        form: Any,
        lists: Any,
        tested: dict[str, Any] | None = None,
    ) -> HttpResponse:
        steps = steps_for(vendor)
        at = steps.index(step)
        reached = max(at, _reached(request, row))
        refused = row.tested_at is not None and trials.refused(row)
        snapshot = selectors.snapshot()
        config = saved_config(row, snapshot)
        context: dict[str, Any] = {
            "connector": row if row.pk else None,
            "vendor": vendor,
            "step": step,
            "steps": [
                (one, number != at and _is_done(one, row, vendor, number < reached, refused), number == at)
                for number, one in enumerate(steps)
            ],
            "back": steps[at - 1].slug if at else "",
            "refused": refused,
            "form": form,
            "tables": lists,
            "names": event_lines.recent().names(),
            "clashes": event_lines.annotate(config, lists, snapshot),
            "fields": self.seen_fields(request, row, lists),
            "crumbs": [*self.crumbs(), ("Add a connector", self.link("add"))],
            **self.preview_context(request, row, config),
        }
        if form is not None and row.pk:
            replaced.note(form, list(history.of(row)), row.secrets_changed_at)
        context |= _summary(row, vendor) if step.slug == "on" else {}
        context |= {"trials": list(trials.last(row)), **(tested or {})} if step.slug == "test" else {}
        title = f"{vendor.label}: {step.label}"
        return self.show(request, "console/wizard.html", title, **context)

    def _turn_on(self: Any, request: HttpRequest, connector: Connector) -> HttpResponse:
        form = ConnectorForm(request.POST, instance=connector, only=("sources",))
        if not form.is_valid():
            return redirect(self.link("setup", connector.pk, "on"))
        with transaction.atomic():
            form.save()
            hold.switch_on(connector, by=str(request.user))
            history.record(request.user, connector, "Set up and turned on")
        _forget(request, connector.pk)
        return self.after_turning_on(request, connector, _turned_on(connector))

    @changes("integrations.add_connector")
    def discard(self: Any, request: HttpRequest, pk: int) -> HttpResponse:
        """Throw a draft away: only one that never sent anything, so there is no log to keep."""
        connector = self.row(pk)
        if badges.is_draft(connector) and not connector.sources.exists():
            history.record(request.user, connector, "Threw the draft away")
            _forget(request, pk)
            connector.delete()
            messages.success(request, "The draft is gone.")
        return redirect(self.link("changelist"))


def _with_lines(drafts: list[Connector]) -> list[Connector]:
    """Each with ``lines``: how many lines its tables have, which are lost with it."""
    tables = ("rules", "channels", "preferences", "filters")
    total = sum((Count(table, distinct=True) for table in tables[1:]), Count(tables[0], distinct=True))
    counted = dict(Connector.objects.filter(pk__in=[row.pk for row in drafts]).values_list("pk", total))
    for row in drafts:
        row.lines = counted[row.pk]  # type: ignore[attr-defined]  # for the page only
    return drafts


def _turned_on(connector: Connector) -> str:
    if connector.sources.exists():
        return f"{connector.name} is on. Every event from now on goes there."
    return f"{connector.name} is on, but gets the events of no source yet: tick one below, and save."


def _unsaved(service: str) -> tuple[Connector, Vendor]:
    """What the first step begins with. Raises Http404 where nothing can be sent to such a service."""
    vendor = registry.get(service)
    if vendor is None or not vendor.sends:
        raise Http404("There is no such service.")
    return Connector(vendor=service, status=Connector.Status.OFF), vendor


def _after(vendor: Vendor, slug: str) -> str:
    slugs = [step.slug for step in steps_for(vendor)]
    return slugs[min(slugs.index(slug) + 1, len(slugs) - 1)]


def _free_name(vendor: Vendor) -> str:
    taken = set(Connector.objects.filter(name__startswith=vendor.label).values_list("name", flat=True))
    wanted = f"{vendor.label} – production"
    return next(name for name in [wanted, *(f"{wanted} {n}" for n in range(2, 1000))] if name not in taken)


def _only_source() -> list[int]:
    """Ticked already where there is but one: hardly anybody means to connect nothing. Made-up people are left out."""
    found = list(Source.objects.values_list("pk", "settings")[:2])
    return [pk for pk, settings in found if len(found) == 1 and not settings.get("practice")]


def _default_mappings(connector: Connector, vendor: Vendor) -> None:
    """The events that come in, each to rename or switch off, and the channels that the service's users usually have, on
    the fields that they usually stand in."""
    for name in event_lines.usual():
        EventRule.objects.create(connector=connector, kind=EventKind.TRACK, name=name)
    for slug, _, field in vendor.channels:
        if slug in vendor.default_channels:
            ChannelMapping.objects.create(connector=connector, channel=slug, field=field)
    for slug, _, field in vendor.preferences:
        PreferenceMapping.objects.create(connector=connector, preference=slug, field=field)


def _summary(row: Connector, vendor: Vendor) -> dict[str, Any]:
    """What will happen, in sentences."""
    rules = list(row.rules.all())
    renamed = [rule for rule in rules if rule.send and (rule.send_as or row.prefix) and rule.name]
    off = [rule for rule in rules if not rule.send]
    recent = Event.objects.filter(received_at__gte=timezone.now() - timedelta(hours=24), refused="")[:1001].count()
    return {
        "renamed": [(rule.name, f"{row.prefix}{rule.send_as or rule.name}") for rule in renamed],
        "off": off,
        "missing": vendor.missing(row.settings, row.secrets),
        "region": row.region.label if row.region else "",
        "recent": recent if recent <= 1000 else f"more than {thousands(1000)}",
        "has_sources": Source.objects.exists(),
        "unseen": trials.last(row).values_list("seen", flat=True).first() is False,
    }
