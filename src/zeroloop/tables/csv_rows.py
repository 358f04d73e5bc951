"""Some lines of a CSV file as rows of values."""

from __future__ import annotations

import csv
from collections.abc import Sequence


def read_rows(
    lines: Sequence[str], delimiter: str, quote: str, escape: str | None = None
) -> tuple[list[list[str]], list[int]]:
    """Return the rows that lines hold, empty lines apart, and after how many lines each ends."""
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=escape,
    )
    rows, ends = [], []
    try:
        for row in reader:
            if any(row) or len(row) > 1:
                rows.append(row)
                ends.append(reader.line_num)
    except csv.Error:
        pass  # the last one may be cut, and what is wrong in others is said when they are read
    return rows, ends
