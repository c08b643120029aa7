"""uvicorn's HTTP protocol, with our own answer to what is no HTTP: lengths that lie, broken chunks, unknown methods.

Segment's libraries read the four fields of an error whatever the reason is; uvicorn says it in plain text.
"""

from __future__ import annotations

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Protocol(HttpToolsProtocol):
    def send_400_response(self, msg: str) -> None:
        from deliveries.api.answers import ANY_SITE  # here: uvicorn loads this module before Django is set up
        from deliveries.api.errors import body

        content = orjson.dumps(body("invalid_request", msg))
        headers = {
            "content-type": "application/json",
            "content-length": str(len(content)),
            "connection": "close",
            **ANY_SITE,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + lines.encode() + b"\r\n" + content)
        self.transport.close()
