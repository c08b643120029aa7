"""Keys are replaced while events flow: a source's write key, a connector's signing secret, and the installation's own
keys that encrypt both."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from tests.door import basic
from tests.process.browsing import Console
from tests.process.receiver import Receiver
from tests.process.server import Server
from tests.process.waiting import eventually

EMAIL, PASSWORD = "owner@example.com", "correct horse staple"
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgh41hwUM="


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With two web processes where the database allows them: what one knows the other must hear of."""
    owner = {"ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD}
    server = Server(tmp_path_factory.mktemp("server"), WEB_PROCESSES="2", **owner)
    try:
        server.start()
        yield server
    finally:
        server.close()


def ask(server: Server, key: str) -> int:
    return server.request("POST", "/v1/track", {"event": "e", "userId": "u"}, basic(key))[0]


def last_used(server: Server) -> list[bool]:
    (source,) = [row for row in server.api("GET", "/sources/")["results"] if row["name"] == "rolled"]
    return [bool(key["last_used_at"]) for key in source["write_keys"]]


def test_a_write_key_is_rolled_and_the_old_one_revoked(running: Server) -> None:
    old = running.add("rolled", status="off", settings={"url": "http://127.0.0.1:9/"})
    console = Console(running.url, EMAIL, PASSWORD)
    [source] = [row["id"] for row in running.api("GET", "/sources/")["results"] if row["name"] == "rolled"]
    page = console.get(f"/sources/{source}/")
    [roll] = re.findall(rf'"(/sources/{source}/keys/\d+/roll/)"', page)
    shown = re.search(r'id="new-key">([^<]+)<', console.post(roll))
    assert shown is not None
    new = shown[1]
    time.sleep(0.2)  # a web process may still work with the configuration of a tenth of a second ago
    assert last_used(running) == [False, False]
    assert [ask(running, key) for key in (old, new)] == [200, 200]
    eventually(lambda: last_used(running) == [True, True], "both are noted as used")
    page = console.get(f"/sources/{source}/")
    assert new not in page
    assert "Ends" in page
    revoke = roll.replace("/roll/", "/revoke/")
    assert "Events sent with it are refused within a second." in page
    assert "is revoked: events sent with it are refused from now on" in console.post(revoke)
    time.sleep(0.2)
    assert [ask(running, old) for _ in range(20)] == [401] * 20  # whichever process answers
    assert [ask(running, new) for _ in range(20)] == [200] * 20


def test_a_signing_secret_is_rolled_and_both_sign_meanwhile(running: Server, receiver: Receiver) -> None:
    key = running.add("signed", settings={"url": f"{receiver.url}/signed"}, secrets={"signing_secret": OLD})
    running.send(key, "signed-1")
    eventually(lambda: receiver.count("/signed") == Counter({"signed-1": 1}), "the first arrives")
    running.add("signed", settings={"url": f"{receiver.url}/signed"}, secrets={"signing_secret": NEW})
    running.send(key, "signed-2")
    eventually(lambda: len(receiver.requests("/signed")) == 2, "the second arrives")
    first, second = receiver.requests("/signed")
    assert [len(one.headers["webhook-signature"].split()) for one in (first, second)] == [1, 2]
    for request, secret in ((first, OLD), (second, OLD), (second, NEW)):
        assert Webhook(secret).verify(request.body.decode(), request.headers)


class Sender(threading.Thread):
    """Sends one event after the other, each until it is taken."""

    def __init__(self, server: Server, key: str) -> None:
        super().__init__(daemon=True)
        self.server, self.key = server, key
        self.taken: list[str] = []
        self.refused: Counter[int] = Counter()
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.wait(0.02):
            name = f"flow-{len(self.taken)}"
            if self._post(name) == 200:
                self.taken.append(name)

    def _post(self, name: str) -> int:
        event = {"event": "e", "userId": "u", "messageId": name}
        try:
            status = self.server.request("POST", "/v1/track", event, basic(self.key))[0]
        except OSError:  # between two runs of `serve` nobody listens
            return 0
        if status != 200:
            self.refused[status] += 1
        return status

    def more(self) -> None:
        """Wait for some that are taken from now on."""
        enough = len(self.taken) + 20
        eventually(lambda: len(self.taken) >= enough, "events go on to be taken")


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("restarted_first", [True, False])
def test_the_encrypting_key_is_replaced_while_events_flow(
    server: Server, receiver: Receiver, restarted_first: bool
) -> None:
    """Also where the secrets are encrypted anew before the running processes know the new key: they ask senders to come
    again, and deliveries wait, until they are started again."""
    path = f"/flow-{restarted_first}"
    server.start()
    key = server.add("flow", settings={"url": receiver.url + path}, secrets={"signing_secret": NEW})
    sender = Sender(server, key)
    sender.start()
    sender.more()
    env = server.data_dir / ".env"
    [old] = re.findall("SECRETS_KEYS=(.*)", env.read_text())
    replace(env, old, f"{Fernet.generate_key().decode()},{old}")
    if restarted_first:
        server.runs[-1].stop()
        server.start()
    assert "encrypted with the newest key" in server.manage("rotate_secrets")
    if restarted_first:
        sender.more()
    else:
        eventually(lambda: sender.refused[503] > 5, "senders are asked to come again")
    replace(env, f",{old}", "")
    server.runs[-1].stop()
    server.start()
    sender.more()
    sender.enough.set()
    sender.join(60)
    eventually(lambda: server.statuses("flow") == {"delivered": len(sender.taken)}, "all are delivered", 120)
    assert set(receiver.count(path)) == set(sender.taken)
    for request in receiver.requests(path):
        assert Webhook(NEW).verify(request.body.decode(), request.headers)
    assert set(sender.refused) <= {503}
