"""What is wrong in a CSV file, in one sentence that says where."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from zeroloop.errors import BadFileError, EmptyFileError
from zeroloop.tables.csv_columns import written_numbers
from zeroloop.tables.csv_stream import Plan, open_csv
from zeroloop.tables.files import File
from zeroloop.tables.written_numbers import NumberFormat

MOST_SHOWN = 5  # of the values that are no numbers
MOST_TEXT = 60  # characters of a line
FEW = 0.1  # share of values that are no numbers, up to which they are damage


def strays(file: File, plan: Plan, name: str, form: NumberFormat) -> BadFileError:
    """Return the error for values that are no numbers in a column of numbers: how many, and some of them."""
    n_values, n_strays, row = 0, 0, 0
    shown: dict[str, int] = {}
    more = False  # whether there are others
    with open_csv(file, plan, {name: pa.string()}, [name]) as opened:
        for batch in opened.reader:
            numbers, bad = written_numbers(batch[name], form, plan.words)
            n_strays += int(np.sum(bad))
            n_values += len(numbers) - numbers.null_count + int(np.sum(bad))
            for i in np.flatnonzero(bad).tolist():
                value = batch[name][i].as_py()
                more = more or (len(shown) == MOST_SHOWN and value not in shown)
                if more:
                    break
                shown.setdefault(value, row + i + 1)
            row += batch.num_rows
    some = ", ".join(f"{value!r} in row {at:,}" for value, at in shown.items())
    if n_strays <= FEW * n_values or (not more and 2 * n_strays <= n_values):
        flags = " ".join(f"--na={quote(value)}" for value in shown)
        return BadFileError(
            file.path,
            f"column {name!r} holds numbers, but for {n_strays:,} of {n_values:,} values ({some}). Correct them, say "
            f"that they are missing ({flags}), or name {name!r} categorical if it is a code.",
        )
    return BadFileError(
        file.path,
        f"column {name!r} begins with numbers and holds {n_strays:,} of {n_values:,} values that are none ({some}); "
        f"name {name!r} categorical if it is levels, or drop it.",
    )


def not_text(file: File, plan: Plan, name: str | None) -> BadFileError:
    """Return the error for text in another encoding than the head's, with its first row."""
    names = list(plan.dialect.names) if name is None else [name]
    row = 0
    with open_csv(file, plan, dict.fromkeys(names, pa.binary()), names) as opened:
        for batch in opened.reader:
            for column in names:
                for i, value in enumerate(batch[column].to_pylist()):
                    try:
                        (value or b"").decode()
                    except UnicodeDecodeError:
                        return BadFileError(
                            file.path,
                            f"column {column!r} holds {value!r} in row {row + i + 1:,}, which is no "
                            "UTF-8, as all before is; save the file as UTF-8, or name its --encoding.",
                        )
            row += batch.num_rows
    return BadFileError(
        file.path, "the file holds text that is no UTF-8; save the file as UTF-8, or name its --encoding."
    )


def column_of(error: pa.ArrowInvalid, names: Sequence[str]) -> str | None:
    """Return the column that a conversion error names by its place in the file, None for other errors."""
    before, found, rest = str(error).partition("In CSV column #")
    number = rest.partition(":")[0]
    if before or not found or "conversion error" not in rest or not number.isdigit():
        return None
    return names[int(number)] if int(number) < len(names) else None


def explained(file: File, plan: Plan, error: pa.ArrowInvalid) -> BadFileError:
    """Return the error for a file that does not parse."""
    message = str(error).splitlines()[0]
    if "Empty CSV" in message:
        return EmptyFileError(
            file.path, "the file has a header and no rows." if plan.dialect.first_line else "the file is empty."
        )
    if "CSV parse error" in message:
        bad = _first_bad_row(file, plan)
        if bad is not None:
            return BadFileError(
                file.path,
                f"line {bad.number:,} has {bad.actual_columns:,} value{'s' if bad.actual_columns != 1 else ''}, and "
                f"rows have {bad.expected_columns:,}: {_cut(bad.text)!r}. {_way_out(plan.dialect.delimiter)}",
            )
    name = column_of(error, plan.dialect.names)
    if name is not None:
        message = f"column {name!r}: {message.partition(': ')[2]}"
    return BadFileError(file.path, f"cannot be read as CSV ({message}).")


def _way_out(delimiter: str) -> str:
    if delimiter == " ":
        return "Where values hold blanks, blanks cannot part them: have the file written with another delimiter."
    return "Correct it, or take it out of the file."


def _first_bad_row(file: File, plan: Plan) -> csv.InvalidRow | None:
    """Return the first row with too many or too few values; pyarrow knows its number only on one thread."""
    bad: list[csv.InvalidRow] = []

    try:
        with open_csv(file, plan, {}, None, threads=False, on_bad_row=bad.append) as opened:
            for _ in opened.reader:
                pass
    except pa.ArrowInvalid:
        pass
    return bad[0] if bad else None


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "..."


def first_misfit(file: File, plan: Plan, name: str, data_type: pa.DataType) -> tuple[int, str]:
    """Return (row, counted from 1 below the header; value) of the first value that is not of a type."""
    row = 0
    with open_csv(file, plan, {name: pa.string()}, [name]) as opened:
        for batch in opened.reader:
            for value in batch[name].to_pylist():
                row += 1
                if value in plan.words.numbers:
                    continue
                try:
                    pa.array([value], pa.string()).cast(data_type)
                except pa.ArrowInvalid:
                    return row, value
    raise AssertionError("a value that did not convert is gone")
