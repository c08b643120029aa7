"""What each kind of fault does. A fault is a context: it begins on entering and is healed on leaving."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg

from tests.chaos.world import SHAKEN, World, patiently
from tests.process import processes
from tests.process.stores import PostgresStore, SqliteStore

Fault = Callable[[World, int], AbstractContextManager[None]]


@contextmanager
def web_killed(world: World, choice: int) -> Iterator[None]:
    processes.send(signal.SIGKILL, world.victims("web"))
    yield


@contextmanager
def drain_killed(world: World, choice: int) -> Iterator[None]:
    if (pid := world.worker(choice)) is not None:
        processes.send(signal.SIGKILL, [pid])
    yield


@contextmanager
def idle_killed(world: World, choice: int) -> Iterator[None]:
    if idle := world.idle_workers():
        processes.send(signal.SIGKILL, [idle[choice % len(idle)]])
    yield


@contextmanager
def parent_killed(world: World, choice: int) -> Iterator[None]:
    processes.send(signal.SIGKILL, world.parents())
    yield


@contextmanager
def workers_killed(world: World, choice: int) -> Iterator[None]:
    for group in world.parents():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    yield


@contextmanager
def all_killed(world: World, choice: int) -> Iterator[None]:
    world.kill_all()
    yield
    world.start()


@contextmanager
def worker_frozen(world: World, choice: int) -> Iterator[None]:
    pid = world.worker(choice)
    if pid is not None:
        processes.send(signal.SIGSTOP, [pid])
    yield
    if pid is not None:
        processes.send(signal.SIGCONT, [pid])


@contextmanager
def deploy(world: World, choice: int) -> Iterator[None]:
    world.stop()
    world.new_version()
    world.start()
    yield


@contextmanager
def clocks_apart(world: World, choice: int) -> Iterator[None]:
    run = world.other_machine(45 if choice % 2 else -45)
    yield
    run.stop()


def receiver(mode: str) -> Fault:
    @contextmanager
    def fault(world: World, choice: int) -> Iterator[None]:
        endpoint = world.receivers["shaky" if mode == "key-refused" else SHAKEN[choice % len(SHAKEN)]]
        if endpoint.mode:  # another fault of this step has it
            yield
            return
        endpoint.behave(mode)
        yield
        endpoint.behave("")

    return fault


@contextmanager
def away(world: World, choice: int) -> Iterator[None]:
    there = [endpoint for endpoint in world.receivers.endpoints.values() if not endpoint.mode]
    for endpoint in there:
        endpoint.behave("away")
    yield
    for endpoint in there:
        endpoint.behave("")


@contextmanager
def cut(world: World, choice: int) -> Iterator[None]:
    store = world.server.store
    assert isinstance(store, PostgresStore)
    for _ in range(3):
        with contextlib.suppress(psycopg.Error):
            store.cut_connections()
        time.sleep(0.3)
    yield


@contextmanager
def restart(world: World, choice: int) -> Iterator[None]:
    assert world.cluster is not None
    if world.cluster.running:
        world.cluster.stop("fast")
    _revive(world)
    yield


def gone(mode: str) -> Fault:
    @contextmanager
    def fault(world: World, choice: int) -> Iterator[None]:
        assert world.cluster is not None
        if world.cluster.running:
            world.cluster.stop(mode)
        yield
        _revive(world)

    return fault


def _revive(world: World) -> None:
    if world.cluster is not None and not world.volume.full:
        if not world.cluster.running:
            world.cluster.start()
        patiently(lambda: world.server.store.query("SELECT 1"), 60)


@contextmanager
def locked(world: World, choice: int) -> Iterator[None]:
    """By a connection of our own, which a restart of the database may break before we let go."""
    store = world.server.store
    if isinstance(store, SqliteStore):
        with contextlib.closing(sqlite3.connect(store.path, timeout=20, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield
            database.execute("ROLLBACK")
        return
    database = None
    with contextlib.suppress(psycopg.Error):
        database = psycopg.connect(store.url, connect_timeout=10)
        database.execute("SET lock_timeout = '10s'")
        database.execute("LOCK TABLE deliveries_event, deliveries_delivery IN ACCESS EXCLUSIVE MODE")
    yield
    if database is not None:
        with contextlib.suppress(psycopg.Error):
            database.close()


@contextmanager
def redis_flushed(world: World, choice: int) -> Iterator[None]:
    assert world.redis is not None
    for _ in range(3):
        world.redis.flush()
        time.sleep(0.2)
    yield


@contextmanager
def redis_restart(world: World, choice: int) -> Iterator[None]:
    assert world.redis is not None
    world.redis.stop()
    yield
    world.redis.start()


@contextmanager
def disk_full(world: World, choice: int) -> Iterator[None]:
    """What was free when we looked may be written before the disk is small: made small again and again."""
    ended = threading.Event()

    def keep_full() -> None:
        while not ended.is_set():
            world.volume.fill()
            ended.wait(0.1)

    thread = threading.Thread(target=keep_full, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join()
    world.volume.free()
    if world.cluster is not None:  # PostgreSQL gives up when it can't write its log; it is started by whoever frees it
        time.sleep(1)
        _revive(world)


FAULTS: dict[str, Fault] = {
    "web-killed": web_killed,
    "drain-killed": drain_killed,
    "idle-killed": idle_killed,
    "parent-killed": parent_killed,
    "workers-killed": workers_killed,
    "all-killed": all_killed,
    "worker-frozen": worker_frozen,
    "deploy": deploy,
    "clocks-apart": clocks_apart,
    "away": away,
    "cut": cut,
    "restart": restart,
    "stopped": gone("fast"),
    "crash": gone("immediate"),
    "locked": locked,
    "redis-flushed": redis_flushed,
    "redis-restart": redis_restart,
    "disk-full": disk_full,
    **{mode: receiver(mode) for mode in (
        "refuses", "hangs", "drips", "cuts", "answers-500", "answers-429", "garbage", "key-refused",
    )},
}  # fmt: skip
