"""What follows the table in a CSV file: sums, sources, counts of rows, drawn lines."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_LINES = 20
MOST_SHOWN, MOST_TEXT = 2, 60  # lines, and characters of one
TOTAL = re.compile(
    r"^\W*(?:grand |sub-?|sous-)?(?:totals?|totale[sn]?|sums?|summen?|gesamt\w*|insgesamt|ergebnis|somme|suma|"
    r"razem|итого|всего|合计|合計|总计)\W*$",
    re.IGNORECASE,
)
BEGINS = re.compile(
    r"^\W*(?:(?:grand |sub-?|sous-)?(?:totals?|totale[sn]?|sums?|summen?|gesamt\w*|insgesamt|ergebnis|somme|suma|razem|"
    r"итого|всего)|sources?|notes?|quellen?|stand|hinweis|anmerkung|fuente|fonte|remarks?|copyright|generated|created|"
    r"exported|downloaded|printed|end of|ende|data as of|as of|records?|rows?|number of|anzahl|checksum)\b|^\W*©",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"^(?:\(?\s*\d[\d,. ]*\s*(?:rows?|records?|lines?|tuples?|zeilen?|datens.tze?|filas?|lignes?|righe)\b[^\"]*\)?\.?|"
    r"query ok\b.*|sql>.*|eof|\\\.|\x1a)$",
    re.IGNORECASE,
)
DRAWING = frozenset("|:+,;-=\u2500")
DRAWN = re.compile(r"^[\s|:+,;]*[-=\u2500]{2}[\s|:+,;=\u2500-]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """What follows a table.

    Attributes:
        n_bytes: of it, in the file's own encoding.
        n_lines: of it, empty ones apart.
        said: what a reader should know of it, in words.

    """

    n_bytes: int
    n_lines: int
    said: str


def is_drawn(line: str) -> bool:
    """Return whether a line is drawn, as below the names of a printed table, and holds nothing."""
    line = line.strip()
    return line[:1] in DRAWING and DRAWN.match(line) is not None  # nearly all lines are told by their beginning


def find_footer(
    tail: bytes,
    *,
    encoding: str,
    delimiter: str,
    quote: str,
    comment: str,
    width: int,
    values: Callable[[str], tuple[list[str], bool]],
) -> Footer | None:
    """Return what follows the table, None where nothing does.

    Args:
        tail: the last bytes of a file, or all.
        encoding: of the file.
        delimiter: between its values.
        quote: around them; empty for none.
        comment: begins lines that are left out wherever they stand; empty for none.
        width: values of a row.
        values: reads a line as those of the table are read, and says whether it neither begins nor ends within quotes.

    """
    encoding = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    if encoding in ("utf-16", "utf-32"):
        encoding += "-be" if tail.rfind(b"\0") < len(tail) - 1 and tail[-1:] != b"\0" else "-le"
    lines = list(io.StringIO(tail.decode(encoding, errors="replace"), newline=""))[-10 * MOST_LINES :]
    begin = _begin(lines, delimiter, quote, comment, width, values)
    text = "".join(lines[begin:])
    n_bytes = len(text.encode(encoding, errors="replace"))
    if not text or not tail.endswith(text.encode(encoding, errors="replace")):
        return None
    shown = [_cut(line.strip()) for line in lines[begin:] if line.strip()]
    some = ", ".join(map(repr, shown[:MOST_SHOWN])) + (", ..." if len(shown) > MOST_SHOWN else "")
    said = f"its last {len(shown)} lines ({some}) are no rows of the table, and are left out"
    if len(shown) == 1:
        said = f"its last line ({some}) is no row of the table, and is left out"
    return Footer(n_bytes=n_bytes, n_lines=len(shown), said=said)


def _begin(
    lines: Sequence[str],
    delimiter: str,
    quote: str,
    comment: str,
    width: int,
    values: Callable[[str], tuple[list[str], bool]],
) -> int:
    """Return the first of the lines that follow the table; their number where none does."""
    ended = bool(lines) and lines[-1].endswith(("\n", "\r"))
    # The first of those that are no rows; of those told by themselves or parted by an empty line; of the former alone.
    begin = surely = alone = len(lines)
    n = 0
    for i in range(len(lines) - 1, -1, -1):
        line = lines[i].strip()
        if not line:
            surely = begin
            continue
        row, whole = values(lines[i])
        if comment and line.startswith(comment) and len(row) < width:
            continue
        cells = [cell.strip() for cell in row if cell.strip()]
        if not whole or not cells:
            return surely
        told = _told(line, row, cells, delimiter, width, ended or i < len(lines) - 1)
        if TOTAL.match(cells[0]) and any(other.lstrip(f" {quote}").startswith(cells[0]) for other in lines[:i]):
            told = False  # other rows are called so too
        if not told and len(row) == width:
            return surely
        n += 1
        if n > MOST_LINES:
            break
        alone = i if told and alone == begin else alone
        begin = i
        surely = i if told else surely
    return alone if alone > begin else len(lines)  # no row of the table is among them: only words tell


def _told(line: str, row: Sequence[str], cells: Sequence[str], delimiter: str, width: int, ended: bool) -> bool:
    """Return whether a line by itself is no row of a table: by its words, or because it is one sentence."""
    if CLOSING.match(line) or is_drawn(line):
        return True
    if width < 2:
        return False
    if delimiter == " " and (line.startswith("# ") or BEGINS.match(line)):
        return True
    if len(row) == width:
        return bool(TOTAL.match(cells[0])) or (":" in cells[0] and bool(BEGINS.match(cells[0])))
    if BEGINS.match(cells[0]):
        return True
    return ended and len(cells) == 1 and re.search(r"[^\W\d].*[\s:]|[\s:].*[^\W\d]", cells[0]) is not None


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "..."
