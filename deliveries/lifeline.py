"""How the processes that `serve` started learn that it wants them to stop, or is gone.

`serve` keeps the writing end of a pipe and its children the reading end. It never writes: when it closes its end, on
purpose or by dying, every child sees the end of the file at once.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time

VARIABLE = "SIGNALBOX_LIFELINE"


def descriptor() -> int | None:
    text = os.environ.get(VARIABLE, "")
    return int(text) if text.isdigit() else None


def stopping() -> bool:
    """Whether the line is cut. Without one (a drain run by hand) never."""
    line = descriptor()
    if line is None:
        return False
    try:
        readable, _, _ = select.select([line], [], [], 0)
    except (OSError, ValueError):
        return True
    return bool(readable)


def end_when_cut(grace: float) -> None:
    """In a child of `serve`: once the line is cut, ask this process to end, and after ``grace`` seconds kill its group.

    So nothing outlives a `serve` that was killed, whatever it was doing.
    """
    line = descriptor()
    if line is None:
        return

    def watch() -> None:
        select.select([line], [], [])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
