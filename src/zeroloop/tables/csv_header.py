"""Where the table in a CSV file begins, and what its columns are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from zeroloop.errors import BadFileError

MOST_TITLES = 20  # lines above a table
MOST_COMPARED = 100  # rows
FEWEST_PADDED = 4  # values of a row, of which a line above the table has at most half
FEWEST_COMPARED = 3  # of which the first may be names
NUMBER = re.compile(r"^\s*[+\-\u2212(]?[$€£]?\s?-?(\d[\d.,'\u2019\s]*|[.,]\d+)([eE][+-]?\d+)?\s?[%€)]?-?\s*$")

Row = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands above the rows of values.

    Attributes:
        first_line: lines of it.
        names: of the columns.
        unnamed: those of the names that the file does not give.
        row_names: whether the first column holds names of rows: the header, as R writes it, is one name short.
        said: what a reader should know of it, in words.

    """

    first_line: int
    names: tuple[str, ...]
    unnamed: frozenset[str]
    row_names: bool
    said: tuple[str, ...]


def find_header(
    path: str,
    rows: Sequence[Row],
    ends: Sequence[int],
    width: int,
    *,
    missing: Collection[str],
    given: bool | None,
    titles: bool,
    parted: Collection[int] = (),
    ruled: Collection[int] = (),
) -> Header:
    """Return what stands above the rows of values.

    Args:
        path: of the file, for messages.
        rows: of its head.
        ends: after how many lines each ends.
        width: values of a row, see `width_of`.
        missing: words for a missing value.
        given: whether there is a line of names; None to find out.
        titles: whether lines that are no row may stand above it.
        parted: rows below which there is an empty line.
        ruled: rows below which there is a drawn line.

    Raises:
        BadFileError: where it has too few names, or two lines look like names.

    """
    said = []
    above = next(
        (
            i
            for i, row in enumerate(rows[:MOST_TITLES])
            if _fits(row, width, rows[i + 1 :], missing) and not (len(row) < width and i in parted)
        ),
        0,
    )
    if not titles:
        above = 0
    if above and _too_few(rows[above - 1], rows[above:], width):
        above -= 1
    if titles:
        above = _below_padding(rows, above, width)
        below = rows[above + 1 :]
        if above in parted and len(below) > 1 and not _is_data(below[0], below[1:], width):
            above += 1  # a title with as many marks as a row
        above = next((i for i in sorted(ruled) if _are_ruled(rows, i, width)), above)
    skipped = ends[above - 1] if above else 0
    if above:
        lines = "line 1 is a title, and is" if skipped == 1 else f"lines 1 to {skipped} stand above the table, and are"
        said.append(f"{lines} left out; --skip says how many lines to leave out")
    first, values = rows[above], rows[above + 1 :]
    header = not _is_data(first, values, width) if given is None else given
    if given is None and header and _are_names(values, width, missing):
        raise BadFileError(
            path,
            f"it has two lines that look like names: below {_shown(first)!r} stands {_shown(values[0])!r}, where all "
            "rows below hold numbers; leave one of them, or --skip the first.",
        )
    if not header:
        if given is None:
            said.append(
                f"its first line looks like values ({_shown(first)}), not names, and "
                f"is read as such: the columns are called column1 to column{width}; "
                "--header says that they are names"
            )
        names = [""] * width
    else:
        # Blanks after each delimiter are the file's way of writing; those of a single name are its own.
        spaced = any(first[1:]) and all(name.startswith(" ") for name in first[1:] if name)
        names = [name.strip() if spaced or not name.strip() else name for name in first]
    while len(names) > width and not names[-1]:
        names.pop()
    row_names = header and len(names) == width - 1 and not _end_empty(values, width)
    if row_names or (header and len(names) < width and not _end_empty(values, len(names) + 1)):
        if not row_names or not _all_differ(values, width):
            raise BadFileError(
                path,
                f"its header has {len(names):,} name{'s' if len(names) != 1 else ''}, and its rows have {width:,} "
                "values; write a name for each, or leave out lines above the header by --skip.",
            )
        names = ["", *names]
    names += [""] * (width - len(names))
    unnamed = {i for i, name in enumerate(names) if not name}
    taken = set(names)
    for i in sorted(unnamed):
        name = f"column{i + 1}"
        while name in taken:
            name += "_"
        names[i] = name
        taken.add(name)
    return Header(
        first_line=ends[above] if header else skipped,
        names=tuple(names),
        unnamed=frozenset(names[i] for i in unnamed) if header else frozenset(),
        row_names=row_names,
        said=tuple(said),
    )


def width_of(rows: Sequence[Row]) -> int:
    """Return how many values most rows have, the first apart where there are others."""
    return Counter(len(row) for row in rows[1:] or rows).most_common(1)[0][0]


def _fits(row: Row, width: int, following: Sequence[Row], missing: Collection[str]) -> bool:
    """Return whether a row may be the first of a table: the header, one name short, or a row of values."""
    if len(row) == width or not following:
        return True
    if len(row) == width - 1 and len(following[0]) != len(row):  # as R writes it, or all rows but it end with a mark
        # Unless the next line is the header of what follows it: then this one is a title.
        return not _are_names(following, width, missing)
    return len(row) > width and not any(name.strip() for name in row[width:])


def _below_padding(rows: Sequence[Row], above: int, width: int) -> int:
    """Return which row is the first of a table below lines padded to as many values, most of them empty."""
    filled = [sum(bool(value.strip()) for value in row) for row in rows[: above + MOST_COMPARED]]
    typical = sorted(filled[above:])[len(filled[above:]) // 2]
    if width < FEWEST_PADDED or 2 * filled[above] > typical:
        return above
    for i in range(above + 1, min(len(filled) - 1, above + MOST_TITLES)):
        if len(rows[i]) == width and 4 * filled[i] >= 3 * typical:
            return i if not _is_data(rows[i], rows[i + 1 :], width) else above
    return above


def _are_ruled(rows: Sequence[Row], i: int, width: int) -> bool:
    """Return whether a row with a drawn line below it holds names, and is no row at the end of a table."""
    wide = [row for row in rows[: i + 1] if len(row) == width]
    return len(rows[i]) == width and len(wide) <= 2 and not any(map(NUMBER.match, rows[i])) and i + 1 < len(rows)


def _too_few(above: Row, rows: Sequence[Row], width: int) -> bool:
    """Return whether the row above those that may be a table is its header, with too few names, and not a title."""
    return 1 < len(above) < width and all(name.strip() for name in above) and _is_data(rows[0], rows[1:], width)


def _are_names(rows: Sequence[Row], width: int, missing: Collection[str]) -> bool:
    """Return whether the first of some rows holds text in all columns that hold numbers, or nothing, in the others."""
    full = [row for row in rows[:MOST_COMPARED] if len(row) == width]
    if len(full) < FEWEST_COMPARED or full[0] is not rows[0]:
        return False
    numeric = [
        j
        for j in range(width)
        if all(NUMBER.match(row[j]) or row[j].strip() in missing for row in full[1:])
        and any(NUMBER.match(row[j]) for row in full[1:])
    ]
    # Numbers of rows have often no name.
    named = [j for j in numeric if j > 0 or rows[0][0].strip()]
    return bool(named) and all(not NUMBER.match(rows[0][j]) and rows[0][j].strip() not in missing for j in named)


def _shown(row: Row) -> str:
    return f"{', '.join(row[:3])}{', ...' if len(row) > 3 else ''}"


def _end_empty(rows: Sequence[Row], width: int) -> bool:
    """Return whether rows hold nothing from their value number `width` on."""
    return all(not any(value.strip() for value in row[width - 1 :]) for row in rows)


def _all_differ(rows: Sequence[Row], width: int) -> bool:
    """Return whether the first values of rows are there, each once."""
    first = [row[0] for row in rows if len(row) == width]
    return all(first) and len(set(first)) == len(first)


def _is_data(first: Row, values: Sequence[Row], width: int) -> bool:
    """Return whether a first row holds values, not names.

    It does where it has a number in a column of numbers, unless all of it are whole numbers, which may be names, such
    as years; and where a name would be there twice.
    """
    if len(first) != width or not values:
        return False
    full = [row for row in values[:MOST_COMPARED] if len(row) == width]
    if not full:
        return False
    numeric = [j for j in range(width) if all(NUMBER.match(row[j]) or not row[j].strip() for row in full)]
    here = [j for j in numeric if NUMBER.match(first[j])]
    if not here:
        return False
    if len(here) == width and len(set(first)) == width and all(value.strip().isdigit() for value in first):
        # All whole numbers and all different: names such as years rise or fall; a row of counts seldom does.
        found = [int(value) for value in first]
        return found not in (sorted(found), sorted(found, reverse=True)) or len(found) < 2
    return len(here) == len(numeric)
