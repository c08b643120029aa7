"""The five-minute tour in README.md, with the commands as they are printed there."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess

import pytest

from tests.process.ports import free_port
from tests.process.server import ROOT, Server
from tests.process.waiting import eventually

TEXT = (ROOT / "README.md").read_text()


def block(begins: str) -> str:
    """The command in the README that begins like this, without the indent of its list."""
    [found] = re.findall(rf"```\n( *{re.escape(begins)}.*?)```", TEXT, re.DOTALL)
    return str(found)


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("python3"), reason="needs curl and python3")
def test_what_the_tour_promises(running: Server) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    assert "`http://127.0.0.1:9000/nope`" in TEXT
    listener = subprocess.Popen(
        ["sh", "-c", "exec " + block("python3 -c").strip().replace("9000", str(port))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        key = running.add("tour", settings={"url": f"{address}/"})
        curl = block("curl").replace("http://127.0.0.1:8000", running.url).replace("YOUR_WRITE_KEY", key)
        curl = curl.replace("curl ", "curl --silent ", 1)

        def send() -> None:
            said = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=60, check=True)
            assert said.stdout == '{"success": true}'

        eventually(lambda: subprocess.run(["curl", "-s", address], check=False).returncode == 0, "it listens")
        send()
        eventually(lambda: running.statuses("tour") == {"delivered": 1}, "the event is delivered")
        running.add("tour", settings={"url": f"{address}/nope"})
        send()
        eventually(lambda: running.statuses("tour") == {"delivered": 1, "failed": 1}, "the next one fails")
        [failed] = running.deliveries("tour", status="failed")
        assert failed["cause"] == "not_found"
        running.add("tour", settings={"url": f"{address}/"})
        running.api("POST", f"/deliveries/{failed['id']}/replay/", {})
        eventually(lambda: running.statuses("tour") == {"delivered": 2, "failed": 1}, "the replay is delivered")
    finally:
        listener.send_signal(signal.SIGTERM)
        listener.wait(timeout=10)
