"""Every button of the console, pressed as each role: it works for whom it should, and for others nothing changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from config.devices import Authenticator
from config.models import ApiToken, HouseRules, User
from config.roles import Role
from deliveries import practice
from deliveries.alarm import AlertRule, AlertTarget, Problem
from deliveries.erasures import Erasure
from deliveries.models import Delivery, Event, JobRun, Replay, Trial
from integrations import installation
from integrations.admin.pages import PageAdmin
from integrations.history import Change
from integrations.models import Connector, EventRule, RegionEndpoint, Source, WriteKey
from tests.console import made, person

pytestmark = pytest.mark.django_db
OPERATOR, EDITOR, OWNER = {"operator", "editor", "owner"}, {"editor", "owner"}, {"owner"}


@dataclass(frozen=True)
class Action:
    view: str
    args: Callable[[Any], tuple[int | str, ...]]
    allowed: set[str]
    changed: Callable[[Any], Any]
    data: dict[str, str] = field(default_factory=dict)


def connector_status(m: Any) -> str:
    return Connector.objects.get(pk=m.connector.pk).status


def deliveries(m: Any) -> int:
    return Delivery.objects.count()


def old_practice_data(m: Any) -> tuple[int, ...]:
    practice.load("Ann")
    Source.objects.filter(name=practice.SOURCE).update(created_at=timezone.now() - timedelta(hours=1))
    return ()


def with_two_step(m: Any) -> tuple[int, ...]:
    """Only who has it may ask it of others."""
    for user in User.objects.exclude(pk=m.secured.user_id):
        Authenticator.objects.create(user=user, confirmed=True)
    return ()


ACTIONS = [
    Action("integrations_connector_pause", lambda m: (m.connector.pk,), OPERATOR, connector_status),
    Action("integrations_connector_resume", lambda m: (m.paused.pk,), OPERATOR,
           lambda m: Connector.objects.get(pk=m.paused.pk).status, {"backlog": "send"}),
    Action("integrations_connector_off", lambda m: (m.connector.pk,), OPERATOR, connector_status,
           {"name": "Segment – production"}),
    Action("integrations_connector_on", lambda m: (m.off.pk,), OPERATOR,
           lambda m: Connector.objects.get(pk=m.off.pk).status),
    Action("integrations_connector_remove", lambda m: (m.connector.pk,), OWNER,
           lambda m: Connector.objects.get(pk=m.connector.pk).archived_at, {"name": "Segment – production"}),
    Action("integrations_connector_identifies", lambda m: (m.connector.pk,), OPERATOR,
           lambda m: Replay.objects.count()),
    Action("integrations_connector_switch", lambda m: (), OPERATOR, connector_status, {"pause": "{connector}"}),
    Action("integrations_connector_copy", lambda m: (m.connector.pk,), EDITOR, lambda m: Connector.objects.count()),
    Action("practice_load", lambda m: (), EDITOR, lambda m: Source.objects.count()),
    Action("jobs_run", lambda m: ("hourly",), OWNER, lambda m: JobRun.objects.count()),
    Action("practice_tick", old_practice_data, OPERATOR, lambda m: Event.objects.count()),
    Action("integrations_connector_discard", lambda m: (m.draft.pk,), EDITOR,
           lambda m: Connector.objects.filter(pk=m.draft.pk).count()),
    Action("integrations_source_status", lambda m: (m.source.pk,), EDITOR,
           lambda m: Source.objects.get(pk=m.source.pk).status, {"status": "off"}),
    Action("integrations_source_add_key", lambda m: (m.source.pk,), EDITOR, lambda m: WriteKey.objects.count()),
    Action("integrations_source_roll_key", lambda m: (m.source.pk, m.key.pk), EDITOR,
           lambda m: WriteKey.objects.get(pk=m.key.pk).expires_at),
    Action("integrations_source_revoke_key", lambda m: (m.source.pk, m.key.pk), EDITOR,
           lambda m: WriteKey.objects.get(pk=m.key.pk).revoked_at),
    Action("deliveries_delivery_replay", lambda m: (m.failed.pk,), OPERATOR, deliveries),
    Action("deliveries_delivery_replay_selected", lambda m: (), OPERATOR, deliveries, {"ids": "{failed}"}),
    Action("deliveries_replay_start", lambda m: (), OPERATOR, lambda m: Replay.objects.count(), {"status": "failed"}),
    Action("deliveries_replay_stop", lambda m: (m.replay.pk,), OPERATOR,
           lambda m: Replay.objects.get(pk=m.replay.pk).state),
    Action("deliveries_problem_seen", lambda m: (m.problem.pk,), OPERATOR,
           lambda m: Problem.objects.get(pk=m.problem.pk).state),
    Action("deliveries_problem_close", lambda m: (m.problem.pk,), OPERATOR,
           lambda m: Problem.objects.get(pk=m.problem.pk).state),
    Action("deliveries_alertrule_rules", lambda m: (), EDITOR,
           lambda m: list(AlertRule.objects.exclude(limit__in=[1, 5, 10, 80, 24]).values_list("limit", flat=True)),
           {f"limit_{kind}": "7" for kind in AlertRule.Kind.values}),
    Action("deliveries_alertrule_add_own_rule", lambda m: (), EDITOR,
           lambda m: list(AlertRule.objects.exclude(connector=None).exclude(pk=m.rule.pk).values_list("kind", "limit")),
           {"kind": "overdue", "limit": "3", "connector": "{connector}", "on": "on"}),
    Action("deliveries_alertrule_remove_own_rule", lambda m: (m.rule.pk,), EDITOR,
           lambda m: AlertRule.objects.filter(pk=m.rule.pk).count()),
    Action("deliveries_alertrule_add_target", lambda m: (), EDITOR, lambda m: AlertTarget.objects.count(),
           {"kind": "email", "address": "ops@example.com"}),
    Action("deliveries_alertrule_test_target", lambda m: (m.target.pk,), OPERATOR, lambda m: len(mail.outbox)),
    Action("deliveries_alertrule_test_rule", lambda m: ("failing",), OPERATOR, lambda m: len(mail.outbox)),
    Action("deliveries_alertrule_roll_secret", lambda m: (m.hook.pk,), EDITOR,
           lambda m: AlertTarget.objects.get(pk=m.hook.pk).secret),
    Action("deliveries_alertrule_end_old_secret", lambda m: (m.hook.pk,), EDITOR,
           lambda m: AlertTarget.objects.get(pk=m.hook.pk).old_secret),
    Action("deliveries_alertrule_switch_target", lambda m: (m.target.pk,), EDITOR,
           lambda m: AlertTarget.objects.get(pk=m.target.pk).enabled),
    Action("deliveries_alertrule_remove_target", lambda m: (m.target.pk,), EDITOR,
           lambda m: AlertTarget.objects.count()),
    Action("integrations_regionendpoint_remove", lambda m: (m.address.pk,), EDITOR,
           lambda m: RegionEndpoint.objects.count()),
    Action("config_user_deactivate", lambda m: (m.secured.user_id,), OWNER,
           lambda m: User.objects.get(pk=m.secured.user_id).is_active),
    Action("config_user_reset_two_step", lambda m: (m.secured.user_id,), OWNER,
           lambda m: Authenticator.objects.count()),
    Action("config_user_link", lambda m: (m.secured.user_id,), OWNER,
           lambda m: Change.objects.filter(kind="user").count()),
    Action("integrations_connector_test_seen", lambda m: (m.connector.pk, m.trial.pk), OPERATOR,
           lambda m: Trial.objects.get(pk=m.trial.pk).seen, {"seen": "yes"}),
    Action("events_seen_save", lambda m: (), EDITOR, lambda m: EventRule.objects.count(),
           {"connector": "{connector}", "type": "track", "name": "Flow Viewed", "send": "0"}),
    Action("integrations_connector_end_old_key", lambda m: (m.connector.pk,), EDITOR,
           lambda m: Connector.objects.get(pk=m.connector.pk).old_secrets),
    Action("settings_console", lambda m: (), OWNER, lambda m: installation.address(),
           {"address": "http://testserver", "time_zone": "Europe/Berlin"}),
    Action("settings_two_step", with_two_step, OWNER, lambda m: HouseRules.ask_two_step(), {"two_step": "on"}),
    Action("journey_erase_start", lambda m: (), OWNER, lambda m: Erasure.objects.count(),
           {"q": "user_1", "confirm": "user_1", "user": "user_1"}),
    Action("config_apitoken_add", lambda m: (), OWNER, lambda m: ApiToken.objects.count(),
           {"name": "new", "role": "viewer"}),
    Action("config_apitoken_revoke", lambda m: (m.token.pk,), OWNER,
           lambda m: ApiToken.objects.get(pk=m.token.pk).revoked_at),
]  # fmt: skip
# Tested as each role on their own: where something stands in for the service, where a file waits to be imported, where
# practice data is loaded; and one's own second step, which is nobody else's business whatever the role.
ELSEWHERE = {
    "integrations_connector_send_test",
    *("settings_import_apply", "settings_import_discard"),
    "practice_remove",
    *("two_step_start", "two_step_confirm", "two_step_off"),
}


def post_only() -> set[str]:
    """The console's views outside the models' admins that are for POST alone, by the table of addresses."""
    client, found = person("owner"), set()
    for pattern in admin.site.get_urls():
        if not isinstance(pattern, URLPattern) or not pattern.name:
            continue
        if not inspect.unwrap(pattern.callback).__module__.startswith(("config.", "deliveries.")):
            continue
        arguments = dict.fromkeys(pattern.pattern.converters, 1)
        if (
            pattern.name != "setup"
            and client.get(reverse(f"admin:{pattern.name}", kwargs=arguments)).status_code == 405
        ):
            found.add(pattern.name)
    return found


def name_of(action: Action) -> str:
    return action.view


@pytest.fixture(autouse=True)
def _no_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr("deliveries.queue.wake", lambda *args, **kwargs: None)
    monkeypatch.setattr("deliveries.queue.advance_replay", lambda *args, **kwargs: None)
    monkeypatch.setattr("deliveries.queue.practise", lambda *args, **kwargs: None)
    monkeypatch.setattr("deliveries.queue.run_now", lambda *args, **kwargs: None)


def test_every_action_of_every_page_is_in_the_table() -> None:
    """Of the models' pages those that say so themselves; of the others all that answer no GET."""
    marked = {
        f"{page.opts.app_label}_{page.opts.model_name}_{name}"
        for page in admin.site._registry.values()
        if isinstance(page, PageAdmin)
        for _, method, name in page.pages
        if hasattr(getattr(page, method), "permission")
    }
    assert marked | post_only() == {action.view for action in ACTIONS} | ELSEWHERE


@pytest.mark.parametrize("action", ACTIONS, ids=name_of)
@pytest.mark.parametrize("role", Role.values)
def test_action_by_role(action: Action, role: str) -> None:
    m = made()
    client = person(role)
    data = {name: value.format(failed=m.failed.pk, connector=m.connector.pk) for name, value in action.data.items()}
    before = action.changed(m)
    answer = client.post(reverse(f"admin:{action.view}", args=action.args(m)), data)
    if role in action.allowed:
        assert answer.status_code in (302, 204)
        assert action.changed(m) != before
    else:
        assert answer.status_code == 403
        assert action.changed(m) == before


@pytest.mark.parametrize("action", ACTIONS, ids=name_of)
def test_no_action_by_get(action: Action) -> None:
    m = made()
    before = action.changed(m)
    assert person("owner").get(reverse(f"admin:{action.view}", args=action.args(m)), action.data).status_code == 405
    assert action.changed(m) == before


@pytest.mark.parametrize("action", ACTIONS, ids=name_of)
def test_no_action_without_csrf_token(action: Action) -> None:
    m = made()
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("csrf@example.com", role="owner"), "config.backends.RoleBackend")
    before = action.changed(m)
    assert client.post(reverse(f"admin:{action.view}", args=action.args(m)), action.data).status_code == 403
    assert action.changed(m) == before


@pytest.mark.parametrize("action", ACTIONS, ids=name_of)
def test_signed_out_visitor_is_sent_to_sign_in(action: Action) -> None:
    m = made()
    before = action.changed(m)
    answer = Client().post(reverse(f"admin:{action.view}", args=action.args(m)), action.data)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/login/")
    assert action.changed(m) == before


FORMS = [
    ("integrations_connector_change", "connector", EDITOR, {"name": "Renamed"}),
    ("integrations_source_change", "source", EDITOR, {"name": "renamed"}),
    ("config_user_change", "viewer", OWNER, {"name": "Renamed", "email": "v@example.com", "role": "owner"}),
]


@pytest.mark.parametrize(("view", "row", "allowed", "data"), FORMS)
@pytest.mark.parametrize("role", Role.values)
def test_forms_by_role(view: str, row: str, allowed: set[str], data: dict[str, str], role: str) -> None:
    m = made()
    target = getattr(m, row)
    name = target.name
    posted = {**data, **m.forms.get(row, {})}
    answer = person(role).post(reverse(f"admin:{view}", args=[target.pk]), posted)
    target.refresh_from_db()
    assert (answer.status_code, target.name != name) == ((302, True) if role in allowed else (403, False))


def test_the_admins_own_pages_of_logs_have_no_address() -> None:
    """Nobody deletes or adds rows of the log, owners included."""
    m = made()
    client = person("owner")
    for page in ("delete/", "history/", "add/"):
        assert client.get(f"/deliveries/{m.failed.pk}/{page}").status_code == 404
