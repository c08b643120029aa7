"""Signalbox as people run it: `manage.py serve` as a process, with a data directory and a database of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.door import basic
from tests.environment import FOR_TESTS, OURS
from tests.process import processes
from tests.process.ports import free_port
from tests.process.processes import Process
from tests.process.stores import Store, make_store
from tests.process.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
START_WITHIN = 90.0
STOP_WITHIN = 30.0  # what `serve` promises


class Serve:
    """One run of `serve`. What it prints is kept in ``lines``."""

    def __init__(self, environment: dict[str, str], *arguments: str, root: Path = ROOT) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", *arguments],
            cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def line(self, start: str) -> str:
        """The first printed line that begins so; waits for it."""

        def look() -> str:
            if self.process.poll() is not None:
                raise AssertionError("serve ended:\n" + "\n".join(self.lines))
            return next((line for line in list(self.lines) if line.startswith(start)), "")

        return eventually(look, f"serve prints “{start}”", START_WITHIN)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=STOP_WITHIN + 15)
        self._reader.join(timeout=5)
        return status


class Server:
    """A data directory with its database, and the runs of `serve` on it."""

    def __init__(self, directory: Path, store: Store | None = None, **environment: str) -> None:
        self.data_dir = directory / "data"
        self.store: Store = store or make_store(self.data_dir)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.extra = environment
        self.runs: list[Serve] = []
        self.token = ""
        self.root = ROOT  # of the code it runs

    @property
    def environment(self) -> dict[str, str]:
        ours = {"DATA_DIR": str(self.data_dir), "ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8"}
        left_out = {*OURS, *FOR_TESTS}  # the tests' own settings have put theirs into this process's environment
        inherited = {name: value for name, value in os.environ.items() if name not in left_out}
        return {**inherited, **ours, **self.store.environment, **self.extra}

    def start(self, *arguments: str) -> Serve:
        run = Serve(self.environment, "--port", str(self.port), *arguments, root=self.root)
        self.runs.append(run)
        run.line("Stop with")
        if "--worker-only" not in arguments:
            eventually(lambda: self.request("GET", "/healthz")[0] == 200, "the web server answers", START_WITHIN)
        return run

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def configure(self, sources: list[dict[str, Any]], connectors: list[dict[str, Any]]) -> None:
        path = self.data_dir / "configuration.json"
        path.write_text(json.dumps({"version": 1, "sources": sources, "connectors": connectors}))
        self.manage("import_config", str(path))
        time.sleep(0.2)  # a web process may still work with the configuration of a tenth of a second ago

    def add(self, name: str, **connector: Any) -> str:
        """A source and a connector of this name, a webhook unless told otherwise; returns the source's key."""
        key = f"wk_{name}"
        self.configure(
            [{"name": name, "vendor": "segment", "write_keys": [{"label": "main", "key": key}]}],
            [{"name": name, "vendor": "webhook", "sources": [name], **connector}],
        )
        return key

    # --- Calls --------------------------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            raw = json.dumps(body).encode() if isinstance(body, dict | list) else body
            connection.request(method, path, raw, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def post(self, path: str, body: Any, key: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.request("POST", path, body, {**basic(key), "Content-Type": "application/json", **headers})

    def send(self, key: str, *message_ids: str, **fields: Any) -> None:
        """Track calls, up to 500 a request. All are stored when this returns."""
        events = [
            {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": message_id, **fields}
            for message_id in message_ids
        ]
        for start in range(0, len(events), 500):
            status, _, answer = self.post("/v1/batch", {"batch": events[start : start + 500]}, key)
            assert (status, answer) == (200, b'{"success": true}')

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """The management API's answer, as an owner."""
        if not self.token:
            self.token = self.manage("api_token", "tests", "--role", "owner").splitlines()[-1]
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        status, _, answer = self.request(method, f"/api/v1{path}", body, headers)
        assert status in (200, 201), (status, answer)
        return json.loads(answer)

    def deliveries(self, connector: str, **filters: str) -> list[dict[str, Any]]:
        query = "".join(f"&{name}={value}" for name, value in filters.items())
        return list(self.api("GET", f"/deliveries/?connector={connector}&limit=500{query}")["results"])

    def statuses(self, connector: str) -> dict[str, int]:
        rows = self.store.query(
            "SELECT c.name, d.status, count(*) FROM deliveries_delivery d JOIN integrations_connector c "
            "ON c.id = d.connector_id GROUP BY c.name, d.status"
        )
        return {status: number for name, status, number in rows if name == connector}

    # --- Processes ----------------------------------------------------------------------------------------------------

    def processes(self, role: str | None = None) -> list[Process]:
        found = processes.belonging_to(self.data_dir)
        return [process for process in found if role is None or process.role == role]

    def draining(self) -> list[int]:
        """The worker processes that hold deliveries at this moment."""
        rows = self.store.query("SELECT DISTINCT lease_owner FROM deliveries_delivery WHERE status = 'sending'")
        return [int(owner.partition("-")[0]) for (owner,) in rows if owner]

    def in_flight(self, owners: list[int]) -> set[str]:
        """The message ids that these processes hold."""
        rows = self.store.query(
            "SELECT e.message_id, d.lease_owner FROM deliveries_delivery d JOIN deliveries_event e "
            "ON e.id = d.event_id WHERE d.status = 'sending'"
        )
        return {message_id for message_id, owner in rows if int(owner.partition("-")[0]) in owners}

    def kill_everything(self) -> None:
        """Again and again, since a parent may start a new child before it dies itself."""

        def none_left() -> bool:
            processes.send(signal.SIGKILL, self.processes())
            return not self.processes()

        eventually(none_left, "the processes end", 30)

    def close(self) -> None:
        """Whatever the test did: nothing of this server is left."""
        self.kill_everything()
        for run in self.runs:
            run.process.wait(timeout=10)
        self.store.close()
