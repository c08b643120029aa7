"""A stand-in for the service behind a connector, for drains: the same answer to everything."""

from __future__ import annotations

from integrations.types import OutgoingRequest, Response


class Service:
    def __init__(self, status: int) -> None:
        self.status = status

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response:
        return Response(status=self.status, body=b"{}")
