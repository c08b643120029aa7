"""Telling people about problems: by e-mail, in Slack, by a signed webhook. A target that fails keeps its error; the
others are told all the same."""

from __future__ import annotations

import logging
from smtplib import SMTPException

import orjson
from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone
from standardwebhooks import Webhook

from deliveries import explained, recipients
from deliveries.alarm import AlertTarget, Problem
from deliveries.engine.send import Sender, SendFailed
from integrations import clock, installation, registry
from integrations.numbers import thousands
from integrations.types import OutgoingRequest

log = logging.getLogger("signalbox.alerts")
Kind = AlertTarget.Kind
FIRST = {"opened": "Problem", "reminder": "Still a problem", "ended": "Solved"}


def tell(problem: Problem, what: str) -> None:
    """To whom its rule names. Never raises: a problem stays on its page whatever becomes of the messages. Of a made-up
    service nobody is told: nothing of practice leaves this machine."""
    vendor = registry.get(problem.connector.vendor) if problem.connector else None
    if vendor is not None and vendor.made_up:
        return
    title = f"{FIRST[what]}: {problem.title}"
    seen = "Seen once." if problem.count == 1 else f"Seen {thousands(problem.count)} times."
    text = f"{title}\n\n{_sentences(problem, what)}\n\n{seen}{_links(problem)}"
    for target in recipients.of(problem.kind, problem.connector_id):
        send(target, title, text, {"type": f"problem.{what}", "problem": _document(problem)})


def send_test(target: AlertTarget) -> str:
    """A test message; returns what went wrong, "" when nothing did."""
    here = installation.address()
    text = f"""This is a test alert from Signalbox. Nothing is wrong.

See what is open: {here}/problems/
Change who is told: {here}/alerts/"""
    return send(target, "Test alert", text, {"type": "test", "text": text})


def send(target: AlertTarget, title: str, text: str, document: dict[str, object]) -> str:
    try:
        if target.kind in (Kind.EMAIL, Kind.PERSON):
            sender = getattr(settings, "DEFAULT_FROM_EMAIL", None)
            address = target.person.email if target.person else target.address
            send_mail(f"[Signalbox] {title}"[:200], text, sender, [address], fail_silently=False)
        else:
            _post(target, {"text": text} if target.kind == Kind.SLACK else {**document, "text": text})
        error = ""
    except (SMTPException, OSError, SendFailed, ValueError) as failure:
        error = str(getattr(failure, "detail", "") or failure)[:300] or type(failure).__name__
        log.warning("Alert to %s failed: %s", target, error)
    AlertTarget.objects.filter(pk=target.pk).update(
        last_error=error, **({} if error else {"last_sent_at": timezone.now()})
    )
    return error


def _post(target: AlertTarget, document: dict[str, object]) -> None:
    body = orjson.dumps(document)
    headers = {"Content-Type": "application/json"}
    now = timezone.now()
    if target.kind == Kind.WEBHOOK and (secrets := target.secrets_at(now)):
        identifier = f"alert_{now:%Y%m%d%H%M%S%f}"
        headers |= {
            "webhook-id": identifier,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Webhook(one).sign(identifier, now, body.decode()) for one in secrets),
        }
    sender = Sender()
    try:
        answer = sender.send(OutgoingRequest(url=target.address, headers=headers, body=body))
    finally:
        sender.close()
    if not 200 <= answer.status < 300:
        raise ValueError(f"It answered {answer.status}: {answer.text[:150]}")


def _sentences(problem: Problem, what: str) -> str:
    """As on the problem's page."""
    with clock.told_in(installation.zone()):
        said = explained.of_problem(problem, timezone.now())
    if what != "ended":
        return f"{said.headline} {said.explanation}\nWhat to do: {said.what_to_do}"
    missed = " What failed meanwhile can be replayed from its page." if problem.cause else ""
    return f"Nothing has to be done: this is over. It was: {said.headline}{missed}"


def _links(problem: Problem) -> str:
    """Two links: where to see it, and where to fix it, or to see whether it is fixed."""
    here = installation.address()
    fix = f"connectors/{problem.connector_id}/" if problem.connector_id else "settings/#health"
    return f"\nSee it: {here}/problems/{problem.pk}/\nFix it: {here}/{fix}"


def _document(problem: Problem) -> dict[str, object]:
    row = problem.connector
    return {
        "id": problem.pk,
        "connector": {"id": row.pk, "name": row.name, "vendor": row.vendor} if row else None,
        "kind": problem.kind,
        "cause": problem.cause,
        "count": problem.count,
        "opened_at": problem.opened_at.isoformat(),
    }
