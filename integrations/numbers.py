"""Numbers as people read them: the same on pages, in sentences, in alerts and in answers."""

from __future__ import annotations


def thousands(value: int) -> str:
    """12 345, with a space that does not break."""
    return f"{value:,}".replace(",", "\u00a0")
