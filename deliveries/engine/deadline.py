"""An end to waiting for an answer, however slowly it comes.

A socket's time-out is for one read: a receiver that sends its headers byte by byte would hold a thread, and with it the
delivery and the worker's orderly end, for hours.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

LONGEST = 1.5  # times the read time-out, from the request's last byte to the answer's last


class TimedResponse(HTTPResponse):
    """For a connection's ``response_class``: the whole answer has one deadline. Past it reading raises TimeoutError."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if (patience := sock.gettimeout()) is not None:
            self.fp = io.BufferedReader(_Timed(self.fp, sock, time.monotonic() + LONGEST * patience))


class _Timed(io.RawIOBase):
    def __init__(self, file: io.BufferedReader, sock: socket.socket, deadline: float) -> None:
        self.file, self.sock, self.deadline = file, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("The answer did not end in time.")
        if left < (self.sock.gettimeout() or 0):
            self.sock.settimeout(left)
        return self.file.raw.readinto(buffer)

    def close(self) -> None:
        self.file.close()
        super().close()
