"""What is made up for practice stays on this machine, its alerts too."""

from __future__ import annotations

import pytest
from django.core import mail
from django.utils import timezone

from deliveries import problems
from deliveries.alarm import AlertTarget, Problem
from deliveries.alerts import tell
from tests import rows

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("vendor", "told"), [("practice", 0), ("webhook", 1)])
def test_nobody_outside_is_told_of_a_made_up_service(vendor: str, told: int) -> None:
    now = timezone.now()
    AlertTarget.objects.create(kind="email", address="ann@example.com")
    to = rows.connector(vendor=vendor)
    rows.delivery(to, "failed", cause="key_refused", created_at=now, finished_at=now)
    problems.check(now, tell)
    assert Problem.objects.get().state == "open"
    assert len(mail.outbox) == told
