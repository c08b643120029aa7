"""The web server's entry point: ingest routes go straight to their views, everything else to Django."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import warnings
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# On SQLite the loop's own thread commits (deliveries.writer says why); Django's console runs in threads as ever.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from django.http import HttpRequest  # noqa: E402 - Django must be set up first, here and below

from deliveries import lifeline, queue  # noqa: E402 - as above
from deliveries.api import status  # noqa: E402 - as above
from deliveries.api.front import PREFIXES, IngestFront  # noqa: E402 - as above

# The commit thread and the event loop hand over to each other all the time: Python's 5 ms would be most of a request.
sys.setswitchinterval(0.0001)
ingest = IngestFront()
lifeline.end_when_cut(grace=32)
queue.prepare()
# What is loaded by now lives as long as the process; looking through it again and again is a tenth of a request.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)


# Style sheets and scripts are read whole before they are sent: they are small, and who starts this cannot mend it.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

STATUS = {"/healthz": status.healthz, "/readyz": status.readyz, "/metrics": status.metrics}


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        if scope["path"].startswith(PREFIXES):
            await ingest(scope, receive, send)
        elif scope["path"] in STATUS:
            await _status(scope["path"], send)
        else:
            await django_application(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)


async def _status(path: str, send: Any) -> None:
    """Past the console's middleware: a probe knows no host name."""
    response = await asyncio.to_thread(STATUS[path], HttpRequest())
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await ingest.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            ingest.writer.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
