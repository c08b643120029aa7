"""The console of a running server, by form posts as a browser sends them."""

from __future__ import annotations

import http.cookiejar
import urllib.parse
import urllib.request


class Console:
    """Somebody who signed in."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self.url = url
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.get("/login/")
        assert "Sign out" in self.post("/login/", username=email, password=password, next="/")

    def get(self, path: str) -> str:
        return str(self.opener.open(self.url + path, timeout=60).read().decode())

    def post(self, path: str, **data: str) -> str:
        """The page that it leads to."""
        token = next(cookie.value for cookie in self.cookies if cookie.name == "csrftoken")
        body = urllib.parse.urlencode({**data, "csrfmiddlewaretoken": token}).encode()
        return str(self.opener.open(self.url + path, body, timeout=60).read().decode())
