"""Run this machine's workers. `serve` starts it; it is no command for people."""

from __future__ import annotations

import gc
import logging
from typing import Any

from django.core.management.base import BaseCommand

from deliveries import lifeline, queue

log = logging.getLogger("signalbox.serve")


class Command(BaseCommand):
    help = "Run the workers that deliver events (started by `serve`)."

    def handle(self, *args: Any, **options: Any) -> None:
        # What is loaded by now lives as long as the workers, which inherit this; and a batch's thousands of small rows,
        # all in hand at once, are no sign of garbage: looking for some was a sixth of the work.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        queue.run_cluster()
        lifeline.end_when_cut(grace=32)  # after the fork: a thread must not exist when workers are forked
        try:
            queue.start_over()
        except Exception:  # whatever it is, the workers run: they must not end with it
            log.exception("The workers could not be woken; the sweep will")
