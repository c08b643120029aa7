"""The practice service's answers: what a real service would say, by a script, without any network. Pure but for time.

``works`` takes everything; ``key`` takes only the right key; ``shaky`` takes everything but a language that is no
two-letter code, and fails between 15 and 40 seconds after it began (where nobody says when: of every minute), half of
the time by not answering.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from integrations.types import OutgoingRequest, Response

SCHEME = "practice://"
GOOD_KEY = "practice-key-ok"
SHAKY = (15, 40)  # seconds after it began


class NoAnswer(Exception):
    """The practice service does not answer this time."""


def answer(request: OutgoingRequest, now: datetime) -> Response:
    """What the practice service says to the request. Raises NoAnswer."""
    url = urlsplit(request.url)
    script = url.path.strip("/")
    if script == "key" and not request.headers.get("Authorization", "").endswith(f" {GOOD_KEY}"):
        return _says(401, "This key is not known, or was replaced.")
    if script == "shaky":
        since = float(parse_qs(url.query).get("since", ["0"])[0])
        age = now.timestamp() - since if since else now.timestamp() % 60
        if SHAKY[0] <= age < SHAKY[1]:
            if int(age) % 2:
                raise NoAnswer
            return _says(503, "We are restarting. Please come again.")
        if (language := _language(request)) and len(language) != 2:
            return _says(400, f"language “{language}” is not a two-letter code")
    return Response(status=200, headers={"content-type": "application/json"}, body=b'{"success": true}', elapsed_ms=12)


def _says(status: int, message: str) -> Response:
    body = orjson.dumps({"success": False, "message": message})
    return Response(status=status, headers={"content-type": "application/json"}, body=body, elapsed_ms=12)


def _language(request: OutgoingRequest) -> str:
    document: Any = request.json if request.json is not None else {}
    traits = document.get("traits") if isinstance(document, dict) else None
    value = traits.get("language") if isinstance(traits, dict) else None
    return value if isinstance(value, str) else ""
