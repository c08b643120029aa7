"""When a failed try is repeated: the documented delays, the service's wish, and when it ends."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.core.retry import (
    SCHEDULES,
    Decision,
    brief,
    decide,
    describe,
    duration,
    last_cause,
    max_tries,
    parse_policy,
    schedule,
)
from integrations.types import Cause, Disposition, Verdict

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DOWN = Verdict(disposition=Disposition.RETRY, cause=Cause.SERVICE_ERROR, detail="Bad Gateway")


def delay(tries_made: int, policy="standard", *, jitter: float = 0.0, wish: float | None = None) -> float:
    verdict = Verdict(disposition=Disposition.RETRY, cause=Cause.SLOW_DOWN, retry_after=wish)
    decision = decide(verdict, tries_made, NOW, policy, jitter=jitter)
    assert (decision.status, decision.cause) == ("retrying", Cause.SLOW_DOWN)
    return (decision.next_attempt_at - NOW).total_seconds()


def test_standard_is_eight_retries_at_the_documented_minutes() -> None:
    assert [delay(tries) / 60 for tries in range(8)] == [1, 2, 4, 8, 16, 32, 64, 360]
    assert max_tries("standard") == 9


def test_patient_is_the_example_of_standard_webhooks() -> None:
    hours = [delay(tries, "patient") / 3600 for tries in range(9)]
    assert hours == pytest.approx([5 / 3600, 1 / 12, 0.5, 2, 5, 10, 14, 20, 24])
    assert sum(SCHEDULES["patient"]) / 3600 == pytest.approx(75.58, abs=0.01)
    assert max_tries("patient") == 10


def test_own_list_of_seconds() -> None:
    assert [delay(tries, [0, 2.5, 10]) for tries in (0, 1, 2)] == [0, 2.5, 10]
    assert max_tries((1, 2)) == 3
    assert decide(DOWN, 3, NOW, [0, 2.5, 10]).status == "failed"


def test_used_up_retries_give_up_and_keep_the_last_words() -> None:
    assert decide(DOWN, 7, NOW, "standard") == Decision(
        status="retrying",
        cause=Cause.SERVICE_ERROR,
        next_attempt_at=NOW + timedelta(hours=6),
        detail="Bad Gateway",
    )
    gave_up = Decision(status="failed", cause=Cause.GAVE_UP, detail="service_error: Bad Gateway")
    assert decide(DOWN, 8, NOW, "standard") == gave_up
    assert decide(DOWN, 30, NOW, "standard") == gave_up
    assert last_cause(gave_up.detail) == (Cause.SERVICE_ERROR, "Bad Gateway")
    silent = Verdict(disposition=Disposition.RETRY, cause=Cause.TIMEOUT)
    assert decide(silent, 8, NOW, "standard").detail == "timeout"
    assert last_cause("timeout") == (Cause.TIMEOUT, "")
    assert last_cause("Bad: Gateway") == (None, "Bad: Gateway")
    long = Verdict(disposition=Disposition.RETRY, cause=Cause.TIMEOUT, detail="x" * 500)
    assert len(decide(long, 8, NOW, "standard").detail) == 500


@pytest.mark.parametrize(
    ("disposition", "given", "status", "cause"),
    [
        (Disposition.DELIVERED, None, "delivered", None),
        (Disposition.REJECTED, Cause.TOO_LARGE, "failed", Cause.TOO_LARGE),
        (Disposition.REJECTED, None, "failed", Cause.DATA_REFUSED),
        (Disposition.REAUTH, Cause.KEY_REFUSED, "failed", Cause.KEY_REFUSED),
        (Disposition.REAUTH, None, "failed", Cause.KEY_REFUSED),
        (Disposition.REFUSED, None, "failed", Cause.REFUSED_BY_SERVICE),
        (Disposition.STOP, None, "failed", Cause.NOT_FOUND),
    ],
)
def test_everything_else_ends_at_once(disposition, given, status, cause) -> None:
    verdict = Verdict(disposition=disposition, cause=given, detail="words", retry_after=30)
    assert decide(verdict, 0, NOW, "standard", jitter=0.5) == Decision(status=status, cause=cause, detail="words")


def test_a_wish_lengthens_up_to_six_hours_and_never_shortens() -> None:
    assert delay(0, wish=30) == 60
    assert delay(0, wish=61) == 61
    assert delay(0, wish=0) == 60
    assert delay(0, wish=-5) == 60
    assert delay(0, wish=float("nan")) == 60
    assert delay(0, wish=7 * 3600) == 6 * 3600
    assert delay(0, wish=float("inf")) == 6 * 3600
    assert delay(8, "patient", wish=25 * 3600) == 24 * 3600
    assert delay(0, wish=59, jitter=1) == 59


def test_jitter_only_shortens_and_by_a_tenth_at_most() -> None:
    assert delay(0, jitter=1) == 54
    assert delay(0, jitter=0.5) == 57
    assert delay(7, jitter=1) == 324 * 60
    assert delay(0, jitter=7) == 54
    assert delay(0, jitter=-7) == 60


@given(
    tries=st.integers(0, 60),
    jitter=st.floats(0, 1),
    wish=st.none() | st.floats(allow_nan=True, allow_infinity=True),
    policy=st.sampled_from(["standard", "patient"]) | st.lists(st.floats(0, 604_800), min_size=1, max_size=50),
)
def test_every_delay_is_within_its_bounds(tries, jitter, wish, policy) -> None:
    verdict = Verdict(disposition=Disposition.RETRY, cause=Cause.TIMEOUT, retry_after=wish)
    decision = decide(verdict, tries, NOW, policy, jitter=jitter)
    delays = schedule(policy)
    if tries >= len(delays):
        assert (decision.status, decision.cause, decision.next_attempt_at) == ("failed", Cause.GAVE_UP, None)
        return
    planned, seconds = delays[tries], (decision.next_attempt_at - NOW).total_seconds()
    assert planned * 0.9 - 1e-5 <= seconds <= max(planned, 21_600) + 1e-5
    if wish is None:
        assert seconds <= planned + 1e-5


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        ("standard", "standard"),
        ("patient", "patient"),
        ([1, 2.5, 0], (1, 2.5, 0)),
        ((604_800,), (604_800,)),
        ([1] * 50, (1,) * 50),
    ],
)
def test_parse_policy(value, policy) -> None:
    assert parse_policy(value) == policy


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("hourly", "There is no retry schedule “hourly”; there are standard and patient."),
        (None, "Retries are 'standard' or 'patient', or a list of seconds."),
        (5, "Retries are 'standard' or 'patient', or a list of seconds."),
        ([], "The list has 0 delays; from 1 to 50 are possible."),
        ([1] * 51, "The list has 51 delays; from 1 to 50 are possible."),
        ([1, "2"], "Delay 2 is '2', which is not a number of seconds."),
        ([True], "Delay 1 is True, which is not a number of seconds."),
        ([float("nan")], "Delay 1 is nan, which is not a number of seconds."),
        ([float("inf")], "Delay 1 is inf, which is not a number of seconds."),
        ([5, -1], "Delay 2 is -1 seconds; a delay can't be negative."),
        ([604_801], "Delay 1 is 604801 seconds; the longest is 7 days (604800 seconds)."),
    ],
)
def test_parse_policy_says_what_is_wrong(value, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        parse_policy(value)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("standard", "after 1, 2, 4, 8, 16, 32 and 64 minutes, then a last time within 6 hours (8 retries)"),
        (
            "patient",
            "after 5 seconds, 5 minutes, 30 minutes, 2 hours, 5 hours, 10 hours, 14 hours, 20 hours and 24 hours "
            "(9 retries over 75 hours 35 minutes)",
        ),
        ([1], "after 1 second (1 retry)"),
        ([2, 90], "after 2 seconds and 1 minute 30 seconds (2 retries over 1 minute 32 seconds)"),
    ],
)
def test_describe(policy, words: str) -> None:
    assert describe(policy) == words


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("standard", "1, 2, 4 … 64 minutes, last within 6 hours"),
        ("patient", "5 seconds, 5 minutes, 30 minutes … 24 hours"),
        ([2, 4, 8, 8, 8], "2 seconds, 4 seconds, 8 seconds, 8 seconds, 8 seconds"),
        ([90], "1 minute 30 seconds"),
    ],
)
def test_brief(policy, words: str) -> None:
    assert brief(policy) == words


def test_a_long_list_is_described_by_its_ends() -> None:
    assert describe([60] * 12) == (
        "after 1 minute, 1 minute, 1 minute, 1 minute, … and 1 minute (12 retries over 12 minutes)"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (0.5, "0.5 seconds"), (61, "1 minute 1 second"), (3600, "1 hour"), (604_800, "168 hours")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_an_unknown_policy_is_an_error_and_not_a_lost_delivery() -> None:
    with pytest.raises(ValueError, match="There is no retry schedule “hourly”"):
        decide(DOWN, 0, NOW, "hourly")
