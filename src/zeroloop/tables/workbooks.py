"""Workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods): a sheet of one becomes the content of a file, read as CSV is."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from typing import IO, Any

from zeroloop.csv_options import CsvOptions
from zeroloop.tables.children import PIECE, decoding
from zeroloop.tables.files import File
from zeroloop.tables.kept import Keep, kept


def sheet_of(file: File, csv: CsvOptions, keep: Keep | None) -> tuple[File, str | None]:
    """Return a sheet of a workbook as a file of text, and what is to be said of it.

    Args:
        file: the workbook.
        csv: names the sheet, and says how it is read; None for the first that is seen and has rows.
        keep: where its text is kept.

    Raises:
        BadFileError: for a workbook that cannot be read, or has no such sheet.

    """
    told: dict[str, Any] = {}
    asked = {"sheet": csv.sheet, "skip": csv.skip, "decimal": csv.decimal}
    memory = 0 if keep is None else keep.most
    found = kept(file, partial(_write, file, asked, told, memory), keep, of=file)
    skip = None if csv.skip is None else 0  # rows that are left out already
    written = replace(csv, encoding="utf-8", delimiter="tab", comment="", skip=skip)
    said = None
    if told["others"]:
        sheet, other = told["sheet"], told["others"][0]
        said = f"the sheet {sheet!r} is read, though there are rows in {other!r} too; --sheet names another"
    return replace(found, csv=written), said


def _write(file: File, asked: dict[str, Any], told: dict[str, Any], memory: int, sink: IO[bytes]) -> None:
    with decoding(file, "sheets.py", what="workbook", instead="save its sheet as CSV", memory=memory, **asked) as child:
        told |= child.said
        shutil.copyfileobj(child.output, sink, PIECE)
