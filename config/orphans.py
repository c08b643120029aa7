"""Processes whose parent was killed. The kernel gives them to the nearest ancestor that takes such, else to process 1,
and in a container that is often one that looks after nobody (`serve` itself, say): what has ended then stays in the
table of processes for as long as the container runs. So `serve` takes its descendants, and clears them away."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Collection

LINUX = sys.platform == "linux"
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt(*, yes: bool = True) -> None:
    """From now on orphaned descendants become children of this process. On Linux only; else nothing is done."""
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


def clear(own: Collection[int]) -> None:
    """Clear away the adopted that have ended; who waits for its ``own`` children itself finds them as they were."""
    if not LINUX:
        return
    try:
        while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and found.si_pid not in own:
            os.waitpid(found.si_pid, 0)
    except ChildProcessError:
        return  # there is none at all
