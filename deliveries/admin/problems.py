"""Problems: what is wrong, since when, how often; seen, closed, and sent again once it is solved."""

from __future__ import annotations

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from deliveries import explained, problems
from deliveries.admin import listing
from deliveries.alarm import AlertRule, AlertTarget, Problem
from deliveries.alerts import send_test
from deliveries.core import problem_words
from integrations import history
from integrations.admin.pages import PageAdmin, changes
from integrations.models import Connector

OPERATE = "integrations.operate_connector"
CONFIGURE = "integrations.change_connector"
LIVE = ("open", "seen")


@admin.register(Problem)
class ProblemAdmin(PageAdmin):
    pages = (
        ("", "list_page", "changelist"),
        ("<int:pk>/", "page", "change"),
        ("<int:pk>/seen/", "mark_seen", "seen"),
        ("<int:pk>/close/", "close", "close"),
    )

    def list_page(self, request: HttpRequest) -> HttpResponse:
        rows = Problem.objects.select_related("connector")
        ended = request.GET.get("view") == "ended"
        rows = rows.exclude(state__in=LIVE) if ended else rows.filter(state__in=LIVE)
        try:
            page = listing.page(rows, request.GET)
        except ValueError:
            page = listing.page(rows, {})
        return self.show(request, "console/problems.html", "Problems", page=page, ended=ended)

    def page(self, request: HttpRequest, pk: int) -> HttpResponse:
        problem = get_object_or_404(Problem.objects.select_related("connector", "sample__event"), pk=pk)
        said = problem_words.OF_KIND.get(problem.kind)
        if problem.sample is not None and problem.connector is not None:
            problem.sample.connector = problem.connector
            said = explained.sentences(problem.sample, list(problem.sample.log.all()), timezone.now())
        crumbs = [("Problems", self.link("changelist"))]
        return self.show(request, "console/problem.html", problem.title, problem=problem, said=said, crumbs=crumbs)

    @changes(OPERATE)
    def mark_seen(self, request: HttpRequest, pk: int) -> HttpResponse:
        problem = get_object_or_404(Problem, pk=pk, state__in=LIVE)
        problem.state, problem.seen_by = Problem.State.SEEN, str(request.user)
        problem.note = request.POST.get("note", "").strip()[:300]
        problem.save(update_fields=["state", "seen_by", "note"])
        messages.success(request, "Marked as seen: no more reminders about it.")
        return redirect(self.link("change", pk))

    @changes(OPERATE)
    def close(self, request: HttpRequest, pk: int) -> HttpResponse:
        problem = get_object_or_404(Problem, pk=pk, state__in=LIVE)
        problem.state, problem.seen_by, problem.ended_at = Problem.State.CLOSED, str(request.user), timezone.now()
        problem.save(update_fields=["state", "seen_by", "ended_at"])
        messages.success(request, "Closed. If it happens again, a new problem opens.")
        return redirect(self.link("changelist"))


@admin.register(AlertRule)
class AlertAdmin(PageAdmin):
    """One page: what is worth an alert, and who is told."""

    pages = (
        ("", "list_page", "changelist"),
        ("rules/", "save_rules", "rules"),
        ("rules/own/", "add_own_rule", "add_own_rule"),
        ("rules/own/<int:pk>/remove/", "remove_own_rule", "remove_own_rule"),
        ("targets/add/", "add_target", "add_target"),
        ("targets/<int:pk>/test/", "test_target", "test_target"),
        ("targets/<int:pk>/switch/", "switch_target", "switch_target"),
        ("targets/<int:pk>/remove/", "remove_target", "remove_target"),
    )

    def list_page(self, request: HttpRequest) -> HttpResponse:
        found = problems.rules()
        rules = [(found[kind.value], unit) for kind, (_, _, unit) in problems.DEFAULTS.items()]
        own = AlertRule.objects.exclude(connector=None).select_related("connector").order_by("connector__name", "kind")
        units = {kind.value: unit for kind, (_, _, unit) in problems.DEFAULTS.items()}
        context = {
            "rules": rules,
            "own": [(rule, units[rule.kind]) for rule in own],
            "what": [(kind.value, kind.label) for kind in problems.DEFAULTS if kind != AlertRule.Kind.SILENT],
            "connectors": Connector.objects.filter(archived_at=None).values_list("id", "name"),
            "targets": AlertTarget.objects.all(),
            "kinds": AlertTarget.Kind.choices,
        }
        return self.show(request, "console/alerts.html", "Alerts", **context)

    @changes(CONFIGURE)
    def save_rules(self, request: HttpRequest) -> HttpResponse:
        details = []
        for rule in problems.rules().values():
            limit = request.POST.get(f"limit_{rule.kind}", "")
            if not _is_limit(limit):
                messages.error(request, f"“{rule}” needs a whole number from 1 to 10000. Nothing was saved.")
                return redirect(self.link("changelist"))
            new = (int(limit), f"on_{rule.kind}" in request.POST)
            if new != (rule.limit, rule.enabled):
                details.append((str(rule), _state(rule.limit, rule.enabled), _state(*new)))
                values = {"limit": new[0], "enabled": new[1]}
                AlertRule.objects.update_or_create(kind=rule.kind, connector=None, defaults=values)
        if details:
            history.record(request.user, AlertRule(), "Changed what is worth an alert", details)
        messages.success(request, "Saved." if details else "Nothing was changed.")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def add_own_rule(self, request: HttpRequest) -> HttpResponse:
        """A limit for one connector alone; given again, the new one takes the old one's place."""
        kind, limit, connector = (request.POST.get(name, "") for name in ("kind", "limit", "connector"))
        known = kind in AlertRule.Kind.values and kind != AlertRule.Kind.SILENT
        if not known or not listing.is_id(connector) or not _is_limit(limit):
            messages.error(request, "Choose what, a connector and a whole number from 1 to 10000. Nothing was saved.")
            return redirect(self.link("changelist"))
        row = get_object_or_404(Connector, pk=int(connector), archived_at=None)
        old = AlertRule.objects.filter(kind=kind, connector=row).first()
        new = {"limit": int(limit), "enabled": "on" in request.POST}
        rule, _ = AlertRule.objects.update_or_create(kind=kind, connector=row, defaults=new)
        before = _state(old.limit, old.enabled) if old else "as for all"
        history.record(
            request.user, row, "Changed its own alert rule", [(str(rule), before, _state(rule.limit, rule.enabled))]
        )
        messages.success(request, f"Saved: for {row.name} its own limit counts now.")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def remove_own_rule(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = get_object_or_404(AlertRule.objects.select_related("connector").exclude(connector=None), pk=pk)
        words = [(str(rule), _state(rule.limit, rule.enabled), "as for all")]
        history.record(request.user, rule.connector or rule, "Removed its own alert rule", words)
        rule.delete()
        messages.success(request, "Removed: the limit for all connectors counts again.")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def add_target(self, request: HttpRequest) -> HttpResponse:
        kind, address = request.POST.get("kind", ""), request.POST.get("address", "").strip()
        name = request.POST.get("name", "").strip()[:100] or (address if kind == "email" else kind.capitalize())
        if kind not in AlertTarget.Kind.values or not _fits(kind, address):
            messages.error(request, "An e-mail address, or a web address that begins with https://, is needed.")
            return redirect(self.link("changelist"))
        secret = request.POST.get("secret", "").strip()
        if secret and not secret.startswith("whsec_"):
            messages.error(request, "A signing secret begins with whsec_. Nothing was saved.")
            return redirect(self.link("changelist"))
        target = AlertTarget.objects.create(kind=kind, name=name, address=address, secret=secret)
        history.record(request.user, target, f"Added the alert target {target}")
        messages.success(request, f"{target} is told from now on. Send a test alert to be sure.")
        return redirect(self.link("changelist"))

    @changes(OPERATE)
    def test_target(self, request: HttpRequest, pk: int) -> HttpResponse:
        target = get_object_or_404(AlertTarget, pk=pk)
        if error := send_test(target):
            messages.error(request, f"The test alert did not get there: {error}")
        else:
            messages.success(request, "The test alert is sent.")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def switch_target(self, request: HttpRequest, pk: int) -> HttpResponse:
        target = get_object_or_404(AlertTarget, pk=pk)
        target.enabled = not target.enabled
        target.save(update_fields=["enabled"])
        history.record(request.user, target, f"Switched the alert target {'on' if target.enabled else 'off'}")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def remove_target(self, request: HttpRequest, pk: int) -> HttpResponse:
        target = get_object_or_404(AlertTarget, pk=pk)
        history.record(request.user, target, f"Removed the alert target {target}")
        target.delete()
        messages.success(request, "Removed.")
        return redirect(self.link("changelist"))


def _is_limit(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= 10_000


def _state(limit: int, enabled: bool) -> str:
    return f"{limit}, {'on' if enabled else 'off'}"


def _fits(kind: str, address: str) -> bool:
    if kind == AlertTarget.Kind.EMAIL:
        return "@" in address and " " not in address and len(address) <= 254
    return address.startswith("https://") and len(address) <= 500
