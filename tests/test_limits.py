"""Who calls too often hears so, with the time to wait; nobody else notices."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client

from deliveries import limits
from deliveries.models import Event
from tests.api import Api
from tests.console import person
from tests.door import assert_refused, assert_taken, post, track

pytestmark = pytest.mark.django_db
NOON = 1_700_000_000.0  # the first second of a window
NEXT = NOON + limits.WINDOW


def test_a_window_and_the_next() -> None:
    answers = [limits.wait("key", 7, 2, NOON + 4) for _ in range(22)]
    assert answers == [0] * 20 + [6, 6]
    assert limits.wait("key", 8, 2, NOON + 4) == limits.wait("address", 7, 2, NOON + 4) == 0
    assert limits.wait("key", 7, 2, NEXT) == 0
    assert limits.wait("key", 7, 2, NEXT - 0.5) >= 0


def test_a_source_fills_again_as_time_goes_by(settings: Any) -> None:
    settings.WEB_PROCESSES = 1
    assert [limits.wait(limits.SOURCE, 7, 4, NOON) for _ in range(6)] == [0, 0, 0, 0, 1, 1]
    assert limits.wait(limits.SOURCE, 8, 4, NOON) == 0
    assert [limits.wait(limits.SOURCE, 7, 4, NOON + 0.5) for _ in range(3)] == [0, 0, 1]
    assert [limits.wait(limits.SOURCE, 7, 4, NEXT) for _ in range(5)] == [0, 0, 0, 0, 1]  # it holds one second's worth


def test_each_web_process_lets_its_share_of_a_source_through(settings: Any) -> None:
    settings.WEB_PROCESSES = 4
    assert [limits.wait(limits.SOURCE, 7, 2, NOON) for _ in range(2)] == [0, 2]
    assert [limits.wait(limits.SOURCE, 7, 2, NOON + after) for after in (1, 2)] == [1, 0]


@pytest.mark.parametrize("kind", [limits.SOURCE, limits.KEY])
@pytest.mark.parametrize("limit", [0, None])
def test_no_limit(kind: str, limit: int | None) -> None:
    assert {limits.wait(kind, 7, limit, NOON) for _ in range(1000)} == {0}


def test_addresses_of_one_network_count_together() -> None:
    assert limits.network("2001:db8::1") == limits.network("2001:db8:0:0:ffff::2") != limits.network("2001:db8:0:1::1")
    assert limits.network("192.0.2.1") == "192.0.2.1"
    assert limits.network("x" * 300) == "x" * 50


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """All calls of the test fall into one window, four seconds into it."""
    monkeypatch.setattr(limits, "clock", lambda: NOON + 4)


def assert_told_to_wait(response: Any) -> None:
    assert_refused(response, 429, "rate_limited")
    assert (response["Retry-After"], response["X-RateLimit-Reset"]) == ("6", "6")


def test_one_key(make_source: Any, settings: Any, still: None) -> None:
    settings.RATE_LIMIT_PER_KEY = 1
    first, second = make_source("a")[1], make_source("b")[1]
    for _ in range(10):
        assert_taken(post("/v1/track", track(), first))
    assert_told_to_wait(post("/v1/track", track(), first))
    assert_told_to_wait(post("/v1/batch", {"batch": [track()]}, first))
    assert Event.objects.count() == 10
    assert_taken(post("/v1/track", track(), second))


def test_one_address(make_source: Any, settings: Any, still: None) -> None:
    settings.RATE_LIMIT_PER_ADDRESS = 1
    _, key = make_source()
    for _ in range(10):
        assert_taken(post("/v1/track", track(), key))
    assert_told_to_wait(post("/v1/track", track(), key))
    assert_told_to_wait(Client().get(f"/v1/projects/{key}/settings"))
    answer = Client(REMOTE_ADDR="192.0.2.9").post("/v1/track", track(writeKey=key), content_type="application/json")
    assert_taken(answer)


def test_whoever_tries_keys(make_source: Any, settings: Any, still: None) -> None:
    """Also in a path; and a good key from the same address is still good."""
    settings.RATE_LIMIT_REFUSED = 1
    _, key = make_source()
    for number in range(10):
        assert_refused(post("/v1/track", track(), f"guess{number}"), 401, "unknown_key")
    assert_told_to_wait(post("/v1/track", track(), "guess"))
    assert_told_to_wait(post("/connector/customerio/guess", {}))
    assert_told_to_wait(Client().get("/v1/projects/guess/settings"))
    assert_taken(post("/v1/track", track(), key))


def test_whoever_tries_tokens(settings: Any, still: None) -> None:
    settings.RATE_LIMIT_REFUSED = 1
    stranger = Client(headers={"authorization": "Bearer guess"})
    assert {stranger.get("/api/v1/deliveries/").status_code for _ in range(10)} == {401}
    answer = stranger.get("/api/v1/deliveries/")
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (429, "6", "throttled")
    assert Api("viewer").get("deliveries/")[0] == 200


def test_whoever_tries_passwords(still: None) -> None:
    guesses = [Client().post("/login/", {"username": f"p{n}@example.com", "password": "x"}) for n in range(21)]
    assert [one.status_code for one in guesses] == [200] * 20 + [429]
    assert guesses[-1]["Retry-After"] == "6"
    assert "Too many tries to sign in" in guesses[-1].content.decode()
    assert Client().get("/login/").status_code == 200
    assert person("viewer").get("/").status_code == 200


def test_one_name_is_locked_after_ten_wrong_passwords() -> None:
    person("owner")
    for number in range(12):
        limits.forget()
        name = "owner@example.com" if number % 2 else "Owner@Example.com "
        data = {"username": name, "password": f"wrong {number}"}
        assert Client().post("/login/", data).status_code == (200 if number < 9 else 429)
    for number in range(15):  # nobody else at this address is locked out with them
        limits.forget()
        data = {"username": f"viewer{number}@example.com", "password": "wrong"}
        assert Client().post("/login/", data).status_code == 200


def test_large_counts_are_added_up_with_other_processes(settings: Any, still: None) -> None:
    settings.ALONE, settings.RATE_LIMIT_PER_KEY = False, 10
    cache = caches["shared"]
    window = int(NOON + 4) // limits.WINDOW
    for _ in range(30):
        assert limits.wait(limits.KEY, 7, 10) == 0
    limits.wait(limits.KEY, 8, 10)
    limits.share(at_once=True)
    assert cache.get(f"limit:{window}:key:7") == 30
    assert cache.get(f"limit:{window}:key:8") is None  # not worth a word
    cache.incr(f"limit:{window}:key:7", 69)  # another process
    assert limits.wait(limits.KEY, 7, 10) == 0
    limits.share(at_once=True)
    assert cache.get(f"limit:{window}:key:7") == 100
    assert limits.wait(limits.KEY, 7, 10) == 6
    assert limits.wait(limits.KEY, 8, 10) == 0


def test_a_shared_cache_that_is_away_stops_nobody(settings: Any, still: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def add(self, *_: Any) -> None:
            raise ConnectionError("no route")

    settings.ALONE = False
    monkeypatch.setattr(limits, "caches", {"shared": Away()})
    for _ in range(settings.RATE_LIMIT_REFUSED):
        assert limits.refused("192.0.2.1") == 0
    limits.share(at_once=True)
    assert limits.refused("192.0.2.1") == 0


def test_real_time_is_used() -> None:
    assert limits.wait("key", 1, 1) == 0
    assert limits._window.number == int(time.time()) // limits.WINDOW
