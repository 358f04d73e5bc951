"""A sheet of a workbook as text, tabs between values: a program of its own, which `zeroloop.tables.workbooks` runs.

What reads workbooks (calamine) takes the memory that a file asks for, and damaged files of Excel's old format end the
process or are never done.

The workbook is standard input. A line of JSON goes to standard output, with what is wrong or what there is to
say, and then the sheet. Rows and columns without a value are left out; error values are missing.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

LOOKED_AT = 100  # rows, for where the table begins
MOST_TITLES = 20  # rows above it
LARGEST_EXACT = 2**53  # whole numbers above it are not all float64
MEMORY_A_BYTE = 4  # bytes that calamine takes, at most, for one of an unpacked workbook
PIECE = 2**20  # bytes that are unpacked at once
DAY = dt.timedelta(days=1)


class SheetError(Exception):
    """Why there is no table, as the end of a sentence that begins with the file."""


def main() -> None:
    """Read a workbook from standard input, write a sheet to standard output."""
    asked = json.loads(sys.argv[1])
    out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="", write_through=False)
    found: dict[str, Any] = {}
    first: list[str] | None = None
    try:
        content = sys.stdin.buffer.read()
        check_archive(content, asked["memory"])
        sheet, others = chosen(content, asked["sheet"])
        rows = table_rows(sheet, asked["skip"], asked["decimal"])
        first = next(rows, None)
        if first is None:
            raise SheetError(f"its sheet {sheet.name!r} has no rows.")
    except MemoryError:
        pass  # whoever asked knows how much there was
    except SheetError as error:
        found = {"error": str(error)}
    except BaseException as error:  # noqa: BLE001  what Rust panics with is no Exception
        found = {"error": f"the workbook is damaged or cut short ({(str(error).splitlines() or ['?'])[0]})."}
    else:
        found = {"sheet": sheet.name, "others": others}
    out.write(json.dumps(found) + "\n")
    if first is not None:
        write = csv.writer(out, delimiter="\t", lineterminator="\r\n").writerow
        write(first)
        for row in rows:
            write(row)
    out.flush()


def check_archive(content: bytes, memory: int) -> None:
    """Check that an archive is whole and has room in memory when it is unpacked; nothing of other files.

    Raises:
        SheetError: for one that is not.
        MemoryError: for one that has not.

    """
    if not content.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(one.file_size for one in members) * MEMORY_A_BYTE > memory:
                raise MemoryError
            for one in members:
                with archive.open(one) as member:  # which ends at its size, and fails where that is not all
                    while member.read(PIECE):
                        pass
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise SheetError(f"the workbook is damaged or cut short ({error}).") from error


def chosen(content: bytes, name: str | None) -> tuple[Any, list[str]]:
    """Return the sheet of that name, or else the first to be seen that has rows, and the name of another that has some.

    Raises:
        SheetError: where there is none.

    """
    import python_calamine

    try:
        book = python_calamine.load_workbook(io.BytesIO(content))
    except python_calamine.PasswordError:
        raise SheetError("the workbook is locked by a password; save it without one.") from None
    sheets = [one for one in book.sheets_metadata if one.typ == python_calamine.SheetTypeEnum.WorkSheet]
    names = [one.name for one in sheets]
    if name is not None:
        if name not in names:
            raise SheetError(f"it has no sheet {name!r}; it has {', '.join(map(repr, names)) or 'none'}.")
        return book.get_sheet_by_name(name), []
    found = None
    for one in sheets:
        if one.visible == python_calamine.SheetVisibleEnum.Visible:
            sheet = book.get_sheet_by_name(one.name)
            if sheet.height and any(map(any, ([value != "" for value in row] for row in sheet.iter_rows()))):
                if found is not None:
                    return found, [one.name]
                found = sheet
    if found is None:
        raise SheetError("the workbook has no sheet with rows.")
    return found, []


def table_rows(sheet: Any, skip: int | None, decimal: str | None) -> Iterator[list[str]]:
    """Yield the rows of a sheet as text.

    Lines above the table are as short as they are filled, as a title of a CSV file is; all others are equally long.

    Args:
        sheet: of calamine's.
        skip: rows to leave out at the top; None to have titles found later.
        decimal: the decimal mark to write; None for a point.

    """

    def filled() -> Iterator[list[str]]:
        for values in islice(sheet.iter_rows(), skip or 0, None):
            row = [text_of(value, decimal) for value in values]
            if any(row):
                yield row

    head = list(islice(filled(), LOOKED_AT))
    if not head:
        return
    counts = [sum(map(bool, row)) for row in head]
    half = sorted(counts)[len(counts) // 2] / 2
    top = 0 if skip is not None else next((i for i, n in enumerate(counts[:MOST_TITLES]) if n > half), 0)
    yield from ([text for text in row if text] for row in head[:top])
    used = [bool(text) for text in head[top]]
    if not all(used):
        for row in islice(filled(), top, None):
            used = [known or bool(text) for known, text in zip(used, row, strict=True)]
    kept = [j for j, known in enumerate(used) if known]
    for row in islice(filled(), top, None):
        yield [row[j] for j in kept] if len(kept) < len(row) else row


def text_of(value: Any, decimal: str | None = None) -> str:
    """Return a cell's value as CSV has it: ISO dates, whole numbers without a fraction, elapsed time in days."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        value = value / DAY
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_EXACT:
        value = int(value)
    return repr(value) if decimal is None else repr(value).replace(".", decimal)


if __name__ == "__main__":
    main()
