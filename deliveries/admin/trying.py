"""The test panel: what an event becomes at this connector without sending it, and a real test on a press."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from deliveries import preview, trials
from deliveries.admin import badges, event_lines
from deliveries.models import Event
from integrations import history, registry, selectors
from integrations.admin.pages import changes, demand
from integrations.forms import ConnectorForm
from integrations.models import Connector
from integrations.tables import config_from, tables
from integrations.types import Cause, ConnectorConfig, Disposition, Vendor, Verdict

SAMPLES = 10
OPERATE = "integrations.operate_connector"


class TestPages:
    """The pages of the connector's admin that try things out."""

    __test__ = False  # not a test class, whatever its name says to pytest
    test_pages = (
        ("<int:pk>/preview/", "preview_form", "preview"),
        ("<int:pk>/test/", "test_page", "test"),
        ("<int:pk>/test/send/", "send_test", "send_test"),
    )

    def preview_context(
        self: Any, request: HttpRequest, connector: Connector, config: ConnectorConfig | None = None
    ) -> dict[str, Any]:
        """The panel beside a form, for what is saved."""
        vendor = registry.get(connector.vendor)
        if vendor is None or not request.user.has_perm(OPERATE):
            return {"panel": None}
        panel = _panel(config or saved_config(connector), vendor, _sample({}, connector, vendor))
        path = self.link("preview", connector.pk) if connector.pk else self.link("preview_new", connector.vendor)
        return {"panel": panel, "samples": _samples(), "preview_url": path}

    def preview_form(self: Any, request: HttpRequest, pk: int) -> HttpResponse:
        """The panel for what stands in the form that was posted. Saves nothing, sends nothing."""
        demand(request, OPERATE)
        return self.preview_row(request, self.row(pk))

    def preview_row(self: Any, request: HttpRequest, connector: Connector) -> HttpResponse:
        """The panel, and beside it what belongs elsewhere on the page: the mistakes at their fields, as far as
        somebody has been there, when events were last seen, and names that clash."""
        vendor, data = registry.get(connector.vendor), request.POST if request.method == "POST" else None
        form = ConnectorForm(data, instance=connector)
        lists = tables(connector, data) if connector.pk else {}
        present = {name: table for name, table in lists.items() if data is not None and f"{name}-TOTAL_FORMS" in data}
        context: dict[str, Any] = {"connector": connector}
        if data is not None:
            form.is_valid()
            form.fill()
            fields = [*form, *(field for table in present.values() for line in table for field in line)]
            touched = set(data.getlist("touched"))
            context["touched"] = [field for field in fields if field.html_name in touched]
        config = config_from(connector, present)
        context["clashes"] = event_lines.annotate(config, present, selectors.snapshot())
        context["lines"] = present.get("rules", ())
        panel = _panel(config, vendor, _sample(request.POST, connector, vendor)) if vendor else None
        return self.show(request, "console/panel_pieces.html", "", panel=panel, **context)

    def test_page(self: Any, request: HttpRequest, pk: int) -> HttpResponse:
        demand(request, OPERATE)
        connector = self.row(pk)
        context = {**self.preview_context(request, connector), "connector": connector}
        context |= {"vendor": registry.get(connector.vendor), "trials": trials.last(connector)}
        crumbs = [*self.crumbs(), (connector.name, self.link("change", pk))]
        return self.show(request, "console/test.html", "Send a test event", crumbs=crumbs, **context)

    @changes(OPERATE)
    def send_test(self: Any, request: HttpRequest, pk: int) -> HttpResponse:
        """Checks the key, where the service has a way to, and sends the sample; shows each answer in words."""
        connector = self.row(pk)
        vendor = registry.get(connector.vendor)
        if vendor is None:
            return self.test_page(request, pk)
        sample, config = _sample(request.POST, connector, vendor), selectors.connector_config(connector)
        if sample["error"]:
            result, checks = None, []
        else:
            verdict = preview.check_credentials(config)
            result = preview.send_test(config, sample["payload"], vendor, by=request.user)
            checks = _checks(vendor, verdict, result)
            Connector.objects.filter(pk=pk).update(tested_at=timezone.now())
            history.record(request.user, connector, f"{badges.TESTED}{result.outcome}")
            trials.keep(connector, sample["payload"], result, by=str(request.user))
        context = {
            "connector": connector,
            "vendor": vendor,
            "samples": _samples(),
            "panel": _panel(config, vendor, sample),
            "tested": result,
            "checks": checks,
            "trials": trials.last(connector),
            "to_replay": badges.need_a_look(connector) if result and result.delivered else 0,
        }
        connector.refresh_from_db(fields=["tested_at"])
        if badges.is_draft(connector) and request.user.has_perm("integrations.add_connector"):
            return self.test_step(request, connector, vendor, context)
        crumbs = [*self.crumbs(), (connector.name, self.link("change", pk))]
        return self.show(request, "console/test.html", "Send a test event", crumbs=crumbs, **context)


def saved_config(connector: Connector, snapshot: selectors.Snapshot | None = None) -> ConnectorConfig:
    """From the snapshot in memory, which is up to date: reading the four tables once more would be four queries."""
    return (snapshot or selectors.snapshot()).connectors.get(connector.pk) or selectors.connector_config(connector)


def _checks(vendor: Vendor, verdict: Verdict | None, result: preview.Tested) -> list[tuple[str, str]]:
    """The three lines of a test, each "good", "bad" or "" where it was not reached."""
    reached, service = result.response is not None, vendor.label
    lines = [("good", f"We could reach {service}") if reached else ("bad", f"We could not reach {service}")]
    if verdict is not None:
        state = {Disposition.DELIVERED: "good", Disposition.RETRY: ""}.get(verdict.disposition, "bad")
        lines.append((state, f"{service} accepted the key. {verdict.detail}" if state == "good" else verdict.detail))
    elif reached:
        refused = result.cause == Cause.KEY_REFUSED
        lines.append(("bad", f"{service} refused the key") if refused else ("good", f"{service} took the key"))
    if result.delivered:
        lines.append(("good", f"{service} accepted the event"))
    elif reached:
        lines.append(("bad", f"{service} did not accept the event"))
    else:
        lines.append(("", f"{service} was not asked to accept the event"))
    return lines


def _samples() -> list[tuple[str, str]]:
    events = (
        Event.objects.filter(refused="", erased_at=None)
        .order_by("-id")
        .only("id", "name", "type", "received_at")[:SAMPLES]
    )
    return [(str(event.pk), f"{event.name or event.type} · {event.received_at:%d %b %H:%M:%S}") for event in events]


def _sample(params: Any, connector: Connector, vendor: Vendor) -> dict[str, Any]:
    """The event to try: a real one, what was pasted, or the vendor's example."""
    chosen, error = params.get("sample", ""), ""
    if chosen == "paste":
        try:
            pasted = orjson.loads(params.get("pasted", ""))
            if isinstance(pasted, dict):
                return {"payload": pasted, "chosen": chosen, "pasted": params.get("pasted", ""), "error": ""}
            error = "An event is a JSON object, in curly brackets."
        except ValueError as wrong:
            error = f"This is not JSON: {wrong}."
    elif chosen.isascii() and chosen.isdigit():
        event = Event.objects.filter(pk=int(chosen[:18]), erased_at=None).first()
        if event is not None:
            return {"payload": event.payload, "chosen": chosen, "pasted": "", "error": ""}
    return {"payload": dict(vendor.test_event), "chosen": chosen, "pasted": params.get("pasted", ""), "error": error}


def _panel(config: ConnectorConfig, vendor: Vendor, sample: dict[str, Any]) -> dict[str, Any]:
    return {**sample, "result": preview.preview(config, sample["payload"], vendor)}
