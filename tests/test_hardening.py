"""What browsers are told, and that the settings for production leave Django nothing to warn of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from config.models import User
from tests.console import person

ROOT = Path(__file__).resolve().parent.parent
TELL = (
    "from django.conf import settings as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS)"
)


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_nothing_to_warn_of_in_production() -> None:
    found = manage("check", "--deploy", "--fail-level", "WARNING", HTTPS_ONLY="true")
    assert (found.returncode, "no issues" in found.stdout) == (0, True), found.stderr
    assert manage("check", "--deploy", "--fail-level", "WARNING", HTTPS_ONLY="false").returncode == 1


def test_behind_tls() -> None:
    assert manage("shell", "--no-imports", "-c", TELL, HTTPS_ONLY="true").stdout.split() == ["True", "True", "31536000"]
    assert manage("shell", "--no-imports", "-c", TELL).stdout.split() == ["False", "False", "0"]


@pytest.mark.django_db
def test_headers_of_every_kind_of_page() -> None:
    m = person("owner")
    for path in ("/", "/login/", "/deliveries/", "/nowhere/", "/two-step/", "/api/v1/deliveries/", "/setup/x"):
        answer = m.get(path)
        policy = answer["Content-Security-Policy"]
        assert "unsafe" not in policy, path
        for directive in (
            "default-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ):
            assert directive in policy, path
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.django_db
def test_a_session_that_somebody_planted_is_not_the_one_signed_in() -> None:
    User.objects.create_user("ada@example.com", "correct horse staple", name="Ada")
    client = Client()
    client.get("/login/")
    client.session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = planted = client.session.session_key
    answer = client.post("/login/", {"username": "ada@example.com", "password": "correct horse staple"})
    cookie = answer.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie.value != planted
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert answer.wsgi_request.META["CSRF_COOKIE"]


@pytest.mark.django_db
def test_signing_out_ends_the_session_for_good() -> None:
    client = person("owner")
    stolen = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post("/logout/")
    client.cookies[settings.SESSION_COOKIE_NAME] = stolen
    assert client.get("/")["Location"].startswith("/login/")


@pytest.mark.django_db
def test_a_new_password_ends_the_other_sessions() -> None:
    first, second = person("owner"), person("owner")
    user = User.objects.get(email="owner@example.com")
    user.set_password("correct horse staple")
    user.save()
    for client in (first, second):
        assert client.get("/")["Location"].startswith("/login/")


@pytest.mark.django_db
def test_a_mistake_of_ours_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("secret inner words")

    client = person("viewer")
    client.raise_request_exception = False
    monkeypatch.setattr("config.site.ConsoleSite.each_context", broken)
    answer = client.get("/")
    said = answer.content.decode()
    assert (answer.status_code, "secret inner words" in said) == (500, False)
    assert "<h1>Something went wrong here</h1>" in said
    assert "What came in is safe" in said


@pytest.mark.django_db
def test_a_page_that_was_open_for_too_long_says_so() -> None:
    """Somebody signed in in another tab: the form here carries a secret that counts no more."""
    answer = Client(enforce_csrf_checks=True).post("/login/", {"username": "a@example.com", "password": "x"})
    html = answer.content.decode()
    assert (answer.status_code, "<h1>This page was open for too long</h1>" in html) == (403, True)
    assert "CSRF" not in html


@pytest.mark.django_db
def test_who_is_locked_out_reads_for_how_long_and_what_to_do() -> None:
    User.objects.create_user("owner@example.com", "correct horse staple", role="owner")
    browser = Client()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = browser.post("/login/", {"username": "owner@example.com", "password": "guess"})
    html = answer.content.decode()
    assert (answer.status_code, "<h1>Too many tries to sign in</h1>" in html) == (429, True)
    assert "for a quarter of an hour nobody can sign in with this e-mail" in html


@pytest.mark.django_db
def test_another_password_is_asked_for_in_the_words_of_the_set_up_page() -> None:
    client = person("owner")
    html = client.get("/password_change/").content.decode()
    assert "At least 10 characters, not only digits, and not one of the common ones." in html
    wrong = {"old_password": "x", "new_password1": "correct horse staple", "new_password2": "another"}
    html = client.post("/password_change/", wrong).content.decode()
    assert "This is not your password now. Capital letters count." in html
    assert "The two are not the same. Type the new password twice." in html
