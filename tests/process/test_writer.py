"""The thread that stores events fails for a reason that nobody foresaw: no sender waits for ever."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.process.server import Server
from tests.process.waiting import eventually

REQUESTS, EVENTS = 4, 1500  # the thread takes at most two of these requests at once


def test_its_process_asks_who_waits_to_come_again_and_is_started_anew(tmp_path: Path) -> None:
    fault = tmp_path / "fault"
    faulty = {"PYTHONPATH": str(Path(__file__).parent / "faulty"), "FAULTY": str(fault)}
    server = Server(tmp_path, WEB_PROCESSES="1", **faulty)
    try:
        server.start("--web-only")
        key = server.add("writer", status="off", settings={"url": "http://127.0.0.1:9/"})
        [before] = [process.pid for process in server.processes("web")]
        batches = [[f"{request}-{number}" for number in range(EVENTS)] for request in range(REQUESTS)]

        def post(ids: list[str]) -> int:
            batch = [{"type": "track", "event": "e", "userId": "u", "messageId": name} for name in ids]
            return server.post("/v1/batch", {"batch": batch}, key)[0]

        fault.touch()
        with ThreadPoolExecutor(REQUESTS) as pool:
            with server.store.locked():
                asked = [pool.submit(post, ids) for ids in batches]
                time.sleep(1)  # the first is in the thread's hands, and the others wait
            statuses = [answer.result(60) for answer in asked]
        assert set(statuses) == {200, 503}
        eventually(lambda: before not in [process.pid for process in server.processes("web")], "the process ends")
        fault.unlink()
        assert [post(ids) for ids in batches] == [200] * REQUESTS
        stored = server.store.query("SELECT message_id FROM deliveries_event")
        assert sorted(name for (name,) in stored) == sorted(name for ids in batches for name in ids)
        assert [line for line in server.runs[0].lines if "The web process 1 ended" in line]
    finally:
        server.close()
