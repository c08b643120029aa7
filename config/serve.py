"""The supervisor behind `manage.py serve`: web processes and a worker cluster as children, each in a process group of
its own, restarted when they die or freeze, ended together.

The listening socket is opened here and inherited, so that a restarting web process refuses nobody.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from config import orphans
from deliveries import alerts, lifeline, queue, silence
from deliveries.models import Heartbeat

log = logging.getLogger("signalbox.serve")
PAUSES = (0.5, 1, 2, 5, 10, 30)  # seconds before a restart; from the start again after a minute of health
HEALTHY_AFTER = 60
STOP_WITHIN = 30
BEAT_EVERY = 10
SILENT_FOR = 60  # a cluster whose workers gave no sign for so long is frozen: its restart is done within 90 s
LOOK_EVERY = 0.2
ALARM_EVERY = 15


class Child:
    """One supervised process with everything that it starts."""

    def __init__(
        self, name: str, command: Sequence[str], environment: dict[str, str], descriptors: Sequence[int]
    ) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.descriptors = descriptors
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.deaths = 0
        self.start_at = 0.0

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            self.command,
            env={**os.environ, **self.environment},
            pass_fds=tuple(self.descriptors),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        self.started = time.monotonic()

    def look(self) -> None:
        """Start it if it is time to; if it died, clear its group away and plan the next start."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.start()
            return
        if self.process.poll() is None:
            if now - self.started > HEALTHY_AFTER:
                self.deaths = 0
            return
        pause = PAUSES[min(self.deaths, len(PAUSES) - 1)]
        log.warning("The %s ended (status %s); starting it again in %s s", self.name, self.process.returncode, pause)
        self.kill()
        self.deaths += 1
        self.start_at = now + pause

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """The whole group, children that outlived their parent included."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # nothing is left of it
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Watchdog:
    """Asks the workers for signs of life, and tells when they have stopped giving any."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self.asked_at = 0.0
        self.answered_at = time.monotonic()

    def silent(self) -> bool:
        now = time.monotonic()
        if now - self.asked_at < BEAT_EVERY:
            return False
        self.asked_at = now
        try:
            queue.beat()
            fresh = timezone.now() - timedelta(seconds=2 * BEAT_EVERY)
            if Heartbeat.objects.filter(cluster=self.cluster, seen_at__gte=fresh).exists():
                self.answered_at = now
        except (DatabaseError, OSError) as error:  # no database or Redis, no signs: not the workers' fault
            log.warning("The workers could not be asked for a sign of life: %s", error)
            connection.close()
            self.answered_at = now
        return now - self.answered_at > SILENT_FOR

    def restarted(self) -> None:
        self.answered_at = time.monotonic()


class Alarm:
    """Tells people when no worker anywhere gives a sign of life. In a thread: a mail server that does not answer must
    not keep children from being started again."""

    def __init__(self) -> None:
        self.since = timezone.now()
        self.looked_at = time.monotonic()
        self.thread: threading.Thread | None = None

    def look(self) -> None:
        busy = self.thread is not None and self.thread.is_alive()
        if busy or time.monotonic() - self.looked_at < ALARM_EVERY:
            return
        self.looked_at = time.monotonic()
        self.thread = threading.Thread(target=self._check, name="alarm", daemon=True)
        self.thread.start()

    def _check(self) -> None:
        try:
            silence.check(timezone.now(), self.since, alerts.tell)
        except DatabaseError as error:  # nobody can be told from where nothing can be read; the next look may
            log.warning("The workers' silence could not be looked at: %s", error)
        finally:
            connection.close()


class Supervisor:
    def __init__(self, host: str, port: int, *, web: bool = True, worker: bool = True) -> None:
        self.cluster = f"{socket.gethostname()}-{os.getpid()}"[:100]
        self.stopping = False
        self.line_end, self._line = os.pipe()
        self.children: list[Child] = []
        self.watchdog = Watchdog(self.cluster)
        self.alarm = Alarm()
        self.worker: Child | None = None
        self.socket = _listen(host, port) if web else None
        if self.socket is not None:
            for number in range(settings.WEB_PROCESSES):
                self.children.append(self._web(number + 1, self.socket))
        if worker:
            self.worker = self._child("worker", [sys.executable, _manage(), "worker"], "worker")
            self.children.append(self.worker)

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until TERM or INT; then let what is in flight finish, and leave no process behind."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        orphans.adopt()
        announced = False
        try:
            while not self.stopping:
                for child in self.children:
                    child.look()
                orphans.clear([child.process.pid for child in self.children if child.process is not None])
                if not announced:
                    announced = True
                    ready()
                self.alarm.look()
                if self.worker is not None and self.worker.alive and self.watchdog.silent():
                    log.error("The workers gave no sign of life for %s s; restarting them", SILENT_FOR)
                    self.worker.kill()
                    self.watchdog.restarted()
                time.sleep(LOOK_EVERY)
        finally:
            self._end()

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _end(self) -> None:
        os.close(self._line)  # drains stop claiming
        deadline = time.monotonic() + STOP_WITHIN
        for child in self.children:
            child.terminate()
        while time.monotonic() < deadline and any(child.alive for child in self.children):
            time.sleep(0.05)
        for child in self.children:
            if child.alive:
                log.warning("The %s did not end in %s s and was killed", child.name, STOP_WITHIN)
            child.kill()

    def _web(self, number: int, listening: socket.socket) -> Child:
        command = [
            sys.executable, "-m", "uvicorn", "--fd", str(listening.fileno()), "--loop", "uvloop",
            "--http", "config.protocol:Protocol", "--lifespan", "on", "--no-access-log", "--no-server-header",
            "--log-level", "warning", "--timeout-graceful-shutdown", "20", "--timeout-keep-alive", "65",
            "config.asgi:application",
        ]  # fmt: skip
        return self._child(f"web process {number}", command, "web", listening.fileno())

    def _child(self, name: str, command: Sequence[str], role: str, *descriptors: int) -> Child:
        environment = {
            "SIGNALBOX_ROLE": role,
            "SIGNALBOX_CLUSTER": self.cluster,
            lifeline.VARIABLE: str(self.line_end),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(settings.BASE_DIR), os.environ.get("PYTHONPATH")))),
        }
        return Child(name, command, environment, (self.line_end, *descriptors))


def _manage() -> str:
    return str(settings.BASE_DIR / "manage.py")


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket. Raises OSError, in words, if the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it. An answer goes out in two writes, and without this the second may wait 40 ms for
    # the client's acknowledgement of the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.bind((host.strip("[]"), port))
    listening.listen(2048)
    return listening
