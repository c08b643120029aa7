"""Child processes: started in groups of their own, measured, and ended with everything they started."""

from __future__ import annotations

import atexit
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
STOP_WITHIN = 40.0
SLOW_STOP = 15.0


class Stat(NamedTuple):
    """A line of /proc/PID/stat: the parent, CPU seconds with those of children that have ended, and the start, which
    tells a process from a later one of the same number."""

    parent: int
    seconds: float
    started: int


def stat(pid: int) -> Stat | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return Stat(int(fields[1]), sum(map(int, fields[11:15])) / TICKS, int(fields[19]))


def tree(root: int) -> list[int]:
    """The process and all that descend from it, in whatever group or session they are."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if entry.isdigit() and (found := stat(int(entry))):
            children.setdefault(found.parent, []).append(int(entry))
    found_pids = [root]
    for pid in found_pids:
        found_pids += children.get(pid, [])
    return found_pids


def cpu_seconds(pids: Iterable[int]) -> float:
    return sum(found.seconds for pid in pids if (found := stat(pid)))


class Process:
    """A started command. ``log`` holds what it printed."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _running.append(self)

    def cpu(self) -> float:
        return cpu_seconds(tree(self.popen.pid))

    def check(self) -> None:
        if self.popen.poll() is not None:
            what = f"{self.popen.args} ended early with {self.popen.returncode}"
            raise RuntimeError(f"{what}:\n{self.log.read_text(errors='replace')[-3000:]}")

    def stop(self) -> None:
        """TERM, then whatever is left of its tree is killed."""
        if self in _running:
            _running.remove(self)
        family = {pid: found.started for pid in tree(self.popen.pid) if (found := stat(pid))}
        begin = time.monotonic()
        if self.popen.poll() is None:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(STOP_WITHIN)
        if (took := time.monotonic() - begin) > SLOW_STOP:
            end = self.log.read_text(errors="replace")[-500:]
            print(f"    took {took:.0f} s to stop; its log ends with:\n{end}", file=sys.stderr, flush=True)
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for pid, started in family.items():
            if (found := stat(pid)) and found.started == started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


_running: list[Process] = []


@atexit.register
def stop_all() -> None:
    for process in list(reversed(_running)):
        process.stop()


def exit_on_signals() -> None:
    """TERM and hang-up end us as Ctrl-C does, so that everything is cleaned up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def run(command: Sequence[str], environment: Mapping[str, str], timeout: float = 900) -> str:
    """Run to the end; its standard output. Its error output is shown if it fails."""
    done = subprocess.run(
        command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answering(port: int, path: str, process: Process, timeout: float = 90) -> None:
    """Wait until an HTTP server answers anything at all."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        process.check()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError(f"Nothing answers at port {port}:\n{process.log.read_text(errors='replace')[-3000:]}")
