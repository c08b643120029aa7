"""Opens pages one after the other and keeps what is wrong with them."""

from __future__ import annotations

from typing import Any

from tests.browser.places import Step

KILOBYTES, REQUESTS = 150, 12
# What is wrong with the page as it stands: controls and rows that only a mouse reaches.
FOR_THE_MOUSE_ONLY = """[
    ...[...document.querySelectorAll('[onclick], [role=button]')].filter(e => e.tabIndex < 0),
    ...[...document.querySelectorAll('tr[data-href]')].filter(r => !r.querySelector('a[href]')),
].map(e => e.outerHTML.slice(0, 160))"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HEIGHT = "document.documentElement.scrollHeight"
AXE = """axe.run({resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})
    .then(result => result.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))]))"""


class Visit:
    """Opens one page after the other and keeps what is wrong with it: also what it weighs on the first visit, with
    nothing kept by the browser, where that is asked."""

    def __init__(self, context: Any, axe: str, weighs: bool = False) -> None:
        self.page, self.axe, self.weighs = context.new_page(), axe, weighs
        self.wrong: dict[str, Any] = {}
        self.weights: list[int] = []
        self.asked: set[Any] = set()
        if weighs:
            self.page.on("request", lambda asked: self.asked.add(asked))
            self.page.on("requestfinished", self._weigh)
            self.page.on("requestfailed", lambda asked: self.asked.discard(asked))
            context.new_cdp_session(self.page).send("Network.setCacheDisabled", {"cacheDisabled": True})

    def to(self, address: str, status: int = 200, step: Step | None = None) -> None:
        self.weights.clear()
        self.asked.clear()
        wrong = []
        answer = self.page.goto(address)
        if answer is not None and answer.status != status:  # none: the same page at another "#"
            wrong.append(f"answers {answer.status}")
        if self.weighs:
            wrong += self._too_heavy()
        if step is not None:
            step(self.page)
        if (pixels := self.page.evaluate(TOO_WIDE)) > 0:
            wrong.append(f"is {pixels} pixels too wide")
        wrong += self.page.evaluate(FOR_THE_MOUSE_ONLY)
        if self.axe:  # run by the debugger, which the page's policy does not bind; the policy stays as it is
            wrong += self._inaccessible()
        if wrong:
            self.wrong[address] = wrong

    def _inaccessible(self) -> list[Any]:
        """In a window as high as the page, so that what sticks to its edge covers no button by chance."""
        size = self.page.viewport_size
        self.page.set_viewport_size({**size, "height": max(size["height"], self.page.evaluate(HEIGHT))})
        self.page.evaluate(self.axe)
        found: list[Any] = self.page.evaluate(AXE)
        self.page.set_viewport_size(size)
        return found

    def _weigh(self, asked: Any) -> None:
        self.weights.append(len(asked.response().body()))
        self.asked.discard(asked)

    def _too_heavy(self) -> list[str]:
        while self.asked:
            self.page.wait_for_timeout(10)
        wrong = [f"weighs {sum(self.weights)} bytes"] if sum(self.weights) > KILOBYTES * 1000 else []
        return [*wrong, f"makes {len(self.weights)} requests"] if len(self.weights) > REQUESTS else wrong
