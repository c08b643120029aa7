"""What django-q2 runs, by dotted path. One line each; ids only, because arguments are pickled and shown."""

from __future__ import annotations

from threading import Thread

from django.db import connection
from django.utils import timezone


def drain() -> None:
    from deliveries.engine.drain import Drain
    from deliveries.engine.writing import checkpoints

    with checkpoints():
        Drain().run()


def beat() -> None:
    from deliveries import heartbeat

    heartbeat.beat(timezone.now())


def sweep() -> None:
    from deliveries import jobs, upkeep

    jobs.noted("sweep", upkeep.sweep)


def hourly() -> None:
    from deliveries import jobs, upkeep

    jobs.noted("hourly", upkeep.hourly)


def erase() -> None:
    from deliveries.erase import advance_all

    advance_all(timezone.now())


def retire() -> None:
    from deliveries import upkeep

    upkeep.retire(timezone.now())


def practise() -> None:
    """Beside the worker's other tasks: it takes a minute, and there may be only this worker to send what comes in."""
    from deliveries import practice

    def send() -> None:
        try:
            practice.send()
        finally:
            connection.close()

    Thread(target=send, name="practice", daemon=True).start()


def advance_replay(replay_id: int, holds_turn: int = 0) -> None:
    from deliveries.replay_turns import go_on

    go_on(replay_id, timezone.now(), holds_turn=bool(holds_turn))
