"""Opens pages one after the other and keeps what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.browser.conftest import LOOKS
from tests.browser.places import Step

KILOBYTES, REQUESTS = 150, 12
MOST_ROUNDS = 3000  # of a hundredth of a second: as long as Playwright waits for anything else
# What is wrong with the page as it stands: controls and rows that only a mouse reaches.
FOR_THE_MOUSE_ONLY = """[
    ...[...document.querySelectorAll('[onclick], [role=button]')].filter(e => e.tabIndex < 0),
    ...[...document.querySelectorAll('tr[data-href]')].filter(r => !r.querySelector('a[href]')),
].map(e => e.outerHTML.slice(0, 160))"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# How many pixels of the page, and of its lists, are out of sight until they are scrolled to.
OUT_OF_SIGHT = """Math.max(...[document.documentElement, ...document.querySelectorAll(".table-scroll")]
    .map(e => e.scrollWidth - e.clientWidth))"""
# The ends of each range of widths that the style sheet tells apart, and some between. It is tight at the narrow ends.
WIDTHS = (320, 390, 600, 860, 861, 1000, 1100, 1101, 1180, 1260, 1261, 1280, 1440)
NARROW_ENDS = (320, 861, 1101, 1261)
HEIGHT = "document.documentElement.scrollHeight"
AXE = """rules => axe.run({resultTypes: ['violations'], runOnly: rules})
    .then(result => result.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))]))"""
ALL_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RULES_ON_COLOURS = ["color-contrast", "link-in-text-block"]


class Visit:
    """Opens one page after the other and keeps what is wrong with it: also what it weighs on the first visit, with
    nothing kept by the browser, where that is asked. Which ``looks`` it has after the light one, and whether it fits at
    other ``widths``, is seen of the same document: only the style sheet knows the window
    (``test_only_the_style_sheet_asks_about_the_window``)."""

    def __init__(
        self, context: Any, axe: str, weighs: bool = False, looks: Iterable[str] = (), widths: Iterable[int] = ()
    ) -> None:
        self.page, self.axe, self.weighs = context.new_page(), axe, weighs
        self.looks, self.widths = tuple(looks), tuple(widths)
        self.wrong: dict[str, Any] = {}
        self.asked: set[Any] = set()
        self.come: list[Any] = []
        if weighs:
            self.page.on("request", lambda asked: self.asked.add(asked))
            self.page.on("requestfinished", self._has_come)
            self.page.on("requestfailed", lambda asked: self.asked.discard(asked))
            context.new_cdp_session(self.page).send("Network.setCacheDisabled", {"cacheDisabled": True})

    def to(self, address: str, status: int = 200, step: Step | None = None) -> None:
        if self.weighs:  # leave the page before first: what it asked for last would come in and count as this one's
            self.page.goto("about:blank")
        self.asked.clear()
        self.come.clear()
        wrong = []
        answer = self.page.goto(address)
        if answer is not None and answer.status != status:  # none: the same page at another "#"
            wrong.append(f"answers {answer.status}")
        if self.weighs:
            wrong += self._too_heavy()
        if step is not None:
            step(self.page)
        wrong += self.page.evaluate(FOR_THE_MOUSE_ONLY)
        if self.axe:  # run by the debugger, which the page's policy does not bind; the policy stays as it is
            self.page.evaluate(self.axe)
        wrong += self._unfit(ALL_RULES)
        if self.looks or self.widths:
            wrong += self._otherwise()
        if wrong:
            self.wrong[address] = wrong

    def _otherwise(self) -> list[Any]:
        """What is wrong with the page that is open in the other looks and at the other widths."""
        wrong: list[Any] = []
        size = self.page.viewport_size
        for look in self.looks:
            width, height, scheme = LOOKS[look]
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.emulate_media(color_scheme=scheme)
            # Nothing but colours differs at the same width: the style sheet's other scheme is variables alone.
            rules = RULES_ON_COLOURS if width == size["width"] else ALL_RULES
            wrong += [(look, one) for one in self._unfit(rules)]
        for width in self.widths:
            self.page.set_viewport_size({"width": width, "height": 800})
            if (pixels := self.page.evaluate(OUT_OF_SIGHT)) > 0:
                wrong.append(f"has {pixels} pixels out of sight at {width}")
        self.page.set_viewport_size(size)
        if self.looks:
            self.page.emulate_media(color_scheme="light")
        return wrong

    def _unfit(self, rules: list[str]) -> list[Any]:
        """Too wide, or inaccessible: looked for in a window as high as the page, so that what sticks to its edge covers
        no button by chance."""
        pixels = self.page.evaluate(TOO_WIDE)
        wrong: list[Any] = [f"is {pixels} pixels too wide"] if pixels > 0 else []
        if self.axe:
            size = self.page.viewport_size
            self.page.set_viewport_size({**size, "height": max(size["height"], self.page.evaluate(HEIGHT))})
            wrong += self.page.evaluate(AXE, rules)
            self.page.set_viewport_size(size)
        return wrong

    def _has_come(self, asked: Any) -> None:
        """Only noted, and weighed later: what goes wrong inside of a listener is never heard of."""
        self.come.append(asked)
        self.asked.discard(asked)

    def _too_heavy(self) -> list[str]:
        for _ in range(MOST_ROUNDS):
            if not self.asked:
                break
            self.page.wait_for_timeout(10)
        wrong = [f"never got {asked.url}" for asked in self.asked]
        weights = [len(asked.response().body()) for asked in self.come]
        if sum(weights) > KILOBYTES * 1000:
            wrong.append(f"weighs {sum(weights)} bytes")
        return [*wrong, f"makes {len(weights)} requests"] if len(weights) > REQUESTS else wrong
