"""The table, and results.json."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench import Figure

RESULTS = Path(__file__).with_name("results.json")
HEADER = ("what", "database", "median", "min – max", "", "CPU ms", "server")


class Report:
    """Figures by row, line and database, in the order they came."""

    def __init__(self) -> None:
        self.figures: dict[tuple[str, str, str], list[Figure]] = {}
        self.failures: list[str] = []

    def add(self, row: str, database: str, figure: Figure) -> None:
        self.figures.setdefault((row, figure.line, database), []).append(figure)

    def lines(self) -> list[dict[str, Any]]:
        """One per line of the table."""
        return [
            {
                "row": row,
                "what": line.strip(),
                "database": database,
                "unit": figures[0].unit,
                "median": round(median(figure.value for figure in figures), 3),
                "min": round(min(figure.value for figure in figures), 3),
                "max": round(max(figure.value for figure in figures), 3),
                "rounds": [round(figure.value, 3) for figure in figures],
                "cpu_ms_per_event": _median([figure.cpu for figure in figures]),
                "database_cpu_ms_per_event": _median([figure.database_cpu for figure in figures]),
                "more": [figure.more for figure in figures if figure.more],
                "_line": line,
            }
            for (row, line, database), figures in self.figures.items()
        ]

    def table(self) -> str:
        cells = [HEADER]
        for entry in self.lines():
            cells.append(
                (
                    entry["_line"],
                    entry["database"],
                    text(entry["median"]),
                    f"{text(entry['min'])} – {text(entry['max'])}" if len(entry["rounds"]) > 1 else "",
                    entry["unit"],
                    "" if entry["cpu_ms_per_event"] is None else f"{entry['cpu_ms_per_event']:.3f}",
                    "" if entry["database_cpu_ms_per_event"] is None else f"{entry['database_cpu_ms_per_event']:.3f}",
                )
            )
        widths = [max(len(row[column]) for row in cells) for column in range(len(HEADER))]
        drawn = []
        for number, row in enumerate(cells):
            parts = [
                cell.ljust(width) if column in (0, 1, 4) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            drawn.append("  ".join(parts).rstrip())
            if not number:
                drawn.append("  ".join("-" * width for width in widths))
        return "\n".join(drawn)

    def save(self, machine: dict[str, str], options: dict[str, Any]) -> None:
        """Replace the rows that were measured; others stay if they are of the same machine and versions. A run without
        PostgreSQL says nothing of the databases' versions, and does not end the rows that had it."""
        try:
            before = json.loads(RESULTS.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = {}
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [{"measured_at": moment, **options, **entry} for entry in self.lines()]
        for row in rows:
            row.pop("_line")
        measured = {(row["row"], row["database"]) for row in rows}
        known = before.get("machine", {})
        if all(known.get(name) == machine[name] for name in ("machine", "python", "packages")):
            kept = {"databases": max(machine["databases"], known.get("databases", ""), key=len)}
            machine = {**machine, **kept}
            rows = [row for row in before["rows"] if (row["row"], row["database"]) not in measured] + rows
        RESULTS.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 4) if known else None


def text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
