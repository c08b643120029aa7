"""Charts as SVG text, made on the server: attributes only and colours by class, so no script and no style is needed.

Across in percent, upwards in pixels: on a phone the bars get narrow, not low, and letters keep their size. The numbers
of the scale stand in the padding on the left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from integrations.numbers import thousands

HEIGHT, BOTTOM, TOP = 190, 22, 8
SERIES = ("delivered", "retrying", "held", "failed")
SAID = {"retrying": "under way"}  # as in the legend


@dataclass(frozen=True)
class Bar:
    """One span of time: what it is called, and how many of each series."""

    label: str
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.get(name, 0) for name in SERIES)

    def words(self) -> str:
        parts = [f"{thousands(self.counts[name])} {SAID.get(name, name)}" for name in SERIES if self.counts.get(name)]
        return f"{self.label}: {', '.join(parts) or 'nothing'}"


def stacked(bars: Sequence[Bar], summary: str) -> SafeString:
    """A stacked bar chart; every bar says its numbers in a title, and ``summary`` says the whole in words."""
    top = nice(max((bar.total for bar in bars), default=0))
    room, step = HEIGHT - BOTTOM - TOP, 100 / max(len(bars), 1)
    every = max(1, round(len(bars) / 8))
    groups = format_html_join(
        "",
        "<g><title>{}</title>{}{}{}</g>",
        (
            (
                bar.words(),
                _rect(number * step, TOP, step, room, "hit"),
                _pieces(bar, number * step, step, room, top),
                _label(number * step + step / 2, bar.label, number // every) if number % every == 0 else "",
            )
            for number, bar in enumerate(bars)
        ),
    )
    return format_html(
        '<svg class="chart" width="100%" height="{}" role="img" aria-label="{}">{}{}{}</svg>',
        HEIGHT, summary, _grid(top, room), groups, "" if any(bar.total for bar in bars) else _nothing(room),
    )  # fmt: skip


def _nothing(room: float) -> SafeString:
    return _text("50%", TOP + room / 4, "Nothing was delivered in this time.", "middle")


def nice(value: int) -> int:
    """The end of an axis: 1, 2 or 4 times a power of ten, not below the value; at least 4, so that half is whole."""
    power = 1
    while True:
        for factor in (1, 2, 4):
            if factor * power >= max(value, 4):
                return factor * power
        power *= 10


def _pieces(bar: Bar, left: float, step: float, room: float, top: int) -> SafeString:
    at, pieces = float(TOP + room), []
    for name in SERIES:
        if count := bar.counts.get(name, 0):
            height = room * count / top
            at -= height
            pieces.append((_rect(left + step * 0.12, at, step * 0.76, height, name),))
    return format_html_join("", "{}", pieces)


def _grid(top: int, room: float) -> SafeString:
    """The lines with their numbers beside them."""
    lines = [(TOP + room * (1 - share), f"{thousands(round(top * share))}") for share in (0, 0.5, 1)]
    marks = format_html_join(
        "",
        '<line class="axis" x1="0" x2="100%" y1="{}" y2="{}"/>{}',
        ((round(y, 1), round(y, 1), _text("-6", y + 3, label, "end")) for y, label in lines),
    )
    return format_html('<g class="scale">{}</g>', marks)


def _rect(x: float, y: float, width: float, height: float, name: str) -> SafeString:
    """``x`` and ``width`` in percent, ``y`` and ``height`` in pixels."""
    return format_html(
        '<rect class="{}" x="{}%" y="{}" width="{}%" height="{}"/>',
        name, round(x, 2), round(y, 1), round(width, 2), round(height, 1),
    )  # fmt: skip


def _label(x: float, words: str, number: int) -> SafeString:
    """A time below its bar; on a phone there is room for every other one."""
    text = _text(f"{round(x, 2)}%", HEIGHT - 3, words.removesuffix(" 00:00"), "middle")
    return format_html('<g class="{}">{}</g>', "less", text) if number % 2 else text


def _text(x: str, y: float, words: str, anchor: str) -> SafeString:
    return format_html('<text x="{}" y="{}" text-anchor="{}">{}</text>', x, round(y, 1), anchor, words)
