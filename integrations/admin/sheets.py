"""Tables for spreadsheets: CSV in which no cell runs as a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

# A cell that begins with one of these is run, whoever wrote it; some programs take the full-width forms for the same.
# Who splits at semicolons, tabs or lines begins cells in the middle of ours. Spaces, also invisible ones, may go first.
SPACES = r"[ \u00a0\u3000\ufeff\u200b\u2060\u00ad\0]*"
FORMULA = re.compile(rf"(^|[;\t\r\n])({SPACES})(?=[=+\-@＝＋－＠]|(?<![;\t\r\n])[\t\r\n])")


def download(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """The table as a file that the browser saves as ``name``.csv."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(answer)
    writer.writerow(head)
    writer.writerows([plain(cell) for cell in row] for row in rows)
    return answer


def plain(cell: Any) -> Any:
    """A text with an apostrophe in front of what a spreadsheet would run."""
    return FORMULA.sub(r"\1'\2", cell) if isinstance(cell, str) else cell
