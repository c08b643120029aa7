"""Redis goes away in the middle: nobody is refused, nothing is lost, and nobody has to help."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.process.receiver import Receiver
from tests.process.redis_server import RedisServer
from tests.process.server import Server
from tests.process.waiting import eventually


def test_redis_is_away_and_comes_back_empty(tmp_path: Path, receiver: Receiver) -> None:
    redis = RedisServer()
    server = Server(tmp_path, REDIS_URL=redis.url)
    try:
        run = server.start()
        key = server.add("redis", settings={"url": f"{receiver.url}/redis"})
        server.send(key, "redis-before")
        eventually(lambda: receiver.count("/redis") == Counter(["redis-before"]), "the workers deliver")
        eventually(lambda: not server.draining() and _asleep(server), "no worker runs a drain")
        children = {process.pid for process in server.processes("web")}

        redis.stop()
        for number in range(20):
            server.send(key, f"redis-{number}")  # each answered 200
        eventually(lambda: _said(run.lines, "could not be asked for a sign of life"), "the supervisor finds out")
        server.send(key, "redis-after")
        redis.start()

        expected = Counter(["redis-before", *(f"redis-{number}" for number in range(20)), "redis-after"])
        eventually(lambda: receiver.count("/redis") == expected, "everything is delivered", 150)
        assert run.process.poll() is None
        assert {process.pid for process in server.processes("web")} == children
    finally:
        server.close()
        redis.stop()


def _asleep(server: Server) -> bool:
    """No drain stays: the next event needs a wake-up."""
    return server.store.query("SELECT linger_owner, woken_at FROM deliveries_pump") == [("", None)]


def _said(lines: list[str], words: str) -> bool:
    return any(words in line for line in list(lines))
