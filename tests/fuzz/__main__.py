"""``make fuzz``: start Signalbox with a receiver that answers nonsense, ask everything, say what was heard.

Ends with 1 if there was an answer of 500 or more, none at all, one that takes longer than a second, or a delivery that
got stuck.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tests.fuzz import asking, plan
from tests.process.receiver import Receiver
from tests.process.server import Server

OWNER = {"ADMIN_EMAIL": "fuzz@example.com", "ADMIN_PASSWORD": "correct horse staple"}
# What a service may say about coming again, and must not be believed beyond six hours.
WAITS = ("", "0", "-1", "1", "30", "1e9", "9" * 400, "NaN", "inf", "\xff", "soon", "Wed, 21 Oct 2015 07:28:00 GMT",
         "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 00 Foo 0000 99:99:99 XYZ", "1.5", "0x10", " 5 ", "1, 2")  # fmt: skip
FILTERS = ("properties.a > 1", "contains(event, 'e')", "match(event, '*a*')", "typeof(properties.a) = 'number'",
           "length(userId) > 3", "lowercase(event) = 'e'", "!(userId = null) and properties.v != 'x'",
           "event = 'e' or traits.a.b.c >= 10", "context.ip != properties.0")  # fmt: skip
UNCHANGED_FOR = 60.0  # seconds
SHOWN = 20  # of each sort of what is wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same requests")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    receiver = Receiver()
    with tempfile.TemporaryDirectory(prefix="signalbox-fuzz-") as directory:
        server = Server(Path(directory), **OWNER, RATE_LIMIT_REFUSED="0", LOG_LEVEL="ERROR")
        try:
            wrong = _run(server, receiver, options.seed)
        finally:
            server.close()
            receiver.close()
            log = Path(tempfile.gettempdir()) / f"signalbox-fuzz-{_database(server)}.log"
            log.write_text("\n".join(line for run in server.runs for line in run.lines) + "\n", encoding="utf-8")
            print(f"What the server printed: {log}")
    shown: Counter[str] = Counter()
    for words in wrong:
        shown[words.partition(" ")[0]] += 1
        if shown[words.partition(" ")[0]] <= SHOWN:
            print(f"WRONG  {words}")
    print(f"{len(wrong)} things are wrong. The same again: --seed {options.seed}" if wrong else "Nothing went wrong.")
    return 1 if wrong else 0


def _run(server: Server, receiver: Receiver, number: int) -> list[str]:
    started = time.monotonic()
    server.start()
    keys = _configure(server, receiver)
    schema = server.request("GET", "/api/v1/schema/")[2]
    session = asking.sign_in(server.port, OWNER["ADMIN_EMAIL"], OWNER["ADMIN_PASSWORD"])
    server.send(keys["segment"], "first", event="first")
    server.api("GET", "/sources/")  # makes the token
    pages, calls = _addresses()
    asks = plan.everything(keys, pages, calls, json.loads(schema), number)
    heard = asking.ask_all(asks, server.port, session, server.token)
    slow = asking.still_slow(heard, server.port, session, server.token)
    stuck = _settle(server)
    errors = [line for line in server.runs[-1].lines if "ERROR" in line or "Traceback" in line]
    _report(server, heard, slow, stuck, time.monotonic() - started)
    return [*heard.bad, *slow, *stuck, *(f"in the log: {line[:200]}" for line in errors)]


def _configure(server: Server, receiver: Receiver) -> dict[str, str]:
    keys = {name: f"wk_fuzz_{name}" for name in ("segment", "customerio", "surveys", "few")}
    sources: list[dict[str, Any]] = [
        {"name": name, "vendor": "segment" if name == "few" else name, "write_keys": [{"label": "main", "key": key}]}
        for name, key in keys.items()
    ]
    base: dict[str, Any] = {"vendor": "webhook", "sources": list(keys), "settings": {"url": f"{receiver.url}/ok"}}
    novu = {"name": "novu", "vendor": "novu", "sources": list(keys), "endpoint": receiver.url}
    connectors = [{**base, "name": "plain"}, {**novu, "secrets": {"api_key": "k" * 32}}]
    base |= {"sources": ["few"], "retry": [1, 1]}
    for at, wait in enumerate(WAITS):
        status = (429, 503, 200)[at % 3]
        receiver.answer(f"/wait{at}", (status, {"Retry-After": wait} if wait else {}, b'{"a":' * at))
        connectors.append({**base, "name": f"wait {at}", "settings": {"url": f"{receiver.url}/wait{at}"}})
    for at, words in enumerate(FILTERS):
        filters = [{"if": words, "then": ("drop", "only_send")[at % 2]}]
        connectors.append({**base, "name": f"filter {at}", "filters": filters})
    server.configure(sources, connectors)
    return keys


def _addresses() -> tuple[list[str], list[str]]:
    """The console's pages and the API's calls that can be looked at, from the table of who may do what."""

    table = json.loads((Path(__file__).resolve().parent.parent / "matrix.json").read_text())
    names = defaultdict(lambda: "1", service="segment")
    shown = {route: row.get("path", route) for route, row in table.items() if row["get"].split()[-1] == "200"}
    paths = {route: f"{path}".partition("?")[0].format_map(names) for route, path in shown.items()}
    pages = [f"/{path}" for route, path in paths.items() if not route.startswith(("^", "api/"))]
    return pages, [path.removeprefix("api/v1/") for path in paths.values() if path.startswith("api/v1/")]


def _settle(server: Server) -> list[str]:
    """What nobody works on: something is on its way or due, and for a minute nothing has happened to any of it. A
    resting connector's are taken one every few seconds, and that takes its time."""
    cast, now = ("::text", "now()") if "DATABASE_URL" in server.store.environment else ("", "datetime('now')")
    sql = f"""
        SELECT c.name, d.status, d.id, d.next_attempt_at{cast} FROM deliveries_delivery d
        JOIN integrations_connector c ON c.id = d.connector_id
        WHERE d.status IN ('waiting', 'sending', 'retrying') AND c.status = 'active'
        AND (d.status <> 'retrying' OR d.next_attempt_at < {now}) ORDER BY d.id"""  # noqa: S608 - ours
    before, deadline = None, time.monotonic() + UNCHANGED_FOR
    while rows := server.store.query(sql):
        if rows != before:
            before, deadline = rows, time.monotonic() + UNCHANGED_FOR
        if time.monotonic() > deadline:
            return [f"stuck: {status} since {due} (delivery {pk} to {name})" for name, status, pk, due in rows]
        time.sleep(1)
    return []


def _report(server: Server, heard: asking.Heard, slow: list[str], stuck: list[str], seconds: float) -> None:
    statuses = sorted({status for _, status in heard.statuses})
    parts = list(dict.fromkeys(part for part, _ in heard.statuses))
    rows = [(part, [heard.statuses[part, status] for status in statuses]) for part in parts]
    rows.append(("all", [sum(column) for column in zip(*(counts for _, counts in rows), strict=True)]))
    for title, counts in [(f"answers on {_database(server)}", statuses), *rows]:
        print(f"{title:24}" + "".join(f"{count:>8}" for count in counts))
    total, errors = heard.statuses.total(), len(heard.bad)
    done = dict(server.store.query("SELECT status, count(*) FROM deliveries_delivery GROUP BY status"))
    print(f"{total} requests in {seconds:.0f} s: {errors} answered 500 or more or not at all, the slowest after")
    print(f"{heard.slowest:.2f} s, {len(heard.slow)} slower than a second, {len(slow)} of them when asked again alone; "
          f"{len(stuck)} stuck")  # fmt: skip
    for took, ask in sorted(heard.slow, key=lambda pair: -pair[0])[:SHOWN]:
        print(f"  {took:.2f} s  {ask.method} {ask.path[:100]}")
    print(f"of the deliveries, {done}")


def _database(server: Server) -> str:
    return "PostgreSQL" if "DATABASE_URL" in server.store.environment else "SQLite"


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
