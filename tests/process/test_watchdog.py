"""A cluster that is alive but does nothing."""

from __future__ import annotations

import os
import signal

from tests.process import processes
from tests.process.receiver import Receiver
from tests.process.server import Server
from tests.process.waiting import eventually

NOTICED_WITHIN = 240.0  # a minute of silence, a look every few seconds, and a machine that is busy with other tests


def test_a_frozen_cluster_is_restarted(running: Server, receiver: Receiver) -> None:
    receiver.answer("/frozen", 200)
    key = running.add("frozen", settings={"url": f"{receiver.url}/frozen"})
    eventually(lambda: running.request("GET", "/readyz")[0] == 200, "the workers are ready")
    frozen = running.processes("worker")
    leader = os.getpgid(frozen[0].pid)
    processes.send(signal.SIGSTOP, [process for process in frozen if process.pid != leader])
    running.send(key, "frozen-1")
    old = {process.pid for process in frozen}
    eventually(
        lambda: not old & {process.pid for process in running.processes()}, "the frozen ones are gone", NOTICED_WITHIN
    )
    eventually(lambda: running.statuses("frozen") == {"delivered": 1}, "new ones do the work")
    assert len(receiver.requests("/frozen")) == 1
    assert running.runs[0].stop() == 0
    assert running.processes() == []
