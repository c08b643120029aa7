"""States that ordinary use seldom shows: long and foreign texts everywhere, and forms that come back with mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from django.utils import timezone
from django_q.models import Schedule, Task

from config.models import User
from deliveries.alarm import AlertTarget, Problem
from deliveries.models import Delivery
from integrations import history
from integrations.models import Connector, EventRule, Source
from tests.browser.places import Step, opens, presses
from tests.console import attempt_of, delivery_of, event_of

LONG = "Segment – production for the marketing automation team in Frankfurt, in place of the one of spring 25"[:100]
UNBROKEN = "segment_production_marketing_automation_frankfurt_in_place_of_the_one_of_spring_2025_and_of_autumn_24"[:100]
ARABIC = "متصل الإنتاج – فريق التسويق في الشرق الأوسط"
JAPANESE = "本番環境のコネクタ(マーケティング部、東京)"
EMAIL = "annemarie.vandenberg-hollingsworth.marketing.automation@subsidiary.international-holding.example.com"
EVENTS = (
    "Checkout Completed With Gift Card And Loyalty Points In The Mobile App (Android, Beta Channel)",
    "customerio:email_delivered_after_the_second_attempt_in_the_european_region_by_the_fallback_provider",
    "تم إكمال الطلب",
    "注文が完了しました",
)
ANSWER = '{"message": "' + "The property “plan” is not one of those that the workflow knows; " * 8 + '"}'


def of_extremes(m: Any) -> dict[str, tuple[str, Step | None]]:
    now = timezone.now()
    source = Source.objects.create(name=UNBROKEN.replace("segment", "website"))
    same = {"vendor": "segment", "secrets": m.connector.secrets, "region": m.connector.region, "tested_at": now}
    rows = [Connector.objects.create(name=name, **same) for name in (LONG, UNBROKEN, ARABIC, JAPANESE)]
    for number, (row, name) in enumerate(zip(rows, EVENTS, strict=True), 20):
        row.sources.add(source, m.source)
        EventRule.objects.create(connector=row, kind="track", name=name, send_as=f"{name} (renamed)"[:200])
        person = EMAIL if number % 2 else UNBROKEN
        body = orjson.dumps({"type": "track", "event": name, "userId": person, "messageId": UNBROKEN + str(number)})
        event = event_of(
            source, number, name=name, user_id=person, message_id=UNBROKEN + str(number), body=body.decode()
        )
        failed = delivery_of(event, row, "failed", "data_refused", attempts=1, sent_as=f"{name} (renamed)"[:200])
        attempt_of(failed, 422, ANSWER)
        Delivery.objects.filter(pk=failed.pk).update(detail=ANSWER[13:213])
        Problem.objects.create(connector=row, kind="failing", cause="data_refused", sample=failed, count=123_456)
    Connector.objects.filter(pk=rows[0].pk).update(
        status="paused", status_by=EMAIL, status_at=now, status_reason=LONG, notes=UNBROKEN
    )
    Connector.objects.filter(pk=m.paused.pk).update(name="Customer data platform (Frankfurt)")
    User.objects.create_user(EMAIL, name=LONG, role="editor")
    AlertTarget.objects.create(kind="email", name=EMAIL, address=EMAIL, last_error=ANSWER[13:213])
    history.record(EMAIL, rows[1], "Changed the prefix", [("prefix", UNBROKEN, ARABIC)])
    places = {
        "overview": "/",
        "deliveries": "/deliveries/?view=look",
        "delivery": f"/deliveries/{failed.pk - 2}/",
        "delivery-foreign": f"/deliveries/{failed.pk - 1}/",
        "events": "/events/",
        "event": f"/events/{event.pk - 2}/",
        "names": "/names/",
        "person": f"/find/?q={EMAIL}",
        "erase": f"/find/erase/?q={EMAIL}",
        "problems": "/problems/",
        "problem": f"/problems/{Problem.objects.get(connector=rows[1]).pk}/",
        "books": "/books/",
        "replay-new": f"/replays/new/?status=failed&connector={rows[1].pk}",
        "connectors": "/connectors/",
        "connector": f"/connectors/{rows[0].pk}/",
        "connector-foreign": f"/connectors/{rows[2].pk}/",
        "test": f"/connectors/{rows[1].pk}/test/",
        "sources": "/sources/",
        "source": f"/sources/{source.pk}/",
        "alerts": "/alerts/",
        "history": "/history/",
        "people": "/people/",
    }
    return {f"extreme-{name}": (address, None) for name, address in places.items()}


def of_mistakes(m: Any) -> dict[str, tuple[str, Step | None]]:
    """Every form as it comes back when it is sent empty or wrong."""
    return {
        "mistake-wizard": ("/connectors/new/webhook/", wrong("Save and continue", setting_url="no address")),
        "mistake-wizard-name": ("/connectors/new/novu/", wrong("Save and continue", name=m.connector.name)),
        "mistake-connector": (f"/connectors/{m.connector.pk}/", _wrong_rows),
        "mistake-turn-off": (f"/connectors/{m.connector.pk}/", wrong("Turn off", **{"off-name": "another"})),
        "mistake-test": (f"/connectors/{m.connector.pk}/test/", _wrong_paste),
        "mistake-source": ("/sources/add/?service=segment", wrong("Make the source and its key", name=m.source.name)),
        "mistake-source-settings": (f"/sources/{m.source.pk}/", wrong("Save", name="", rate_limit_per_second="-1")),
        "mistake-address": ("/addresses/add/", wrong("Save", base_url="ftp://x")),
        "mistake-person": ("/people/add/", wrong("Save", email="no address", password="short")),
        "mistake-password": ("/password_change/", wrong("Change my password", old_password="x", new_password1="y")),
        "mistake-token": ("/tokens/", wrong("Make the token")),
        "mistake-alert": ("/alerts/", wrong("Add", exact=True, address="no address")),
        "mistake-import": ("/settings/import/", _wrong_file),
        "mistake-erase": ("/find/erase/?q=user_1", wrong("Erase this person", confirm="user_2")),
        "mistake-search": ("/find/?q=%00", None),
        "mistake-filter": ("/deliveries/?since=yesterday", None),
        "mistake-replay": ("/replays/new/?status=nothing", None),
        "mistake-books": ("/books/?day=tomorrow", None),
        "menu": ("/deliveries/", _menu),
        "between": ("/deliveries/", opens("Between")),
    }


def of_jobs(m: Any) -> dict[str, tuple[str, Step | None]]:
    """django-q2's own pages, with something on them."""
    now = timezone.now()
    common = {"func": "deliveries.tasks.drain", "started": now, "stopped": now, "args": (1,), "kwargs": {}}
    done = Task.objects.create(id="a" * 32, name="bravo-mango-lima-nine", success=True, result="3 sent", **common)
    failed = Task.objects.create(id="b" * 32, name="oscar-tango", success=False, result="Traceback: no space", **common)
    plan = Schedule.objects.create(name="sweep", func="deliveries.tasks.sweep", schedule_type="I", minutes=1)
    return {
        "queue-schedules": ("/django_q/schedule/", None),
        "queue-schedule": (f"/django_q/schedule/{plan.pk}/change/", None),
        "queue-done": ("/django_q/success/", None),
        "queue-done-one": (f"/django_q/success/{done.pk}/change/", None),
        "queue-failed": ("/django_q/failure/", None),
        "queue-failed-one": (f"/django_q/failure/{failed.pk}/change/", None),
        "queue": ("/django_q/", None),
    }


def wrong(button: str, exact: bool = False, **values: str) -> Callable[[Any], None]:
    """Filled in so and sent, past the browser's own checks."""

    def send(at: Any) -> None:
        at.evaluate("document.querySelectorAll('form').forEach(form => { form.noValidate = true; })")
        for name, value in values.items():
            field = at.locator(f"main [name='{name}'], main #{name}").first
            field.evaluate("(element, value) => { element.value = value; }", value)
        with at.expect_navigation():
            at.locator("main").get_by_role("button", name=button, exact=exact).first.click()

    return send


def _wrong_rows(at: Any) -> None:
    at.evaluate("document.querySelectorAll('form').forEach(form => { form.noValidate = true; })")
    at.get_by_role("button", name="Add a filter").click()
    at.locator("#filters-rows input[type=text], #filters-rows textarea").first.fill("properties.plan = = 'free'")
    at.fill("#id_endpoint", "http://10.0.0.5/")
    at.fill("#id_max_concurrency", "-3")
    presses("Save changes")(at)


def _wrong_paste(at: Any) -> None:
    at.select_option("#sample", "paste")  # opens the field
    at.fill("#pasted", '{"type": "track", "event": ')
    presses("Send a test event")(at)


def _wrong_file(at: Any) -> None:
    file = {
        "name": "wrong.json",
        "mimeType": "application/json",
        "buffer": b'{"version": 1, "connectors": [{"name": 3}]}',
    }
    at.locator("input[type=file]").set_input_files([file])
    presses("See what it changes")(at)


def _menu(at: Any) -> None:
    if at.locator(".phone-menu > summary").is_visible():
        at.locator(".phone-menu > summary").click()
