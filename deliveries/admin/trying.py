"""The test panel: what an event becomes at this connector without sending it, and a real test on a press."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from deliveries import preview, release, trials
from deliveries.admin import badges, event_lines, samples
from deliveries.trials import Trial
from integrations import history, registry, selectors
from integrations.admin.pages import changes, demand
from integrations.forms import ConnectorForm
from integrations.models import Connector
from integrations.tables import config_from, tables
from integrations.types import Cause, ConnectorConfig, Disposition, Vendor, Verdict

OPERATE = "integrations.operate_connector"


class TestPages:
    """The pages of the connector's admin that try things out."""

    __test__ = False  # not a test class, whatever its name says to pytest
    test_pages = (
        ("<int:pk>/preview/", "preview_form", "preview"),
        ("<int:pk>/test/", "test_page", "test"),
        ("<int:pk>/test/send/", "send_test", "send_test"),
        ("<int:pk>/test/<int:trial>/seen/", "test_seen", "test_seen"),
    )

    def preview_context(
        self: Any, request: HttpRequest, connector: Connector, config: ConnectorConfig | None = None
    ) -> dict[str, Any]:
        """The panel beside a form, for what is saved."""
        vendor = registry.get(connector.vendor)
        if vendor is None or not request.user.has_perm(OPERATE):
            return {"panel": None}
        path = self.link("preview", connector.pk) if connector.pk else self.link("preview_new", connector.vendor)
        sample = samples.chosen(request, {}, vendor)
        panel = _panel(config or saved_config(connector), vendor, sample)
        return {"panel": panel, "samples": samples.offered(), "preview_url": path}

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
            form.leave_out_absent()
            form.is_valid()
            form.fill()
            fields = [*form, *(field for table in present.values() for line in table for field in line)]
            touched = set(data.getlist("touched"))
            context["touched"] = [field for field in fields if field.html_name in touched]
        config = config_from(connector, present)
        context["clashes"] = event_lines.annotate(config, present, selectors.snapshot())
        context["lines"] = present.get("rules", ())
        context["conditions"] = present.get("filters", ())
        panel = _panel(config, vendor, samples.chosen(request, request.POST, vendor)) if vendor else None
        return self.show(request, "console/panel_pieces.html", "", panel=panel, vendor=vendor, **context)

    def test_page(self: Any, request: HttpRequest, pk: int) -> HttpResponse:
        demand(request, OPERATE)
        connector = self.row(pk)
        context = {**self.preview_context(request, connector), "connector": connector}
        context |= {"vendor": registry.get(connector.vendor), "trials": list(trials.last(connector))}
        crumbs = [*self.crumbs(), (connector.name, self.link("change", pk))]
        return self.show(request, "console/test.html", "Send a test event", crumbs=crumbs, **context)

    @changes(OPERATE)
    def send_test(self: Any, request: HttpRequest, pk: int) -> HttpResponse:
        """Checks the key, where the service has a way to, and sends the sample; shows each answer in words."""
        connector = self.row(pk)
        vendor = registry.get(connector.vendor)
        if vendor is None:
            return self.test_page(request, pk)
        config = selectors.connector_config(connector)
        panel = _panel(config, vendor, samples.chosen(request, request.POST, vendor))
        result, checks = None, []
        if not panel["errors"]:
            verdict = preview.check_credentials(config)
            result = preview.send_test(config, panel["payload"], vendor, by=request.user)
            checks = _checks(connector.name, vendor, verdict, result)
            Connector.objects.filter(pk=pk).update(tested_at=timezone.now())
            history.record(request.user, connector, f"{badges.TESTED}{result.outcome}")
            trials.keep(connector, panel["payload"], result, by=str(request.user))
        good = result is not None and result.delivered
        context = {
            "connector": connector,
            "vendor": vendor,
            "samples": samples.offered(),
            "preview_url": self.link("preview", pk),
            "panel": panel,
            "tested": result,
            "checks": checks,
            "trials": list(trials.last(connector)),
            "to_replay": badges.need_a_look(connector) if good else 0,
            "to_send": release.held_of(pk).count() if good and connector.status == "paused" else 0,
        }
        connector.refresh_from_db(fields=["tested_at"])
        if badges.is_draft(connector) and request.user.has_perm("integrations.add_connector"):
            return self.test_step(request, connector, vendor, context)
        crumbs = [*self.crumbs(), (connector.name, self.link("change", pk))]
        return self.show(request, "console/test.html", "Send a test event", crumbs=crumbs, **context)

    @changes(OPERATE)
    def test_seen(self: Any, request: HttpRequest, pk: int, trial: int) -> HttpResponse:
        """Whether the test event shows over there: what only a person can tell."""
        connector = self.row(pk)
        row = get_object_or_404(Trial, pk=trial, connector=connector, outcome="delivered")
        vendor, seen = registry.get(connector.vendor), request.POST.get("seen") == "yes"
        Trial.objects.filter(pk=row.pk).update(seen=seen)
        where = vendor.label if vendor else connector.vendor
        history.record(request.user, connector, f"{'Saw' if seen else 'Did not see'} the test event in {where}")
        if badges.is_draft(connector) and request.user.has_perm("integrations.add_connector"):
            return redirect(self.link("setup", pk, "on" if seen else "test"))
        return redirect(self.link("test", pk))


def saved_config(connector: Connector, snapshot: selectors.Snapshot | None = None) -> ConnectorConfig:
    """From the snapshot in memory, which is up to date: reading the four tables once more would be four queries."""
    return (snapshot or selectors.snapshot()).connectors.get(connector.pk) or selectors.connector_config(connector)


def _checks(name: str, vendor: Vendor, verdict: Verdict | None, result: preview.Tested) -> list[tuple[str, str]]:
    """The lines of a test, each "good", "bad" or "" where it was not reached. An address of one's own is called as the
    connector is, and takes no key of a service."""
    reached, service = result.response is not None, vendor.label if vendor.regions else name
    lines = [("good", f"We could reach {service}") if reached else ("bad", f"We could not reach {service}")]
    if verdict is not None:
        state = {Disposition.DELIVERED: "good", Disposition.RETRY: ""}.get(verdict.disposition, "bad")
        lines.append((state, f"{service} accepted the key. {verdict.detail}" if state == "good" else verdict.detail))
    elif reached and (vendor.regions or result.cause == Cause.KEY_REFUSED):
        refused = result.cause == Cause.KEY_REFUSED
        lines.append(("bad", f"{service} refused the key") if refused else ("good", f"{service} took the key"))
    if result.delivered:
        lines.append(("good", f"{service} accepted the event"))
    elif reached:
        lines.append(("bad", f"{service} did not accept the event"))
    else:
        lines.append(("", f"{service} was not asked to accept the event"))
    return lines


def _panel(config: ConnectorConfig, vendor: Vendor, sample: samples.Sample) -> dict[str, Any]:
    """The sample, addressed to whoever asks for that, and what would become of it."""
    payload, notes = sample.addressed(config)
    return {
        "payload": payload,
        "notes": notes,
        "errors": sample.errors,
        "chosen": sample.chosen,
        "pasted": sample.pasted,
        "own": sample.own,
        "reaches": sample.reaches(config, payload),
        "result": preview.preview(config, payload, vendor),
        "missing": vendor.missing(config.settings, config.secrets),
    }
