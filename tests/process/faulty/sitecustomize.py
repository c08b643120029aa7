"""Python imports this at its start wherever the folder is on PYTHONPATH: while the file named by FAULTY exists, the
thread that stores events fails right after it has stored some, for a reason that nobody foresaw."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import Any


class Faulty(queue.SimpleQueue):  # type: ignore[type-arg]  # it holds anything
    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if threading.current_thread().name == "writer" and Path(os.environ["FAULTY"]).exists():
            raise MemoryError("not foreseen")
        super().put(item, block, timeout)


queue.SimpleQueue = Faulty  # type: ignore[misc]  # that is the fault
