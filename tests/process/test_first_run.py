"""The first start, the next ones, and the end."""

from __future__ import annotations

import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.server import ROOT, START_WITHIN, STOP_WITHIN, Server
from tests.process.waiting import eventually


def test_the_first_start_says_what_one_needs_to_know(server: Server) -> None:
    run = server.start()
    assert run.line("Signalbox is at") == f"Signalbox is at  {server.url}/"
    assert f"{server.url}/setup/" in run.line("Set up with")
    assert str(server.data_dir) in run.line("The data is in")
    assert "Ctrl-C" in run.line("Stop with")
    path = server.data_dir / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = path.read_text()
    assert "SECRET_KEY=" in made
    assert "SECRETS_KEYS=" in made
    link = run.line("Set up with").split()[3]
    assert server.request("GET", link.removeprefix(server.url))[0] == 200
    eventually(lambda: server.request("GET", "/readyz")[0] == 200, "the workers give a sign of life")

    assert run.stop() == 0
    assert server.processes() == []
    again = server.start()
    assert path.read_text() == made
    assert again.stop() == 0


def test_term_ends_everything_in_time(server: Server) -> None:
    run = server.start()
    eventually(lambda: len(server.processes("worker")) >= 4, "the workers are there")
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(timeout=STOP_WITHIN) == 0
    assert server.processes() == []


def test_interrupt_ends_everything_too(server: Server) -> None:
    run = server.start()
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(timeout=STOP_WITHIN) == 0
    assert server.processes() == []


def test_ending_make_ends_everything_too(server: Server) -> None:
    """As a service manager does that was told `make run`: nobody else is there to end what make started."""
    if shutil.which("make") is None:
        pytest.skip("needs make")
    arguments = ["-o", ".venv/.runtime", "run", f"PORT={server.port}", f"BIN={Path(sys.executable).parent}"]
    make = subprocess.Popen(
        ["make", *arguments], cwd=ROOT, env=server.environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    eventually(lambda: server.request("GET", "/healthz")[0] == 200, "the web server answers", START_WITHIN)
    eventually(lambda: len(server.processes("worker")) >= 4, "the workers are there")
    make.terminate()
    make.wait(timeout=STOP_WITHIN + 15)
    assert server.processes() == []


def test_without_a_person_at_the_keyboard(server: Server) -> None:
    server.extra |= {"ADMIN_EMAIL": "ops@example.com", "ADMIN_PASSWORD": "correct horse battery"}
    run = server.start("--web-only")
    assert not any(line.startswith("Set up with") for line in run.lines)
    assert server.processes("worker") == []
    assert server.request("GET", "/setup/anything/")[0] in (302, 404, 410)
    assert server.store.query("SELECT email, role FROM config_user") == [("ops@example.com", "owner")]


def test_a_taken_port_is_told_in_words(server: Server) -> None:
    server.start("--web-only")
    second = subprocess.run(
        [sys.executable, "manage.py", "serve", "--port", str(server.port)],
        cwd=ROOT, env=server.environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{server.port}" in second.stderr
    assert "Traceback" not in second.stderr
