"""A way to check a key without side effects: ask for something that is not there. The underscore: not a vendor."""

from __future__ import annotations

from integrations.types import ConnectorConfig, Disposition, Response, Verdict
from integrations.verdicts import by_status

NOBODY = "signalbox-key-check"


def judge_lookup(response: Response, config: ConnectorConfig) -> Verdict:
    """A 404 with a JSON body comes from the service itself, after it took the key; any other 404 is a wrong address."""
    if 200 <= response.status < 300 or (response.status == 404 and isinstance(response.json(), dict)):
        return Verdict(disposition=Disposition.DELIVERED, detail="The service accepts this key.")
    return by_status(response)
