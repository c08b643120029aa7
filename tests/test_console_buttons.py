"""Whatever a role may do has a button that it sees, and no form is shown to a role that may not send it.

The whole console is walked through as each role, link by link, and what can be pressed there is compared with the
table of addresses in ``matrix.json``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import resolve
from django.utils import timezone

from config.devices import Authenticator
from config.models import User
from deliveries import practice
from integrations.models import Connector
from tests.console import delivery_of, event_of, made, person
from tests.matrix import TABLE, WHO

pytestmark = pytest.mark.django_db
# Not walked: what signs out or hands out a file.
NOT_OPENED = re.compile(r"/logout/|/export/|/static/|/api/")
# Sent by the script, for as long as practice data is looked at.
NO_BUTTON = {"practice/tick/"}
CONFIRMED = {"confirmed": True}


@dataclass
class Form:
    """What a form of a page sends where, and what can be pressed to send it."""

    method: str
    action: str
    pressable: set[str] = field(default_factory=set)


class Page(HTMLParser):
    """The links of a page, and its forms with their buttons, also those that stand outside of them. ``dead`` are the
    buttons that nobody can press because what is around them is read only."""

    def __init__(self, path: str, html: str) -> None:
        super().__init__()
        self.path, self.links, self.forms = path, set[str](), dict[str, Form]()
        self.buttons, self.dead, self.fieldsets, self.inside = list[tuple[str, str]](), list[str](), list[bool](), ""
        self.feed(html)
        for form, action in self.buttons:
            self.forms[form].pressable.add(urljoin(path, action) if action else self.forms[form].action)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "fieldset":
            self.fieldsets.append("disabled" in given)
        elif tag == "form":
            self.inside = given.get("id") or f"form {len(self.forms)}"
            action = urljoin(self.path, given.get("action") or self.path)
            self.forms[self.inside] = Form(given.get("method", "get"), action)
        elif tag == "button" and given.get("type") == "submit":
            if any(self.fieldsets):
                self.dead.append(given.get("formaction") or given.get("form") or self.inside)
            elif "disabled" not in given:
                self.buttons.append((given.get("form", self.inside), given.get("formaction", "")))
        elif tag in ("a", "tr"):
            self.links |= {urljoin(self.path, given[name]) for name in ("href", "data-href") if given.get(name)}

    def handle_endtag(self, tag: str) -> None:
        if tag == "fieldset":
            self.fieldsets.pop()
        elif tag == "form":
            self.inside = ""


def route(address: str) -> str:
    return resolve(urlsplit(address).path).route


def at(client: Client, address: str) -> Page | None:
    answer = client.get(address, follow=True)
    assert answer.status_code == 200, f"{address} leads to {answer.status_code}"
    where = answer.redirect_chain[-1][0] if answer.redirect_chain else address
    return Page(where, answer.content.decode()) if answer["Content-Type"].startswith("text/html") else None


def walk(client: Client) -> Iterator[Page]:
    """Every page that a link leads to, from the overview on; of a list's filters one of each kind, at most three at a
    time."""
    waiting, known = ["/"], set[Any]()
    while waiting:
        address = waiting.pop(0)
        parts = urlsplit(address)
        names = tuple(sorted(dict(parse_qsl(parts.query))))
        if parts.netloc or (parts.path, names) in known or len(names) > 3 or NOT_OPENED.search(parts.path):
            continue
        known.add((parts.path, names))
        if page := at(client, address):
            waiting += sorted(page.links)
            yield page


def lived_in() -> None:
    """The made-up world, and what a button waits for beside it."""
    m = made()
    delivery_of(event_of(m.source, 10), m.connector, "waiting", replay=m.replay)
    mapped = Connector.objects.create(
        name="Mapped", vendor="suprsend", secrets={"api_key": "k" * 40}, tested_at=timezone.now()
    )
    mapped.sources.add(m.source)


def pages(role: str) -> Iterator[Page | None]:
    """What somebody of this role comes by, from the empty console to the one that is lived in."""
    client = person(role)
    yield at(client, "/")
    practice.load("Ann")
    yield at(client, "/")
    practice.remove()
    lived_in()
    if role == "owner":
        file = SimpleUploadedFile("mine.json", client.get("/settings/export/").content.replace(b"website", b"site"))
        assert client.post("/settings/import/", {"file": file}).status_code == 302
    yield from walk(client)
    client.post("/two-step/start/")
    yield at(client, "/two-step/")
    Authenticator.objects.update_or_create(user=User.objects.get(email=f"{role}@example.com"), defaults=CONFIRMED)
    yield at(client, "/two-step/")
    yield at(client, "/settings/")


def answer_to(role: str, address: str) -> str:
    """What this role hears when it sends something there."""
    words = TABLE[address]["post"].split()
    return words[WHO.index(role)] if len(words) > 1 else words[0]


def actions_of(role: str) -> set[str]:
    """Where this role may change something, and what is no page but an action and does not refuse it."""
    ours = [one for one in TABLE if not one.startswith(("api/", "^v1", "django_q/")) and one not in NO_BUTTON]
    changing = {one for one in ours if role in TABLE[one].get("changes", "").split()}
    return changing | {
        one for one in ours if "405" in TABLE[one]["get"].split()[1:] and answer_to(role, one) not in ("403", "405")
    }


@pytest.fixture(autouse=True)
def _no_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wake", "advance_replay", "practise", "run_now"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, **kwargs: None)


@pytest.mark.parametrize("role", WHO[1:])
def test_every_action_has_a_button_and_no_form_is_refused(role: str) -> None:
    pressed, refused, dead = set(), set(), set()
    for page in filter(None, pages(role)):
        dead |= {(page.path, button) for button in page.dead}
        for form in page.forms.values():
            posted = {route(action) for action in form.pressable or {form.action}} if form.method == "post" else set()
            refused |= {(page.path, action) for action in posted if answer_to(role, action) == "403"}
            pressed |= posted if form.pressable else set()
    assert (dead, refused) == (set(), set())
    assert actions_of(role) - pressed == set()
