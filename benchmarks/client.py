"""Segment's official client for Python, as people use it: ``python -m benchmarks.client PORT KEY EVENTS SECONDS`` sends
so many track calls, spread over the seconds, waits until the client has done what it can, and prints what it sent as
JSON. ``client.mjs`` does the same with the one for Node."""

from __future__ import annotations

import json
import sys
import time

from segment.analytics.client import Client


def main(port: str, key: str, events: str, seconds: str) -> None:
    errors: list[str] = []
    client = Client(
        write_key=key,
        host=f"http://127.0.0.1:{port}",
        upload_size=20,
        on_error=lambda error, _: errors.append(str(error)),
    )
    ids = [f"client-python-{port}-{number}" for number in range(int(events))]
    for number, message_id in enumerate(ids):
        client.track(f"user-{number}", "Order Completed", {"total": number}, message_id=message_id)
        time.sleep(float(seconds) / len(ids))
    client.shutdown()
    print(json.dumps({"ids": ids, "errors": errors}))


if __name__ == "__main__":
    main(*sys.argv[1:])
