"""The URL table again, by those who would get around it: a look that carries what a button would, a button without its
CSRF token, who may no longer, the admin's own words, a write key."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from config.models import ApiToken, User
from deliveries.alarm import AlertRule
from deliveries.jobs import JOBS
from integrations import registry
from integrations.models import Source, WriteKey
from tests.matrix import TABLE, WHO, World, expected, rows
from tests.test_matrix import _no_wake as _no_wake  # the same stand-ins for the workers

pytestmark = pytest.mark.django_db
INGEST = [route for route in TABLE if route.startswith(("^v1/", "^connector/"))]
API = [route for route in TABLE if route.startswith("api/")]
STATUS = ["healthz", "readyz", "metrics"]
CONSOLE = [route for route in TABLE if route not in {*INGEST, *API, *STATUS}]
# What the admin's own lists listen to, and its own forms.
MARKED = {"_selected_action": ["1", "2", "success" * 4, "failure" * 4], "index": "0", "post": "yes"}
ADMINS_WORDS: tuple[dict[str, Any], ...] = (
    {"action": "resubmit_task", **MARKED},
    {"action": "delete_selected", "select_across": "1", **MARKED},
    {"_save": "Save", "_saveasnew": "1", "_popup": "1", "_to_field": "id", "_method": "DELETE", "post": "yes"},
)


def found_and_wanted(world: World, asked: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """``asked`` gives (route, method, how, answer wanted); nothing may change by any of it."""
    found, wanted = {}, {}
    for route, method, how, answer in asked:
        found[route, method] = world.ask(route, "owner", method, **how)
        wanted[route, method] = (answer, "")
    return found, wanted


def test_a_link_that_carries_what_a_button_would_changes_nothing() -> None:
    world = World()
    for route in [*CONSOLE, *API]:
        row = TABLE[route]
        sent = row["json"] if "json" in row else world.data(row)
        status, changed = world.ask(route, "owner", "GET", data={**ADMINS_WORDS[-1], **ADMINS_WORDS[0], **sent})
        assert (status[0] in "234", changed) == (True, ""), route


def test_the_admins_own_words_change_nothing_where_a_page_has_no_button() -> None:
    world = World()
    for route in CONSOLE:
        row = TABLE[route]
        if "changes" not in row and expected(row["get"])[-1] != "405":
            for data in ADMINS_WORDS if route.startswith("django_q/") else ADMINS_WORDS[:1]:
                status, changed = world.ask(route, "owner", "POST", data=data)
                assert (status[0] in "234", changed) == (True, ""), (route, data)


def test_no_button_of_the_console_works_without_its_csrf_token() -> None:
    world = World()
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = world.console["owner"].cookies
    asked = ((route, "POST", {"client": browser}, "403") for route in CONSOLE)
    found, wanted = found_and_wanted(world, asked)
    assert found == wanted


def test_who_was_deactivated_is_nobody_from_the_next_press_on() -> None:
    world = World()
    User.objects.filter(email="owner@example.com").update(is_active=False)
    world.before = rows()
    asked = (
        (route, method, {}, expected(TABLE[route][method.lower()])[0])
        for route in CONSOLE
        for method in ("GET", "POST")
    )
    found, wanted = found_and_wanted(world, asked)
    assert found == wanted


def test_whose_role_was_taken_has_it_no_more_from_the_next_press_on() -> None:
    world = World()
    User.objects.filter(email="owner@example.com").update(role="viewer")
    world.before = rows()
    buttons = [route for route in CONSOLE if "owner" in TABLE[route].get("changes", "") and route != "logout/"]
    mine = {"two-step/start/"}  # one's own second step is nobody else's business, whatever the role
    asked = ((route, "POST", {}, expected(TABLE[route]["post"])[1]) for route in buttons if route not in mine)
    found, wanted = found_and_wanted(world, asked)
    assert len(wanted) > 40
    assert found == wanted


def test_a_revoked_token_is_nobody() -> None:
    world = World()
    ApiToken.objects.update(revoked_at=timezone.now())
    world.before = rows()
    asked = (
        (route, method, {}, expected(TABLE[route][method.lower()])[0]) for route in API for method in ("GET", "POST")
    )
    found, wanted = found_and_wanted(world, asked)
    assert found == wanted


def test_a_signed_in_person_is_nobody_to_the_api() -> None:
    """A session must not reach it: there is no CSRF check there."""
    world = World()
    asked = (
        (route, method, {"client": world.console["owner"]}, expected(TABLE[route][method.lower()])[0])
        for route in API
        for method in ("GET", "POST")
    )
    found, wanted = found_and_wanted(world, asked)
    assert found == wanted


def test_a_token_is_nobody_to_the_console() -> None:
    world = World()
    asked = ((route, "POST", {"client": world.api["owner"]}, expected(TABLE[route]["post"])[0]) for route in CONSOLE)
    found, wanted = found_and_wanted(world, asked)
    assert found == wanted


def test_every_step_service_job_and_rule_asks_for_the_role() -> None:
    """Addresses that name one of several things: each of them, not only the one in the table."""
    world = World()
    several = {
        "connectors/<int:pk>/setup/<slug:step>/": [
            "connectors/{draft}/setup/" + s for s in ("keys/", "events/", "test/", "on/")
        ],
        "connectors/new/<slug:service>/": [
            f"connectors/new/{slug}/" for slug, v in registry.vendors().items() if v.sends
        ],
        "jobs/<slug:slug>/run/": [f"jobs/{job.slug}/run/" for job in JOBS],
        "alerts/rules/<slug:kind>/test/": [f"alerts/rules/{kind}/test/" for kind in AlertRule.Kind.values],
    }
    for route, paths in several.items():
        row = TABLE[route]
        for path in paths:
            for who, get, post in zip(WHO, expected(row["get"]), expected(row["post"]), strict=True):
                assert world.ask(route, who, "GET", path=path) == (get, ""), (path, who)
                if who not in row["changes"]:
                    assert world.ask(route, who, "POST", path=path) == (post, ""), (path, who)


@pytest.mark.parametrize("route", INGEST)
def test_who_has_a_write_key_changes_nothing_but_by_post(route: str) -> None:
    world = World()
    vendor = next((name for name in ("customerio", "surveys") if name in route), "segment")
    key = WriteKey.issue(Source.objects.create(name="theirs", vendor=vendor)).key
    world.before = rows()
    sender = Client(headers={"authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}"})
    path = TABLE[route]["path"].replace("nobody", key)
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        answer = "200" if "settings" in route and method in ("GET", "HEAD") else "405"
        assert world.ask(route, "owner", method, client=sender, path=path) == (answer, ""), method
    posted = {"^v1/m/?$": ("200", ""), "^v1/projects/(?P<key>[^/]+)/settings/?$": ("405", "")}
    assert world.ask(route, "owner", "POST", client=sender, path=path) == posted.get(route, ("200", "rows"))
