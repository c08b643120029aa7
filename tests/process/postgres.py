"""A PostgreSQL of a test's own, which may therefore be stopped in the middle of everything."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.process.ports import free_port


class Cluster:
    """Needs PostgreSQL's own programs on this machine. They refuse to run as root, so root hands them over."""

    def __init__(self, within: Path | None = None) -> None:
        self.programs = _programs()
        self.parent = Path(tempfile.mkdtemp(prefix="signalbox-postgresql-", dir=within))
        self.directory = self.parent / "data"
        self.port = free_port()
        self.url = f"postgres://signalbox@127.0.0.1:{self.port}/postgres"
        self.directory.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
            self.parent.chmod(0o755)
        self._run("initdb", "--username=signalbox", "--auth=trust", "--encoding=UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=100"
        self._run("pg_ctl", "start", "--wait", f"--options={options}", f"--log={self.directory}/log")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    @property
    def running(self) -> bool:
        return self._call("status") == 0

    def close(self) -> None:
        if self.running:
            self.stop("immediate")
        shutil.rmtree(self.parent)

    def _run(self, program: str, *arguments: str) -> None:
        assert self._call(*arguments, program=program) == 0, (self.parent / "programs.log").read_text()

    def _call(self, *arguments: str, program: str = "pg_ctl") -> int:
        command = [str(self.programs / program), "-D", str(self.directory), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # Its output goes to a file: the server it starts would keep a pipe open.
        with (self.parent / "programs.log").open("ab") as log:
            return subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", timeout=120, check=False
            ).returncode


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    if program is None:
        pytest.skip("needs PostgreSQL's programs (initdb, pg_ctl) on this machine")
    return Path(program).parent
