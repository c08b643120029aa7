"""No secret reaches the log, in none of its spellings, and what is no secret stays readable."""

import base64
import json
import time
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.core import redact

KEY = "wk_live_9f3c77aa4f2a"


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", f"Basic {basic(KEY + ':')}", "Basic ••••4f2a"),
        ("authorization", f"basic {basic('me@example.com:EE6AA8565F29')}", "basic ••••5F29"),
        ("Authorization", "Basic not-base64-at-all", "Basic ••••-all"),
        ("Authorization", f"Bearer {KEY}", "Bearer ••••4f2a"),
        ("Authorization", f"ApiKey {KEY}", "ApiKey ••••4f2a"),
        ("Authorization", KEY, "••••4f2a"),
        ("Authorization", "Bearer short", "Bearer ••••"),
        ("Authorization", "Bearer elevenchars", "Bearer ••••"),
        ("Authorization", "Bearer twelve_chars", "Bearer ••••hars"),
        ("Authorization", "", ""),
        ("Proxy-Authorization", f"Bearer {KEY}", "Bearer ••••4f2a"),
        ("X-Api-Key", KEY, "••••4f2a"),
        ("apikey", KEY, "••••4f2a"),
        ("X-Auth-Token", KEY, "••••4f2a"),
        ("X-My-Secret", KEY, "••••4f2a"),
        ("Ocp-Apim-Subscription-Key", KEY, "••••4f2a"),
        ("Cookie", "session=abcdefghijkl; theme=dark", "••••"),
        ("Set-Cookie", "session=abcdefghijkl; Path=/", "••••"),
        ("Content-Type", "application/json", "application/json"),
        ("Idempotency-Key", "a-b-c-d-e-f-g-h", "a-b-c-d-e-f-g-h"),
        ("WWW-Authenticate", 'Basic realm="api"', 'Basic realm="api"'),
        ("webhook-signature", "v1,g0hM9SsE", "v1,g0hM9SsE"),
        ("User-Agent", "Signalbox/1", "Signalbox/1"),
    ],
)
def test_header(name: str, value: str, shown: str) -> None:
    assert redact.headers({name: value}) == {name: shown}


def test_secrets_are_taken_out_of_ordinary_headers_too() -> None:
    given_headers = {"X-Custom": f"id={KEY}", "Content-Length": 12}
    assert redact.headers(given_headers, [KEY]) == {"X-Custom": "id=••••4f2a", "Content-Length": "12"}
    assert given_headers["X-Custom"] == f"id={KEY}"


@pytest.mark.parametrize(
    "spelled",
    [
        KEY,
        basic(KEY + ":"),
        basic(KEY + ":").rstrip("="),
        basic(":" + KEY),
        basic(KEY),
        basic(KEY).rstrip("="),
    ],
)
def test_text_without_a_plain_secret(spelled: str) -> None:
    assert redact.text(f"before {spelled} after", [KEY]) == "before ••••4f2a after"


@pytest.mark.parametrize(
    "spell",
    [
        orjson.dumps,
        json.dumps,
        lambda secret: quote(secret, safe=""),
        lambda secret: quote(secret, safe="").lower(),
        quote_plus,
        lambda secret: basic(secret + ":"),
        lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    ],
)
def test_text_without_a_secret_full_of_special_characters(spell) -> None:
    secret = 'p/ä+"\\ ?x&yÿÿÿ9999'
    spelled = spell(secret)
    spelled = spelled.decode() if isinstance(spelled, bytes) else spelled
    result = redact.text(f"<{spelled}>", [secret])
    assert result.replace('"', "") == "<••••9999>"


def test_short_secrets_show_nothing_and_very_short_ones_are_left() -> None:
    assert redact.text("the key elevenchars is bad", ["elevenchars"]) == "the key •••• is bad"
    assert redact.text("the key abcd is bad", ["abcd"]) == "the key •••• is bad"
    assert redact.text("the key abc is bad", ["abc", "", None]) == "the key abc is bad"


def test_the_longest_secret_goes_first() -> None:
    assert redact.text("sk_longer_secret_tail", ["sk_longer", "sk_longer_secret_tail"]) == "••••tail"


def test_every_occurrence_goes() -> None:
    assert redact.text(f"{KEY},{KEY}", [KEY]) == "••••4f2a,••••4f2a"


@given(secret=st.text(min_size=4, max_size=30), around=st.text(alphabet="é漢", max_size=5))
def test_no_secret_survives_in_json_or_alone(secret: str, around: str) -> None:
    document = json.dumps({"echo": around + secret}, ensure_ascii=False)
    escaped = json.dumps(secret, ensure_ascii=False)[1:-1]
    if "•" not in secret and escaped not in json.dumps({"echo": around}, ensure_ascii=False):
        assert escaped not in redact.text(document, [secret])


def test_nothing_to_replace_is_fast() -> None:
    body, secrets = "x" * 32_000, [f"secret-number-{number}" for number in range(10)]
    redact.text(body, secrets)
    started = time.perf_counter()
    for _ in range(20):
        assert redact.text(body, secrets) is body
    assert (time.perf_counter() - started) / 20 < 0.02  # about 0.3 ms


@pytest.mark.parametrize(
    ("value", "limit", "cut"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("abcd", 0, ""),
        ("x" * 2000, 200, "x" * 168 + "… (cut: 2\u00a0000 characters in all)"),
    ],
)
def test_truncate(value: str, limit: int, cut: str) -> None:
    result = redact.truncate(value, limit)
    assert result == cut
    assert len(result) <= limit
