"""The processes that belong to one server, however they were started and whoever their parent is by now: all inherit
its DATA_DIR, which nobody else has."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    pid: int
    parent: int
    role: str  # web, worker, or "" for `serve` itself
    state: str
    command: str


def belonging_to(data_dir: Path) -> list[Process]:
    """Living processes only: a zombie has ended."""
    mark = f"DATA_DIR={data_dir}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended while we looked
            environment = (entry / "environ").read_bytes().split(b"\0")
            if mark not in environment:
                continue
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            role = next((item[15:] for item in environment if item.startswith(b"SIGNALBOX_ROLE=")), b"").decode()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if state != "Z":
                found.append(Process(int(entry.name), int(parent), role, state, command))
    return found


def send(number: signal.Signals, processes: Iterable[Process | int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process if isinstance(process, int) else process.pid, number)
