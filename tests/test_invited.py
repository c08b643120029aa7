"""The link with which somebody chooses their own password."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from config.models import User
from integrations.history import Change
from tests.console import person

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse staple"  # a test's
CHOSEN = {"new_password1": PASSWORD, "new_password2": PASSWORD}


def link_on(page: str) -> str:
    found = re.search(r'id="new-link">http://testserver([^<]+)<', page)
    return found[1] if found else ""


def added() -> tuple[User, str]:
    """A new person without a password, and the link that the owner sees."""
    data = {"name": "Bo <Lee>", "email": "Bo@example.com", "role": "operator"}
    page = person("owner").post("/people/add/", data, follow=True).content.decode()
    assert "A link for Bo &lt;Lee&gt;, shown this once" in page
    assert "No password yet" in page
    return User.objects.get(email="bo@example.com"), link_on(page)


def signs_in(email: str, password: str) -> bool:
    client = Client()
    client.post("/login/", {"username": email, "password": password})
    return client.get("/connectors/").status_code == 200


def choose(link: str, data: dict[str, str] = CHOSEN) -> Any:
    """As a browser does: the link leads to an address without the secret, and there is the form."""
    visitor = Client()
    form = visitor.get(link, follow=True)
    assert form.status_code == 200, form
    return visitor.post(form.redirect_chain[-1][0], data, follow=True)


def test_a_new_person_chooses_a_password_and_signs_in_once_with_the_role() -> None:
    bo, link = added()
    assert not bo.has_usable_password()
    answer = choose(link)
    assert answer.redirect_chain[-1][0] == "/login/"
    assert "Your password is set. Sign in with it." in answer.content.decode()
    assert signs_in("bo@example.com", PASSWORD)
    again = Client().get(link)
    assert again.status_code == 410
    assert "This link does not work any more" in again.content.decode()
    done = list(Change.objects.filter(kind="user").order_by("id").values_list("by", "words"))
    assert done == [
        ("Owner Jones", "Added bo@example.com as Operator"),
        ("Owner Jones", "Made a link to choose a password"),
        ("Bo <Lee>", "Chose a password"),
    ]


def test_the_link_is_shown_once_and_stands_nowhere_as_it_is() -> None:
    owner = person("owner")
    data = {"name": "Bo", "email": "bo@example.com", "role": "viewer"}
    owner.post("/people/add/", data)
    kept = " ".join(str(one.get_decoded()) for one in Session.objects.all())
    link = link_on(owner.get("/people/").content.decode())
    assert len(link) > 40
    assert link.split("/")[-2] not in kept
    assert link_on(owner.get("/people/").content.decode()) == ""


def test_who_forgot_the_password_gets_another_and_is_signed_out() -> None:
    old = User.objects.create_user("cy@example.com", "an old password 4711", name="Cy", role="viewer")
    theirs = Client()
    theirs.force_login(old, "config.backends.RoleBackend")
    User.objects.filter(pk=old.pk).update(last_login=timezone.now() - timedelta(hours=1))
    page = person("owner").post(f"/people/{old.pk}/link/", follow=True).content.decode()
    assert signs_in("cy@example.com", "an old password 4711")
    assert Client().get(link_on(page)).status_code == 410  # they knew it after all: who signs in needs no link
    page = person("owner").post(f"/people/{old.pk}/link/", follow=True).content.decode()
    choose(link_on(page))
    assert (signs_in("cy@example.com", "an old password 4711"), signs_in("cy@example.com", PASSWORD)) == (False, True)
    assert theirs.get("/connectors/").status_code == 302


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({**CHOSEN, "new_password2": "another horse"}, "The two are not the same. Type the new password twice."),
        ({"new_password1": "password12", "new_password2": "password12"}, "This password is too common."),
    ],
)
def test_a_password_that_will_not_do_is_said_and_the_link_stays(data: dict[str, str], said: str) -> None:
    bo, link = added()
    assert said in choose(link, data).content.decode()
    bo.refresh_from_db()
    assert not bo.has_usable_password()
    assert choose(link).redirect_chain[-1][0] == "/login/"


def test_it_ends_after_three_days_or_when_they_may_not_sign_in(time_machine: Any) -> None:
    bo, link = added()
    bo.is_active = False
    bo.save()
    assert Client().get(link).status_code == 410
    assert person("owner").post(f"/people/{bo.pk}/link/").status_code == 404
    bo.is_active = True
    bo.save()
    time_machine.move_to(timezone.now() + timedelta(days=2, hours=23))
    assert Client().get(link).status_code == 302
    time_machine.move_to(timezone.now() + timedelta(hours=2))
    assert Client().get(link).status_code == 410


def test_a_password_that_an_owner_gives_makes_no_link() -> None:
    data = {"name": "Di", "email": "di@example.com", "role": "viewer", "password": PASSWORD}
    page = person("owner").post("/people/add/", data, follow=True).content.decode()
    assert ("Di is saved." in page, link_on(page)) == (True, "")
    assert signs_in("di@example.com", PASSWORD)
