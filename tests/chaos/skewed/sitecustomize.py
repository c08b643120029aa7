"""Python imports this at its start wherever the folder is on PYTHONPATH: the process then believes in a clock that is
CHAOS_CLOCK seconds ahead of (or, negative, behind) the machine's, and that ticks as ever."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import time_machine

time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(os.environ["CHAOS_CLOCK"])), tick=True).start()
