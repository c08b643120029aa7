"""The README's table of figures, made from results.json: ``python -m benchmarks.readme``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, text

README = RESULTS.parents[1] / "README.md"
BEGIN, END = "<!-- figures: python -m benchmarks.readme -->", "<!-- end of figures -->"
DATABASES = ("SQLite", "PostgreSQL")


def table(results: dict[str, Any]) -> str:
    """One line per measured line, the median of its rounds on each database, with its CPU time in brackets."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in results["rows"]:
        if row["what"].startswith("/"):  # one of many pages: their summary is a line too
            continue
        found.setdefault((row["row"], row["what"]), {})[row["database"]] = _cell(row)
    lines = [f"| what | {' | '.join(DATABASES)} |", "|---|---|---|"]
    lines += [
        f"| {what} | {' | '.join(cells.get(name, '–') for name in DATABASES)} |" for (_, what), cells in found.items()
    ]
    machine = "; ".join({**results["machine"], "python": f"Python {results['machine']['python']}"}.values())
    rounds = sorted({len(row["rounds"]) for row in results["rows"]})
    words = (
        f"Medians of {' or '.join(str(number) for number in rounds)} rounds; in brackets CPU milliseconds per event, "
    )
    return "\n".join(
        [words + "of Signalbox and, after the +, of PostgreSQL's server.", "", *lines, "", f"Measured on: {machine}."]
    )


def _cell(row: dict[str, Any]) -> str:
    own, server = row["cpu_ms_per_event"], row["database_cpu_ms_per_event"]
    shown = f"{text(row['median'])} {row['unit']}".replace(" events/s", "/s").replace(" events", "").replace(" ×", "×")
    if own is None:
        return shown
    return f"{shown} ({own:.3f}{f' + {server:.3f}' if server is not None else ''})"


def write(readme: Path = README, results: Path = RESULTS) -> None:
    before = readme.read_text(encoding="utf-8")
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    made = table(json.loads(results.read_text(encoding="utf-8")))
    readme.write_text(f"{head}{BEGIN}\n{made}\n\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    write()
