"""Settings → Network: what is allowed, in words, what to do for one more, and the way there from a failure."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache

from config import private_networks
from deliveries.models import Delivery
from tests.console import made, person

pytestmark = pytest.mark.django_db
INSIDE = {"status": "failed", "cause": "blocked_address", "detail": "hooks.internal → 10.0.0.5"}


@pytest.fixture(autouse=True)
def _fresh(settings: Any) -> None:
    cache.clear()
    settings.ALLOWED_PRIVATE_NETWORKS = ["192.168.1.0/24", "fd00::1"]


def network(path: str, role: str = "viewer") -> str:
    page = person(role).get(path).content.decode()
    section = page[page.index('id="network"') :].split("</section>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", section)).split())


def test_it_says_what_is_allowed_and_where_that_is_set() -> None:
    words = network("/settings/")
    assert "192.168.1.0/24 192.168.1.0 to 192.168.1.255, 256 addresses fd00::1/128 this one address" in words
    assert "Set by ALLOWED_PRIVATE_NETWORKS in the environment of the machine" in words
    assert "What to do:" not in words


def test_without_any_it_says_so(settings: Any) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = []
    assert "No address inside your own network may be called." in network("/settings/")
    answer = private_networks.answer("10.0.0.5")
    assert answer is not None
    assert answer.line == "ALLOWED_PRIVATE_NETWORKS=10.0.0.5/32"


@pytest.mark.parametrize(
    ("asked", "line", "words"),
    [
        ("10.0.0.5", "192.168.1.0/24,fd00::1/128,10.0.0.5/32", "Allows 10.0.0.5: this one address."),
        (
            " 10.1.0.0/16 ",
            "192.168.1.0/24,fd00::1/128,10.1.0.0/16",
            "Allows 10.1.0.0/16: 10.1.0.0 to 10.1.255.255, 65\u00a0536 addresses.",
        ),
        ("::ffff:10.0.0.5", "192.168.1.0/24,fd00::1/128,10.0.0.5/32", "Allows 10.0.0.5: this one address."),
        ("fd00::2", "192.168.1.0/24,fd00::1/128,fd00::2/128", "Allows fd00::2: this one address."),
        ("192.168.1.7", "", "192.168.1.7 is allowed already, by 192.168.1.0/24."),
        ("8.8.8.8", "", "8.8.8.8 is on the public internet: with https it is called without being allowed."),
        ("http://10.0.0.5:9/in", "192.168.1.0/24,fd00::1/128,10.0.0.5/32", "Allows 10.0.0.5: this one address."),
        ("hooks.internal", "", "This is no address. Write an address as 10.1.2.3, a network as 10.1.0.0/16."),
        ("10.1.2.3/8", "", "This is no address. Write an address as 10.1.2.3, a network as 10.1.0.0/16."),
    ],
)
def test_what_to_do_for_one_more(asked: str, line: str, words: str) -> None:
    found = private_networks.answer(asked)
    assert found == private_networks.Answer(words=words, line=line and f"ALLOWED_PRIVATE_NETWORKS={line}")
    shown = network(f"/settings/?allow={asked.replace(' ', '%20')}")
    assert " ".join(words.split()) in shown
    assert ("put this line in the file" in shown) == bool(line)


def test_asking_allows_nothing(settings: Any) -> None:
    network("/settings/?allow=10.0.0.5", "owner")
    assert settings.ALLOWED_PRIVATE_NETWORKS == ["192.168.1.0/24", "fd00::1"]


def test_a_failure_leads_there() -> None:
    m = made()
    Delivery.objects.filter(pk=m.failed.pk).update(**INSIDE)
    type(m.problem).objects.filter(pk=m.problem.pk).update(cause="blocked_address")
    link = '<a class="button" href="/settings/?allow=10.0.0.5#network">Settings → Network</a>'
    for path in (f"/deliveries/{m.failed.pk}/", f"/problems/{m.problem.pk}/"):
        page = person("viewer").get(path).content.decode()
        assert "Settings → Network says how it is allowed" in page
        assert link in page
    Delivery.objects.filter(pk=m.failed.pk).update(detail="example.com is not an address of this service.")
    assert link not in person("viewer").get(f"/deliveries/{m.failed.pk}/").content.decode()
