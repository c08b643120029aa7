"""The HTTP seam: the only importer of requests. Sends one prepared request and gives back the answer, or says why there
is none. No redirects, no proxies or netrc from the environment, both timeouts and a deadline, a capped body.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from deliveries.engine import practice
from deliveries.engine.addresses import BlockedAddress, pool_classes
from deliveries.engine.wire import BODY_CAP, Line
from integrations.networks import parse_networks
from integrations.types import Cause, OutgoingRequest, Response

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 10.0
IDLE_CLOSE = 2.0  # receivers close idle connections after 2-5 s: do not race them
USER_AGENT = "Signalbox/1.0"


class SendFailed(Exception):
    """There is no answer. ``cause`` and ``detail`` go on the attempt."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail


class GuardedAdapter(HTTPAdapter):
    """A requests adapter whose connections check the address they connect to.

    One thread's, always verifying, never through a proxy: so what requests works out anew for each call (which pool,
    which certificates, which proxy) is worked out once per host, and one connection per host is enough.
    """

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str], Line] = {}
        super().__init__(pool_connections=50, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        networks = parse_networks(tuple(settings.ALLOWED_PRIVATE_NETWORKS))
        self.poolmanager.pool_classes_by_scheme = pool_classes(networks)

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        scheme, host, *_ = urlsplit(request.url)
        line = self.lines.get((scheme, host))
        if line is None:
            if len(self.lines) >= 50:
                self.forget_connections()
            pool = super().get_connection_with_tls_context(request, True)
            super().cert_verify(pool, request.url, True, None)
            line = self.lines[scheme, host] = Line(pool, request.url)
        return line

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Done when the pool was made."""

    def request_url(self, request: Any, proxies: Any) -> str:
        return str(request.path_url)

    def forget_connections(self) -> None:
        for line in self.lines.values():
            line.close()
        self.lines.clear()
        self.poolmanager.clear()

    def close(self) -> None:
        self.forget_connections()
        super().close()


class Sender:
    """Keep-alive connections for one thread."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.adapter = GuardedAdapter()
        self.session.mount("https://", self.adapter)
        self.session.mount("http://", self.adapter)
        self.last_used = time.monotonic()

    def close(self) -> None:
        self.session.close()

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = (), timeout: float = READ_TIMEOUT) -> Response:
        """The answer to ``request``. ``hosts``: the only ones it may go to (none given: any). Raises SendFailed."""
        url, host = _prepared_url(request.url)
        if hosts and host not in hosts:
            raise SendFailed(Cause.BLOCKED_ADDRESS, f"{host} is not an address of this service.")
        if url.startswith(practice.SCHEME):
            return _practise(request)
        started = time.monotonic()
        if started - self.last_used > IDLE_CLOSE:
            self.adapter.forget_connections()
        try:
            answer = self.session.get_adapter(url).send(
                _prepared(request, url), stream=True, timeout=(CONNECT_TIMEOUT, timeout), verify=True
            )
            try:
                body = answer.raw.read1(BODY_CAP, decode_content=True)
            finally:
                answer.close()
        except BlockedAddress as error:
            raise SendFailed(Cause.BLOCKED_ADDRESS, str(error)) from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _failure(error, host) from error
        self.last_used = time.monotonic()
        return Response(
            status=answer.status_code,
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=body,
            elapsed_ms=round((self.last_used - started) * 1000),
        )


def _practise(request: OutgoingRequest) -> Response:
    try:
        return practice.answer(request, datetime.now(UTC))
    except practice.NoAnswer as error:
        raise SendFailed(Cause.TIMEOUT, "The practice service did not answer in time.") from error


def _prepared(request: OutgoingRequest, url: str) -> requests.PreparedRequest:
    """Filled by hand: our builders make complete requests, and requests' own preparation costs a tenth of the call."""
    prepared = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = url
    content = request.content()
    headers = CaseInsensitiveDict({"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip"})
    headers.update(request.headers)
    if content or request.method != "GET":
        headers["Content-Length"] = str(len(content))
    prepared.headers = headers
    prepared.body = content or None
    prepared._cookies = requests.cookies.RequestsCookieJar()  # type: ignore[attr-defined]  # none of the stubs know
    return prepared


@lru_cache(maxsize=1024)
def _prepared_url(url: str) -> tuple[str, str]:
    """The URL as requests encodes it, and its host in lower case. Raises SendFailed for what is no http(s) URL."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(url, None)
        host = urlsplit(prepared.url or "").hostname
    except (requests.RequestException, ValueError) as error:
        raise SendFailed(Cause.UNREACHABLE, f"“{url[:200]}” is not a web address.") from error
    if not host or urlsplit(prepared.url).scheme not in ("http", "https", "practice"):
        raise SendFailed(Cause.UNREACHABLE, f"“{url[:200]}” is not a web address.")
    return str(prepared.url), host


def _failure(error: Exception, host: str) -> SendFailed:
    """Which cause an exception is, in words."""
    text = str(error)
    if isinstance(error, requests.exceptions.SSLError) or "SSL" in type(error).__name__:
        return SendFailed(Cause.TLS, f"{host}: {_tls_words(text)}")
    if isinstance(error, NameResolutionError):
        return SendFailed(Cause.UNREACHABLE, f"The name {host} does not exist.")
    if "refused" in text:
        return SendFailed(Cause.UNREACHABLE, f"{host} refused the connection.")
    made = not isinstance(error, NewConnectionError)  # which urllib3 counts among the time-outs
    if made and (isinstance(error, requests.Timeout | Urllib3TimeoutError | TimeoutError) or "timed out" in text):
        return SendFailed(Cause.TIMEOUT, f"{host} did not answer in time.")
    if isinstance(error, requests.exceptions.InvalidHeader | requests.exceptions.InvalidURL):
        return SendFailed(Cause.INTERNAL, f"The request could not be made: {text[:200]}")
    return SendFailed(Cause.UNREACHABLE, f"The connection to {host} broke before an answer came.")


def _tls_words(text: str) -> str:
    for sign, words in (
        ("certificate has expired", "its security certificate has expired."),
        ("self-signed", "its security certificate is self-signed."),
        ("self signed", "its security certificate is self-signed."),
        ("Hostname mismatch", "its security certificate is for another name."),
        ("doesn't match", "its security certificate is for another name."),
        ("unable to get local issuer", "its security certificate comes from nobody we know."),
    ):
        if sign in text:
            return words
    return "an encrypted connection could not be made."
