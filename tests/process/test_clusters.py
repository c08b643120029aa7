"""Several machines on one PostgreSQL: here several clusters on this one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.process.receiver import Receiver
from tests.process.server import Server
from tests.process.stores import given_urls
from tests.process.waiting import eventually

pytestmark = pytest.mark.skipif(not given_urls()[0], reason="needs DATABASE_URL: SQLite is for one machine")
EVENTS = 3000


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Web alone, and two clusters of workers."""
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        server.start("--web-only")
        for _ in range(2):
            server.start("--worker-only")
        yield server
    finally:
        server.close()


def test_two_clusters_share_the_work_and_send_nothing_twice(clusters: Server, receiver: Receiver) -> None:
    """Which cluster takes a task up is chance; that in many rounds never comes to one of them is not."""
    receiver.answer("/shared", delay=0.2)
    key = clusters.add("shared", settings={"url": f"{receiver.url}/shared"})
    ids: list[str] = []
    groups: set[int] = set()

    def round_is_over() -> bool:
        for pid in clusters.draining():
            groups.add(os.getpgid(pid))
        return clusters.statuses("shared") == {"delivered": len(ids)}

    while len(groups) < 2 and len(ids) < 60 * 16:
        fresh = [f"shared-{len(ids) + number}" for number in range(16)]
        ids += fresh
        clusters.send(key, *fresh)
        eventually(round_is_over, "the round is delivered")
    assert len(groups) == 2
    assert receiver.count("/shared") == Counter(ids)


def test_a_burst_is_sent_once(clusters: Server, receiver: Receiver) -> None:
    key = clusters.add("burst", settings={"url": f"{receiver.url}/burst"})
    ids = [f"burst-{number}" for number in range(EVENTS)]
    clusters.send(key, *ids)
    eventually(lambda: clusters.statuses("burst") == {"delivered": EVENTS}, "all are delivered", 120)
    assert receiver.count("/burst") == Counter(ids)


def test_one_cluster_ends_and_the_other_goes_on(clusters: Server, receiver: Receiver) -> None:
    receiver.answer("/left", delay=0.05)
    key = clusters.add("left", settings={"url": f"{receiver.url}/left"}, max_concurrency=8)
    ids = [f"left-{number}" for number in range(1000)]
    clusters.send(key, *ids)
    eventually(lambda: len(receiver.requests("/left")) > 50, "deliveries are under way")
    assert clusters.runs[1].stop() == 0
    eventually(lambda: clusters.statuses("left") == {"delivered": 1000}, "all are delivered", 120)
    assert receiver.count("/left") == Counter(ids)
