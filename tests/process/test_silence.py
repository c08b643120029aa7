"""Workers that are dead and stay dead: somebody is told, although nothing can be sent; and told again when they are
back."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import processes
from tests.process.browsing import Console
from tests.process.mailbox import Mailbox
from tests.process.receiver import Receiver
from tests.process.server import Server
from tests.process.stores import given_urls
from tests.process.waiting import eventually

EMAIL, PASSWORD = "ann@example.com", "correct horse staple"
LIMITS = {"key_refused": 1, "failing": 5, "overdue": 10, "held": 80, "quiet": 24, "books": 1, "silent": 1}
SILENT = "Nothing is being sent: the workers give no sign of life"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    yield mailbox
    mailbox.close()


@pytest.mark.skipif(bool(given_urls()[0]), reason="takes 3 min and has nothing to do with the database: once is enough")
def test_people_are_told_when_the_workers_are_gone_and_when_they_are_back(
    tmp_path: Path, mailbox: Mailbox, receiver: Receiver
) -> None:
    server = Server(tmp_path, ADMIN_EMAIL=EMAIL, ADMIN_PASSWORD=PASSWORD, EMAIL_URL=mailbox.url)
    try:
        server.start("--web-only")
        workers = server.start("--worker-only")
        receiver.answer("/silence", 200)
        key = server.add("silence", settings={"url": f"{receiver.url}/silence"})
        console = Console(server.url, EMAIL, PASSWORD)
        [ann] = re.findall(r'<option value="(\d+)">ann</option>', console.get("/alerts/"))
        console.post("/alerts/targets/add/", kind="person", person=ann)
        console.post(
            "/alerts/rules/", **{f"limit_{kind}": str(limit) for kind, limit in LIMITS.items()}, on_silent="on"
        )
        eventually(lambda: server.request("GET", "/readyz")[0] == 200, "the workers are ready")

        def none_left() -> bool:
            """Who would start them again goes first."""
            processes.send(signal.SIGKILL, [workers.process.pid, *server.processes("worker")])
            return workers.process.poll() is not None and not server.processes("worker")

        eventually(none_left, "the workers and who starts them again are gone")
        assert mailbox.subjects == []
        server.send(key, "silence-1")
        eventually(lambda: mailbox.received, "somebody is told", 180)
        assert mailbox.subjects == [(EMAIL, f"[Signalbox] Problem: {SILENT}")]
        assert "Events are still taken in and kept; nothing is lost." in mailbox.received[0].get_content()
        assert SILENT in console.get("/problems/")
        assert server.statuses("silence") == {"waiting": 1}

        server.start("--worker-only")
        eventually(lambda: len(mailbox.received) > 1, "somebody is told that they are back", 180)
        assert mailbox.subjects[1:] == [(EMAIL, f"[Signalbox] Solved: {SILENT}")]
        eventually(lambda: server.statuses("silence") == {"delivered": 1}, "what waited is sent")
        assert len(receiver.requests("/silence")) == 1
        assert SILENT not in console.get("/problems/")
    finally:
        server.close()
