"""A Redis of a test's own, which may therefore be stopped in the middle of everything."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import redis

from tests.process.ports import free_port
from tests.process.waiting import eventually


class RedisServer:
    """Forgets everything when it is stopped. Needs Redis's own program on this machine."""

    def __init__(self) -> None:
        if shutil.which("redis-server") is None:
            pytest.skip("needs redis-server on this machine")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        if self.process is not None:
            return
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self._answers, "Redis answers", 30)

    def _answers(self) -> bool:
        try:
            return bool(redis.from_url(self.url).ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def flush(self) -> None:
        if self.process is not None:
            redis.from_url(self.url).flushall()
