"""Passes over one column of a CSV file: what its head does not tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from zeroloop.errors import BadFileError
from zeroloop.tables.csv_columns import CANONICAL, CsvColumns, cleaned_text, find_columns, without_missing
from zeroloop.tables.csv_dialect import Dialect, escaped_quotes, padded_quotes
from zeroloop.tables.csv_filters import CHUNK_BYTES
from zeroloop.tables.csv_stream import Plan, open_csv, open_lines
from zeroloop.tables.expected import Expected
from zeroloop.tables.files import File
from zeroloop.tables.written_numbers import ALL_FORMATS, GROUPED, NATIVE, NumberFormat, chosen_format

MOST_VALUES = 100_000  # distinct ones, looked at where a column begins late


def is_canonical(file: File, plan: Plan, name: str) -> bool:
    """Return whether every value of a column is missing or a whole number written as such, and there is one."""
    some = False
    try:
        for values, _ in _texts(file, plan, name):
            text = cleaned_text(values, values.dictionary_encode(), plan.words.text, plan.dialect.loose).drop_null()
            if not pc.all(pc.match_substring_regex(text, CANONICAL), min_count=0).as_py():
                return False
            some = some or len(text) > 0
    except pa.ArrowInvalid:
        return False
    return some


def check_no_zeros(file: File, plan: Plan, name: str, digits: int) -> None:
    """Check that a column of whole numbers holds none with a zero before it, where its head has none of other lengths.

    Raises:
        BadFileError: for such a number, which is a code.

    """
    for values, first_row in _texts(file, plan, name):
        zeros = pc.match_substring_regex(values, r"^\s*[+-]?0\d")
        at = pc.index(zeros, True).as_py()
        if at >= 0:
            raise BadFileError(
                file.path,
                f"column {name!r} holds {values[at].as_py()!r} in row {first_row + at + 1:,}, and whole numbers of "
                f"{digits} digits in its first rows: a code, which would lose its zeros as a number. Name {name!r} "
                "categorical, or drop it.",
            )


def later_format(file: File, plan: Plan, name: str) -> NumberFormat | None:
    """Return how numbers are written in a column whose later rows do not fit its first; None if as pyarrow reads them.

    Raises:
        BadFileError: where a mark may stand between thousands or before decimals, and nothing tells.

    """
    points, grouped = False, ""  # a point that is before decimals; one that may stand between thousands
    others: Counter[NumberFormat] = Counter()
    n_others = 0
    for values, _ in _texts(file, plan, name):
        text = without_missing(values.unique(), plan.words.numbers)
        native = pc.match_substring_regex(text, NATIVE)
        marked = pc.filter(text, pc.and_(native, pc.match_substring_regex(text, r"[.eE]")))
        may_group = pc.match_substring_regex(marked, GROUPED)
        points = points or not pc.all(may_group, min_count=0).as_py()
        grouped = grouped or next(iter(pc.filter(marked, may_group).slice(0, 1).to_pylist()), "")
        other = pc.filter(text, pc.invert(native))
        n_others += len(other)
        for form in ALL_FORMATS:
            others[form] += pc.sum(pc.match_substring_regex(other, form.pattern), min_count=0).as_py()
    most = max(others.values(), default=0)
    forms = [
        form
        for form in ALL_FORMATS
        if others[form] == most and (form.decimal == "." or not points) and (form.reads_points or not grouped)
    ]
    columns = plan.columns
    form, guessed = chosen_format(forms, [grouped], columns.decimal, columns.habit)
    if guessed:
        raise BadFileError(
            file.path,
            f"column {name!r} begins with whole numbers and holds {grouped!r} further down, where the point may stand "
            "between thousands or before decimals; --decimal says which.",
        )
    return form if n_others or form.decimal != "." else None


def later_column(file: File, plan: Plan, name: str, expected: Expected) -> CsvColumns:
    """Return how a column is read whose first rows are empty.

    Raises:
        BadFileError: where its numbers can be read in more than one way.

    """
    met: dict[str, None] = {}
    for values, _ in _texts(file, plan, name):
        met |= dict.fromkeys(values.unique().to_pylist())
        if len(met) >= MOST_VALUES:
            break
    text = pa.array(list(met), pa.string())
    known = replace(expected, csv=replace(expected.csv, decimal=plan.columns.decimal))
    found = find_columns(pa.schema([(name, pa.string())]), pa.record_batch([text], [name]), plan.dialect, known)
    if found.said:
        raise BadFileError(file.path, f"{found.said[0]}.")
    return found


def later_dialect(file: File, plan: Plan) -> Dialect:
    """Return how a file is written whose later rows may hold blanks within quotes, or escaped quotes."""
    dialect = plan.dialect
    patterns = [re.compile(one(dialect.delimiter, dialect.quote).encode()) for one in (padded_quotes, escaped_quotes)]
    loose = escaped = False
    rest = b""
    with open_lines(file, dialect) as lines:
        while not (loose and escaped) and (chunk := lines.read(CHUNK_BYTES)):
            whole = rest + chunk
            rest = whole[whole.rfind(b"\n") + 1 :]
            loose, escaped = (
                met or one.search(whole) is not None for met, one in zip((loose, escaped), patterns, strict=True)
            )
    return replace(
        dialect,
        loose=dialect.loose or loose or escaped,
        escapes=dialect.escapes or ("quotes" if escaped else ""),
    )


def _texts(file: File, plan: Plan, name: str) -> Iterator[tuple[pa.Array, int]]:
    """Yield a column's values as they stand, and the row of the first of them."""
    row = 0
    with open_csv(file, plan, {name: pa.string()}, [name]) as opened:
        for batch in opened.reader:
            yield batch[name], row
            row += batch.num_rows
