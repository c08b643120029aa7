"""What a message about a problem says, and that its page says the same."""

from __future__ import annotations

import pytest
from django.core import mail
from django.utils import timezone
from django.utils.html import escape

from deliveries import alerts
from deliveries.alarm import AlertRule, AlertTarget, Problem
from deliveries.core.cause_words import FAILED_OTHERWISE
from deliveries.models import Attempt, Delivery
from tests.console import delivery_of, event_of, made, person

pytestmark = pytest.mark.django_db


def mailed(problem: Problem, what: str = "opened") -> str:
    AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com")
    mail.outbox.clear()
    alerts.tell(Problem.objects.get(pk=problem.pk), what)
    return str(mail.outbox[0].body)


def test_a_mail_says_what_the_page_says_of_a_refused_event() -> None:
    m = made()
    Delivery.objects.filter(pk=m.failed.pk).update(cause="data_refused", detail="phone is not valid")
    Attempt.objects.filter(delivery=m.failed).update(response_status=400, cause="data_refused")
    problem = Problem.objects.create(connector=m.connector, kind="failing", cause="data_refused", sample=m.failed)
    text, page = mailed(problem), person("owner").get(f"/problems/{problem.pk}/").content.decode()
    for said in ("Segment did not accept", "Segment answered 400 in 120 ms. It says: “phone is not valid”."):
        assert said in text
        assert said in page
    assert "Not sent" not in text


@pytest.mark.parametrize("kind", [kind.value for kind in AlertRule.Kind])
@pytest.mark.parametrize("cause", ["", "timeout"])
def test_every_problem_says_what_happened_why_and_what_to_do(kind: str, cause: str) -> None:
    """Also where the delivery that it was opened for is gone."""
    m = made()
    problem = Problem.objects.create(connector=m.connector, kind=kind, cause=cause)
    headline, todo = mailed(problem).split("\n\n")[1].split("\nWhat to do: ")
    assert min(len(headline), len(todo)) > 40
    assert (FAILED_OTHERWISE[2].split(";")[0] in todo) is (kind in ("key_refused", "failing") and not cause)
    page = person("viewer").get(f"/problems/{problem.pk}/").content.decode()
    assert escape(todo) in page


def test_a_mail_writes_numbers_as_the_page_does() -> None:
    m = made()
    Problem.objects.filter(pk=m.problem.pk).update(count=123_456)
    times = "123\u00a0456 times"
    assert f"Seen {times}." in mailed(m.problem)
    assert times in person("viewer").get(f"/problems/{m.problem.pk}/").content.decode()


def test_what_is_over_asks_for_nothing() -> None:
    m = made()
    text = mailed(m.problem, "ended")
    assert "Nothing has to be done: this is over. It was: Segment refused the write key." in text
    assert "What failed meanwhile can be replayed from its page." in text
    assert "What to do" not in text


def test_a_problem_speaks_of_all_that_failed_and_says_when_it_is_over() -> None:
    m = made()
    problem = Problem.objects.create(connector=m.connector, kind="failing", cause="service_error")
    failed = delivery_of(event_of(m.source, 90), m.connector, "failed", "service_error")
    client, address, button = person("owner"), f"/problems/{problem.pk}/", "Replay what failed…</a>"
    html = client.get(address).content.decode()
    assert "That has nothing to do with the events." in html
    assert "</strong> Replay what failed when Segment works again.</div>" in html
    for state, said in (
        ("solved", "Nothing any more: this is over."),
        ("closed", "Nothing any more: it was closed, and opens anew if it happens again."),
    ):
        Problem.objects.filter(pk=problem.pk).update(state=state, ended_at=timezone.now())
        html = client.get(address).content.decode()
        assert f"</strong> {said} What failed meanwhile can be replayed.</div>" in html
        assert button in html
        assert "Replay what failed when" not in html
    delivery_of(failed.event, m.connector, "waiting", replay_of=failed)
    html = client.get(address).content.decode()
    assert "</strong> Nothing any more: it was closed, and opens anew if it happens again. All that failed was" in html
    assert button not in html
