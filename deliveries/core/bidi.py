"""Names from right to left inside of our sentences, which go from left to right."""

from __future__ import annotations

from unicodedata import bidirectional

FIRST_STRONG, END = "\u2068", "\u2069"  # as <bdi> does it in HTML; these do it in mails and chats as well


def isolated(name: str) -> str:
    """An Arabic or Hebrew name keeps its digits and signs to itself, and the words beside it keep theirs."""
    if any(bidirectional(letter) in ("R", "AL") for letter in name):
        return f"{FIRST_STRONG}{name}{END}"
    return name
