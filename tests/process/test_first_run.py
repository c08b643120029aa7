"""The first start, the next ones, and the end."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.environment import FOR_TESTS, OURS
from tests.process.receiver import Receiver
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
    assert server.request("GET", "/static/console/console.css")[0] == 200
    eventually(lambda: server.request("GET", "/readyz")[0] == 200, "the workers give a sign of life")

    assert run.stop() == 0
    assert len(run.lines) == 4, run.lines  # and nothing else while somebody looks around
    assert server.processes() == []
    again = server.start()
    assert path.read_text() == made
    assert again.stop() == 0


def test_practice_data_is_sent_by_a_single_worker_too(tmp_path: Path) -> None:
    """What makes its events takes a minute: it must not be what the only worker does meanwhile."""
    server = Server(tmp_path, WORKERS="1")
    try:
        server.start("--practice")
        eventually(lambda: server.statuses("Segment (practice)").get("delivered", 0) >= 3, "some are delivered", 30)
    finally:
        server.close()


def test_what_is_configured_before_the_first_start_works_from_the_first_event(
    server: Server, receiver: Receiver
) -> None:
    """No table is there yet: whoever comes first makes them, and several at once wait for each other."""
    server.data_dir.mkdir(exist_ok=True)
    document = {
        "version": 1,
        "sources": [{"name": "early", "vendor": "segment", "write_keys": [{"label": "main", "key": "wk_early"}]}],
        "connectors": [
            {"name": "early", "vendor": "webhook", "sources": ["early"], "settings": {"url": f"{receiver.url}/early"}}
        ],
    }
    (server.data_dir / "early.json").write_text(json.dumps(document))
    commands = [
        ["import_config", str(server.data_dir / "early.json")],
        ["api_token", "tests", "--role", "owner"],
        ["setup_link"],
        ["export_config"],
    ]
    with ThreadPoolExecutor() as pool:
        said = list(pool.map(lambda arguments: server.manage(*arguments), commands))
    assert said[0].endswith("Imported.\n")
    server.token = said[1].splitlines()[-1]
    server.start()
    server.send("wk_early", "early-1")
    eventually(lambda: server.statuses("early") == {"delivered": 1}, "the event is delivered")
    assert [row["event"]["message_id"] for row in server.deliveries("early")] == ["early-1"]


def test_a_command_leaves_the_printed_link_alone(server: Server) -> None:
    link = server.start("--web-only").line("Set up with").split()[3]
    server.manage("api_token", "tests", "--role", "owner")
    assert server.request("GET", link.removeprefix(server.url))[0] == 200


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


def test_what_is_set_to_nothing_is_as_if_not_set(server: Server) -> None:
    """As Compose passes on what it was not given: the defaults hold, and the generated secrets stay."""
    names = (*OURS, *FOR_TESTS, "EMAIL_URL", "EMAIL_FROM", "LOG_LEVEL", "FORWARDED_ALLOW_IPS")
    server.extra |= {name: "" for name in names if name not in server.environment}
    made = [server.manage("export_config") and (server.data_dir / ".env").read_text() for _ in range(2)]
    assert made[0] == made[1]
    server.extra["ALLOWED_PRIVATE_NETWORKS"] = "127.0.0.0/8, ::1/128"
    server.start()
    key = server.add("nothing", status="off", settings={"url": "http://127.0.0.1:9/"})
    assert server.post("/v1/track", {"userId": "u1", "event": "e"}, key)[0] == 200


def test_a_taken_port_is_told_in_words(server: Server) -> None:
    server.start("--web-only")
    second = subprocess.run(
        [sys.executable, "manage.py", "serve", "--port", str(server.port)],
        cwd=ROOT, env=server.environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{server.port}" in second.stderr
    assert "Traceback" not in second.stderr
