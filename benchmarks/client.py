"""Segment's official client for Python, as people use it: ``python -m benchmarks.client PORT KEY EVENTS`` sends so many
track calls, waits until the client has done what it can, and prints what it sent as JSON."""

from __future__ import annotations

import json
import sys

from segment.analytics.client import Client


def main(port: str, key: str, events: str) -> None:
    errors: list[str] = []
    client = Client(
        write_key=key,
        host=f"http://127.0.0.1:{port}",
        upload_size=20,
        on_error=lambda error, _: errors.append(str(error)),
    )
    ids = [f"client-{port}-{number}" for number in range(int(events))]
    for number, message_id in enumerate(ids):
        client.track(f"user-{number}", "Order Completed", {"total": number}, message_id=message_id)
    client.shutdown()
    print(json.dumps({"ids": ids, "errors": errors}))


if __name__ == "__main__":
    main(*sys.argv[1:])
