"""The database goes away in the middle: nothing is lost, and nobody has to help."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.postgres import Cluster
from tests.process.receiver import Receiver
from tests.process.server import Server
from tests.process.stores import PostgresStore
from tests.process.waiting import eventually

SECONDS = 120.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def on_cluster(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), PostgresStore(cluster.url))
    try:
        server.start()
        eventually(lambda: server.request("GET", "/readyz")[0] == 200, "the workers are ready")
        yield server
    finally:
        server.close()


class Sender(threading.Thread):
    """A client that sends event after event, each again until it is taken, as the official ones do."""

    def __init__(self, server: Server, key: str, name: str) -> None:
        super().__init__(daemon=True)
        self.server, self.key, self.name_of_ids = server, key, name
        self.taken: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            message_id = f"{self.name_of_ids}-{len(self.taken)}"
            event = {"event": "e", "userId": "u", "messageId": message_id}
            try:
                status, headers, body = self.server.post("/v1/track", event, self.key)
            except OSError:
                status = 0
            self.statuses[status] += 1
            if status == 200:
                self.taken.append(message_id)
            elif status == 503:
                assert int(headers["retry-after"]) >= 1
                assert json.loads(body)["code"] == "try_again"
            time.sleep(0.01 if status == 200 else 0.2)

    def finish(self) -> list[str]:
        self.done.set()
        self.join(timeout=90)
        return self.taken


def assert_each_arrived_once(server: Server, receiver: Receiver, name: str, taken: list[str]) -> None:
    """Only the database was away: no sender died, so nothing is sent twice."""
    eventually(lambda: server.statuses(name) == {"delivered": len(taken)}, "all are delivered", SECONDS)
    assert receiver.count(f"/{name}") == Counter(taken)


def test_connections_are_cut(on_cluster: Server, receiver: Receiver) -> None:
    receiver.answer("/cut", delay=0.02)
    sender = Sender(on_cluster, on_cluster.add("cut", settings={"url": f"{receiver.url}/cut"}), "cut")
    sender.start()
    for times in range(1, 6):
        eventually(lambda times=times: len(sender.taken) >= 50 * times, "events are taken")  # type: ignore[misc]  # a lambda
        assert isinstance(on_cluster.store, PostgresStore)
        assert on_cluster.store.cut_connections() > 0
    assert_each_arrived_once(on_cluster, receiver, "cut", sender.finish())
    assert set(sender.statuses) <= {200, 503}


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_database_restarts(on_cluster: Server, receiver: Receiver, cluster: Cluster, mode: str) -> None:
    name = f"restart-{mode}"
    receiver.answer(f"/{name}", delay=0.02)
    sender = Sender(on_cluster, on_cluster.add(name, settings={"url": f"{receiver.url}/{name}"}), name)
    sender.start()
    eventually(lambda: len(sender.taken) >= 100, "events are taken")
    on_cluster.api("GET", "/deliveries/")  # makes the token
    asking = {"Authorization": f"Bearer {on_cluster.token}"}
    cluster.stop(mode)
    eventually(lambda: sender.statuses[503] >= 2, "senders are asked to come again")
    status, headers, answer = on_cluster.request("GET", "/api/v1/deliveries/", headers=asking)
    assert (status, headers["retry-after"], json.loads(answer)["code"]) == (503, "5", "try_again")
    status, headers, answer = on_cluster.request("GET", "/metrics")
    assert (status, headers["content-type"]) == (503, "text/plain")
    assert answer.startswith(b"The database does not answer: ")
    cluster.start()
    before = len(sender.taken)
    eventually(lambda: len(sender.taken) >= before + 100, "events are taken again")
    assert_each_arrived_once(on_cluster, receiver, name, sender.finish())
    assert set(sender.statuses) <= {200, 503}


def test_it_waits_for_a_database_that_is_just_starting(tmp_path: Path, cluster: Cluster) -> None:
    server = Server(tmp_path, PostgresStore(cluster.url))
    cluster.stop()

    def start_when_missed() -> None:
        eventually(lambda: any(line.startswith("Waiting for the database") for line in server.runs[0].lines), "waiting")
        cluster.start()

    starting = threading.Thread(target=start_when_missed)
    starting.start()
    try:
        server.start("--web-only")
    finally:
        starting.join()
        server.close()
