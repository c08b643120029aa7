"""The traps in how people have connected SuprSend by hand: see test_traps.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vendors.talk import SUPRSEND, identify, send


def operations(event: dict[str, Any], **connector: Any) -> list[dict[str, Any]]:
    return send(SUPRSEND, event, **connector).json["operations"]


def test_trap_21_channels_are_mapped_by_hand() -> None:
    """The guide's example says slack_email, its table slackEmail: neither works unless it is mapped."""
    event = identify(slack_email="a@example.com")
    secrets = {"api_key": "k", "slack_access_token": "xoxb-1"}
    assert operations(event, secrets=secrets) == [{"$set": {"slack_email": "a@example.com"}}]
    assert operations(event, secrets=secrets, channels={"slack_email": "slack_email"})[1:] == [
        {"$append": {"$slack": {"email": "a@example.com", "access_token": "xoxb-1"}}}
    ]
    assert SUPRSEND.default_channels == ("email", "sms")
    assert {slug: trait for slug, _, trait in SUPRSEND.channels} == {
        "email": "email",
        "sms": "phone",
        "whatsapp": "whatsapp",
        "slack_email": "slackEmail",
        "slack_user_id": "slackUserID",
        "androidpush_fcm": "fcmAndroidpush",
        "androidpush_xiaomi": "xiaomiAndroidpush",
        "iospush_apns": "apnsIospush",
    }


def test_trap_22_the_prefix_keeps_its_space() -> None:
    """Running text and form fields lose the space after the colon."""
    assert SUPRSEND.offered_prefix == "segment : "
    event = {"type": "track", "event": "User Registered", "userId": "u1"}
    assert send(SUPRSEND, event, prefix=SUPRSEND.offered_prefix).json["event"] == "segment : User Registered"
    assert send(SUPRSEND, event).json["event"] == "User Registered"


def test_trap_23_channels_are_appended_and_we_say_so() -> None:
    """An old address keeps getting messages: nobody may be surprised by that."""
    assert {"$append": {"$email": "new@example.com"}} in operations(identify(email="new@example.com"))
    assert any("notifies the person at both" in step for step in SUPRSEND.prepare)


@pytest.mark.parametrize(("given", "sent"), [("hi", "hi"), ("HI", "hi"), ("english", ""), ("hi-IN", ""), ("xx", "")])
def test_trap_24_only_a_language_code_is_a_language(given: str, sent: str) -> None:
    """Anything else is ignored silently there; here that key alone is left out, with a note."""
    request = send(SUPRSEND, identify(language=given, plan="pro"), preferences={"preferred_language": "language"})
    expected = [{"$set": {"language": given, "plan": "pro"}}]
    expected += [{"$set": {"$preferred_language": sent}}] if sent else []
    assert request.json["operations"] == expected
    assert [given in note for note in request.notes] == ([] if sent else [True])


def test_trap_25_traits_are_no_operators() -> None:
    """A trait named $unset or $email would act as SuprSend's own."""
    request = send(SUPRSEND, identify(**{"$unset": ["plan"], "$email": "x@example.com", "plan": "pro"}))
    assert request.json == {"operations": [{"$set": {"plan": "pro"}}]}
    assert request.notes == ("Left out: $unset, $email. Traits that begin with $ are SuprSend's own.",)
