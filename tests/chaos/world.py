"""What chaos happens to: Signalbox with its own database, Redis and disk, and the receivers of its connectors."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import redis

from tests.chaos.receiver import Receivers
from tests.process import processes
from tests.process.postgres import Cluster
from tests.process.redis_server import RedisServer
from tests.process.server import ROOT, Serve, Server
from tests.process.stores import PostgresStore, SqliteStore

T = TypeVar("T")
VOLUME_MB = 3000  # a limit, not what is taken
LISTED = [1, 1, 2, 2, 4, 4, 8, 8, *[16] * 10]  # longer than any receiver is away
CODE = ("config", "deliveries", "integrations", "templates", "manage.py")
NAMES = ("bulk", "shaky", "steady", "choosy", "paused")
SHAKEN = ("bulk", "shaky", "choosy")  # whose receivers misbehave; nothing but "away" happens to the others


class Volume:
    """A small disk of its own, so that it can be full. Where mounting is not permitted, a plain directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.mounted = os.geteuid() == 0 and self._mount(f"size={VOLUME_MB}m,mode=755")
        self.full = False

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "signalbox-chaos", str(self.path)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        """No byte is left. (A tmpfs never gets smaller than what is on it.)"""
        self.full = True
        disk = os.statvfs(self.path)
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize // 1024
        self._remount(f"{used + 64}k")

    def free(self) -> None:
        self.full = False
        self._remount(f"{VOLUME_MB}m")

    def _remount(self, size: str) -> None:
        # What is written between the look and the mount may not fit any more: look again.
        command = ["mount", "-o", f"remount,size={size}", str(self.path)]
        subprocess.run(command, capture_output=True, check=False)

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], capture_output=True, check=True)
        shutil.rmtree(self.path, ignore_errors=True)


class World:
    def __init__(self, database: str, work: Path) -> None:
        self.work = work
        self.volume = Volume(work / "volume")
        self.cluster: Cluster | None = None
        self.redis: RedisServer | None = None
        self.receivers = Receivers(*NAMES)
        if database == "postgres":
            self.cluster, self.redis = Cluster(self.volume.path), RedisServer()
            store: Any = PostgresStore(self.cluster.url, self.redis.url)
        else:
            store = SqliteStore(self.volume.path / "data")
        self.server = Server(self.volume.path, store)
        self.versions = 0
        self.notes: list[str] = []
        self.began_on = datetime.now(UTC).date()

    # --- Signalbox ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.start()
        listed = {"retry": LISTED}
        sources = [
            {"name": name, "vendor": "segment", "write_keys": [{"label": "main", "key": f"wk_{name}"}]}
            for name in ("bulk", "singles", "choosy")
        ]
        off = [{"type": "track", "event": "Not Wanted", "send": False}]
        segment = {"vendor": "segment", "endpoint": self.receivers["bulk"].url, "secrets": {"write_key": "chaos-key"}}
        connectors = [
            {"name": "bulk", "sources": ["bulk"], **segment, **listed},
            {"name": "shaky", "sources": ["singles"], **self._webhook("shaky"), **listed},
            {"name": "steady", "sources": ["singles"], **self._webhook("steady"), **listed},
            {"name": "choosy", "sources": ["choosy"], "events": off, **self._webhook("choosy"), **listed},
            {"name": "paused", "sources": ["choosy"], "status": "paused", **self._webhook("paused"), **listed},
        ]
        self.server.configure(sources, connectors)
        self.server.api("GET", "/connectors/")  # makes the token while all is well

    def _webhook(self, name: str) -> dict[str, Any]:
        return {"vendor": "webhook", "settings": {"url": f"{self.receivers[name].url}/"}}

    @property
    def running(self) -> bool:
        return bool(self.server.runs) and self.server.runs[-1].process.poll() is None

    def start(self) -> None:
        if not self.running:
            self.server.start()

    def stop(self) -> None:
        if self.running:
            status = self.server.runs[-1].stop()
            left = self.server.processes()
            if status or left:
                self.notes.append(f"TERM: ended with {status}, {len(left)} processes left: {left}")

    def kill_all(self) -> None:
        self.server.kill_everything()
        self.server.runs[-1].process.wait()

    def new_version(self) -> None:
        """The code as it is and one more migration, which takes a lock on the tables that are in use."""
        self.versions += 1
        root = self.work / f"version-{self.versions}"
        for name in CODE:
            copy = shutil.copytree if (self.server.root / name).is_dir() else shutil.copy2
            root.mkdir(exist_ok=True)
            copy(self.server.root / name, root / name)
        folder = root / "deliveries" / "migrations"
        last = sorted(path.stem for path in folder.glob("[0-9]*.py"))[-1]
        sql = [f"CREATE INDEX chaos_{self.versions} ON deliveries_delivery (created_at, status)"]
        (folder / f"{9000 + self.versions}_chaos.py").write_text(
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
            f"    dependencies = [('deliveries', '{last}')]\n"
            f"    operations = [migrations.RunSQL({sql!r}, migrations.RunSQL.noop)]\n"
        )
        self.server.root = root

    def victims(self, role: str) -> list[int]:
        return [process.pid for process in self.server.processes(role)]

    def worker(self, choice: int) -> int | None:
        """A worker with deliveries in hand, or if none has, any but the cluster's parent."""
        draining: list[int] = []
        for _ in range(20):
            try:
                alive = set(self.victims("worker"))
                draining = sorted(pid for pid in self.server.draining() if pid in alive)
            except Exception:  # noqa: BLE001 - the database may be away as well
                break
            if draining:
                break
            time.sleep(0.05)
        found = draining or sorted(self.victims("worker"))[1:]
        return found[choice % len(found)] if found else None

    def parents(self) -> list[int]:
        """The parent of each cluster of workers: it leads their process group."""
        found = set()
        for pid in self.victims("worker"):
            with contextlib.suppress(ProcessLookupError):
                found.add(os.getpgid(pid))
        return sorted(found)

    def idle_workers(self) -> list[int]:
        try:
            busy = {*self.server.draining(), *self.parents()}
        except Exception:  # noqa: BLE001 - the database may be away as well
            return []
        return sorted(set(self.victims("worker")) - busy)

    def other_machine(self, clock: int) -> Serve:
        """Workers on the same database with a clock of their own."""
        directory = self.work / "other" / "data"
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.server.data_dir / ".env", directory / ".env")
        skewed = {"PYTHONPATH": str(Path(__file__).parent / "skewed"), "CHAOS_CLOCK": str(clock)}
        environment = {**self.server.environment, "DATA_DIR": str(directory), **skewed}
        run = Serve(environment, "--worker-only", root=self.server.root)
        run.line("Stop with")
        return run

    def resume_stopped(self) -> None:
        """Connectors that stopped themselves (a refused key) go on, with all that is held."""
        for row in self.server.api("GET", "/connectors/")["results"]:
            if row["status"] == "paused" and row["name"] != "paused":
                self.server.api("POST", f"/connectors/{row['id']}/resume/", {"backlog": "send"})

    # --- What there is ------------------------------------------------------------------------------------------------

    def open_deliveries(self) -> int:
        rows = self.server.store.query(
            "SELECT count(*) FROM deliveries_delivery WHERE status IN ('waiting', 'retrying', 'sending')"
        )
        return int(rows[0][0])

    def rows(self) -> list[tuple[str, str, str]]:
        """(connector, number, status) of every delivery that is no replay."""
        found = self.server.store.query(
            "SELECT c.name, e.message_id, d.status FROM deliveries_delivery d "
            "JOIN deliveries_event e ON e.id = d.event_id JOIN integrations_connector c ON c.id = d.connector_id "
            "WHERE d.replay_of_id IS NULL"
        )
        return [(name, message_id.removeprefix("id-"), status) for name, message_id, status in found]

    def close(self) -> None:
        self.volume.free()
        if self.server.runs:
            self.kill_all()
        processes.send(signal.SIGKILL, processes.belonging_to(self.work / "other" / "data"))
        self.receivers.close()
        if self.redis is not None:
            self.redis.stop()
        if self.cluster is not None:
            self.cluster.close()
        self.volume.close()


def patiently(look: Callable[[], T], seconds: float) -> T:
    """What ``look`` returns once it no longer fails."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return look()
        except (OSError, AssertionError, psycopg.Error, redis.RedisError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


__all__ = ["ROOT", "SHAKEN", "World", "patiently"]
