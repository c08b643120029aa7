"""Alerts: what is worth one, who is told of what, and the secrets that a webhook's alerts are signed with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone

from deliveries import problems, recipients
from deliveries.admin import listing
from deliveries.alarm import AlertRule, AlertTarget
from deliveries.alerts import send_test
from integrations import history, installation
from integrations.admin.pages import PageAdmin, changes
from integrations.models import Connector
from integrations.secrets import decrypt, encrypt

OPERATE = "integrations.operate_connector"
CONFIGURE = "integrations.change_connector"
NEW_SECRET = "new_alert_secret"  # noqa: S105  # the name of a session entry: a made secret is shown once
Kind = AlertTarget.Kind


@admin.register(AlertRule)
class AlertAdmin(PageAdmin):
    """One page: what is worth an alert, and who is told."""

    pages = (
        ("", "list_page", "changelist"),
        ("rules/", "save_rules", "rules"),
        ("rules/<slug:kind>/test/", "test_rule", "test_rule"),
        ("rules/own/", "add_own_rule", "add_own_rule"),
        ("rules/own/<int:pk>/remove/", "remove_own_rule", "remove_own_rule"),
        ("targets/add/", "add_target", "add_target"),
        ("targets/<int:pk>/test/", "test_target", "test_target"),
        ("targets/<int:pk>/secret/", "roll_secret", "roll_secret"),
        ("targets/<int:pk>/old-secret/end/", "end_old_secret", "end_old_secret"),
        ("targets/<int:pk>/switch/", "switch_target", "switch_target"),
        ("targets/<int:pk>/remove/", "remove_target", "remove_target"),
    )

    def list_page(self, request: HttpRequest, typed: Mapping[str, str] | None = None) -> HttpResponse:
        """``typed``: what stood in the form of an address that was not saved."""
        found = problems.rules()
        prefetch_related_objects([rule for rule in found.values() if rule.pk], "targets__person")
        own = AlertRule.objects.exclude(connector=None).select_related("connector").order_by("connector__name", "kind")
        own = own.prefetch_related("targets__person")
        units = {kind.value: unit for kind, (_, _, unit) in problems.DEFAULTS.items()}
        targets = list(AlertTarget.objects.select_related("person"))
        shown = request.session.pop(NEW_SECRET, None)
        named = {kind: _named(found[kind]) for kind in units}
        everybody = "everybody" if any(target.enabled for target in targets) else "nobody yet"
        context = {
            "rules": [
                (found[kind], unit, _names(named[kind]) or everybody, named[kind]) for kind, unit in units.items()
            ],
            "own": [(rule, units[rule.kind], _told(rule), found[rule.kind]) for rule in own],
            "named": Counter(target.pk for rule in (*found.values(), *own) for target in _named(rule)),
            "what": [(kind.value, kind.label) for kind in problems.DEFAULTS if kind != AlertRule.Kind.SILENT],
            "connectors": Connector.objects.filter(archived_at=None).values_list("id", "name"),
            "targets": targets,
            "people": _people(targets),
            "kinds": [choice for choice in Kind.choices if choice[0] != Kind.PERSON],
            "typed": typed,
            "now": timezone.now(),
            "new_secret": decrypt(shown) if shown else "",
        }
        return self.show(request, "console/alerts.html", "Alerts", **context)

    @changes(CONFIGURE)
    def save_rules(self, request: HttpRequest) -> HttpResponse:
        rules = problems.rules()
        for rule in rules.values():
            if not _is_limit(request.POST.get(f"limit_{rule.kind}", "")):
                messages.error(request, f"“{rule}” needs a whole number from 1 to 10000. Nothing was saved.")
                return redirect(self.link("changelist"))
        with transaction.atomic():
            details = [line for rule in rules.values() for line in _save_rule(request, rule)]
            if details:
                history.record(request.user, AlertRule(), "Changed what is worth an alert", details)
        messages.success(request, "Saved." if details else "Nothing was changed.")
        return redirect(self.link("changelist"))

    @changes(OPERATE)
    def test_rule(self, request: HttpRequest, kind: str) -> HttpResponse:
        """A test alert to whom this rule names, as it is saved; with a connector, its own rule where it has one."""
        if kind not in AlertRule.Kind.values:
            raise Http404("There is no such rule.")
        key = request.POST.get("connector", "")
        row = get_object_or_404(Connector, pk=int(key), archived_at=None) if listing.is_id(key) else None
        told = recipients.of(kind, row.pk if row else None)
        failed = [f"{target} ({error.removesuffix('.')})" for target in told if (error := send_test(target))]
        if failed:
            messages.error(request, f"The test alert did not get to {', '.join(failed)}.")
        elif told:
            messages.success(request, f"The test alert is sent to {_names(told)}.")
        else:
            messages.error(request, "Nobody is told yet. Add somebody under “Who is told” on the page Alerts.")
        return self._back(request, row)

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
        before = _state(old.limit, old.enabled) if old else "as for all"
        told = _told(old) if old else "as for all"
        new = {"limit": int(limit), "enabled": "on" in request.POST}
        with transaction.atomic():
            rule, _ = AlertRule.objects.update_or_create(kind=kind, connector=row, defaults=new)
            chosen = _named(rule) if _at_connector(request) else _chosen(request, "to")
            rule.targets.set(chosen)
            details = [(str(rule), before, _state(rule.limit, rule.enabled))]
            if (now_told := _names(chosen) or "as for all") != told:
                details.append((f"{rule}: to whom", told, now_told))
            history.record(request.user, row, "Changed its own alert rule", details)
        messages.success(request, f"Saved: for {row.name} its own limit counts now.")
        return self._back(request, row)

    @changes(CONFIGURE)
    def remove_own_rule(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = get_object_or_404(AlertRule.objects.select_related("connector").exclude(connector=None), pk=pk)
        words = [(str(rule), _state(rule.limit, rule.enabled), "as for all")]
        history.record(request.user, rule.connector or rule, "Removed its own alert rule", words)
        rule.delete()
        messages.success(request, "Removed: the limit for all connectors counts again.")
        return self._back(request, rule.connector)

    def _back(self, request: HttpRequest, row: Connector | None) -> HttpResponse:
        """To the connector's page, for who pressed a button there."""
        if row is not None and _at_connector(request):
            return redirect(f"{reverse('admin:integrations_connector_change', args=[row.pk])}#alerts")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def add_target(self, request: HttpRequest) -> HttpResponse:
        kind = request.POST.get("kind", "")
        values, mistake = _person(request) if kind == Kind.PERSON else _address(request, kind)
        if mistake:
            messages.error(request, f"{mistake} Nothing was saved.")
            return self.list_page(request, request.POST)
        target = AlertTarget.objects.create(kind=kind, **values)
        history.record(request.user, target, f"Added the alert target {target}")
        installation.remember(request)
        messages.success(request, f"{target} is told from now on. Send a test alert to be sure.")
        return redirect(self.link("changelist"))

    @changes(OPERATE)
    def test_target(self, request: HttpRequest, pk: int) -> HttpResponse:
        target = _target(pk)
        if error := send_test(target):
            messages.error(request, f"The test alert did not get there: {error}")
        else:
            messages.success(request, "The test alert is sent.")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def roll_secret(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A new signing secret, the one that was typed in or one of ours; the old one signs for another 24 hours."""
        target = _target(pk, kind=Kind.WEBHOOK)
        typed = request.POST.get("secret", "").strip()
        if typed and not recipients.is_secret(typed):
            messages.error(request, f"{SECRET_RULE} Nothing was saved.")
            return redirect(self.link("changelist"))
        secret = typed or recipients.new_secret()
        overlaps = recipients.roll_secret(target, secret, timezone.now())
        if not typed:  # Sessions are rows too: no secret stands in the database as it is.
            request.session[NEW_SECRET] = encrypt(secret)
        history.record(request.user, target, f"Replaced the signing secret of {target}")
        both = " For 24 hours each alert is signed with the old one too." if overlaps else ""
        messages.success(request, f"Alerts to {target.name} are signed with the new secret from now on.{both}")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def end_old_secret(self, request: HttpRequest, pk: int) -> HttpResponse:
        target = _target(pk)
        if recipients.end_overlap(target):
            history.record(request.user, target, f"Ended the old signing secret of {target} before its time")
            messages.success(request, "Ended. Alerts are signed with the new secret alone from now on.")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def switch_target(self, request: HttpRequest, pk: int) -> HttpResponse:
        target = _target(pk)
        target.enabled = not target.enabled
        target.save(update_fields=["enabled"])
        history.record(request.user, target, f"Switched the alert target {'on' if target.enabled else 'off'}")
        return redirect(self.link("changelist"))

    @changes(CONFIGURE)
    def remove_target(self, request: HttpRequest, pk: int) -> HttpResponse:
        target = _target(pk)
        history.record(request.user, target, f"Removed the alert target {target}")
        target.delete()
        messages.success(request, "Removed.")
        return redirect(self.link("changelist"))


def _at_connector(request: HttpRequest) -> bool:
    """Whether it was the connector's own page, which asks for the limit only: whom to tell stays as it was."""
    return request.POST.get("back") == "connector"


SECRET_RULE = "A signing secret begins with whsec_ and goes on with at least 16 letters and digits (base64)."  # noqa: S105 - words


def _save_rule(request: HttpRequest, rule: AlertRule) -> list[tuple[str, str, str]]:
    """Returns before and after of what was changed. A rule that nobody touched gets no row."""
    new = (int(request.POST[f"limit_{rule.kind}"]), f"on_{rule.kind}" in request.POST)
    chosen = _chosen(request, f"to_{rule.kind}")
    before, after = _told(rule), _names(chosen) or "everybody"
    details = []
    if new != (rule.limit, rule.enabled):
        details.append((str(rule), _state(rule.limit, rule.enabled), _state(*new)))
    if before != after:
        details.append((f"{rule}: to whom", before, after))
    if details:
        values = {"limit": new[0], "enabled": new[1]}
        row, _ = AlertRule.objects.update_or_create(kind=rule.kind, connector=None, defaults=values)
        row.targets.set(chosen)
    return details


def _chosen(request: HttpRequest, name: str) -> list[AlertTarget]:
    keys = [int(key) for key in request.POST.getlist(name) if listing.is_id(key)]
    return list(AlertTarget.objects.filter(pk__in=keys).select_related("person")) if keys else []


def _told(rule: AlertRule) -> str:
    """To whom the rule's alerts go, in words."""
    return _names(_named(rule)) or ("as for all" if rule.connector_id else "everybody")


def _named(rule: AlertRule) -> list[AlertTarget]:
    return list(rule.targets.all()) if rule.pk else []  # a rule that nobody has touched yet has no row


def _names(targets: Iterable[AlertTarget]) -> str:
    return ", ".join(str(target.person or target.name) for target in targets)


def _target(pk: int, **more: Any) -> AlertTarget:
    return get_object_or_404(AlertTarget.objects.select_related("person"), pk=pk, **more)


def _people(targets: Iterable[AlertTarget]) -> list[tuple[int, str]]:
    """Who signs in here and is not told yet."""
    known = [target.person_id for target in targets if target.person_id]
    people = get_user_model()._default_manager.filter(is_active=True).exclude(pk__in=known)
    return [(person.pk, str(person)) for person in people.order_by("name", "email")]


def _person(request: HttpRequest) -> tuple[dict[str, Any], str]:
    """What is stored for somebody who signs in here, or what is wrong with the choice."""
    key = request.POST.get("person", "")
    people = get_user_model()._default_manager.filter(is_active=True)
    person = people.filter(pk=int(key)).first() if listing.is_id(key) else None
    if person is None:
        return {}, "Choose a person who signs in here."
    if AlertTarget.objects.filter(person=person).exists():
        return {}, f"{person} is told already."
    return {"person": person, "name": str(person)[:100]}, ""


def _address(request: HttpRequest, kind: str) -> tuple[dict[str, Any], str]:
    """The same for an address."""
    address, secret = (request.POST.get(name, "").strip() for name in ("address", "secret"))
    try:
        address = recipients.usable(kind, address)
    except ValueError as mistake:
        return {}, str(mistake)
    if secret and not recipients.is_secret(secret):
        return {}, SECRET_RULE
    name = request.POST.get("name", "").strip()[:100] or (address[:100] if kind == Kind.EMAIL else kind.capitalize())
    return {"address": address, "name": name, "secret": secret}, ""


def _is_limit(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= 10_000


def _state(limit: int, enabled: bool) -> str:
    return f"{limit}, {'on' if enabled else 'off'}"
