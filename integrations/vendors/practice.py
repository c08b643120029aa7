"""Practice service: a stand-in for a real one, for looking around without any account. Nothing leaves the machine.

Documentation: https://www.rfc-editor.org/rfc/rfc9110 (its answers are plain HTTP). The engine answers ``practice://``
addresses itself, by a script (``deliveries.engine.practice``): the rest of the road is that of every other service.
"""

from __future__ import annotations

from integrations.types import (
    ConnectorConfig,
    Event,
    EventKind,
    OutgoingRequest,
    Region,
    Setting,
    Vendor,
)

ADDRESS = "practice://service"
SCRIPTS = (
    ("works", "Works"),
    ("key", "Wants the right key"),
    ("shaky", "Is down for 25 seconds, then works"),
)
SETTINGS = (
    Setting(
        name="script",
        label="How it behaves",
        kind="choice",
        required=False,
        default="works",
        choices=SCRIPTS,
        help="There is no real service behind this connector. Choose how the made-up one answers.",
    ),
    Setting(
        name="api_key",
        label="Key",
        secret=True,
        required=False,
        help="Where it “wants the right key”, it refuses every other.",
        where_to_find="The right key is practice-key-ok.",
    ),
)


def build(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    return OutgoingRequest(
        url=f"{config.base_url}/{config.setting('script', 'works')}?since={config.setting('since', 0)}",
        headers={"Authorization": f"Bearer {config.secret('api_key')}", "Content-Type": "application/json"},
        json=event.payload,
    )


VENDOR = Vendor(
    slug="practice",
    label="Practice service",
    summary="A made-up service for looking around. Nothing leaves this machine.",
    docs_url="",
    prepare=("Nothing: it needs no account.",),
    settings=SETTINGS,
    regions=(Region(slug="here", label="This machine", base_url=ADDRESS),),
    allowed_hosts=("service",),
    builders=dict.fromkeys(EventKind, build),
    test_event={
        "type": "track",
        "event": "Response Submitted",
        "userId": "user_123",
        "properties": {"survey_id": "srv_1", "response_id": "resp_1", "score": 9},
    },
)
