"""Waiting by looking again and again: fails only when a deadline far beyond any healthy run has passed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def eventually(check: Callable[[], T], what: str, within: float = 60.0) -> T:
    """The first truthy value of ``check``. Its errors count as "not yet"."""
    deadline = time.monotonic() + within
    last: object = None
    while time.monotonic() < deadline:
        try:
            value = check()
            if value:
                return value
            last = value
        except (OSError, ValueError, KeyError, LookupError) as error:
            last = error
        time.sleep(0.05)
    pytest.fail(f"{what}: not within {within:g} s. At last: {last!r}")
