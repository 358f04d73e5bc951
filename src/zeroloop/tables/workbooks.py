"""Workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods): a sheet of one becomes the content of a file, read as CSV is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from zeroloop.csv_options import CsvOptions
from zeroloop.errors import BadFileError
from zeroloop.tables.files import File
from zeroloop.tables.kept import Keep, kept

READER = str(Path(__file__).with_name("sheets.py"))
LEAST_MEMORY = 2**32  # bytes that a workbook may take, however little a run may: it is read whole
SECONDS, SECONDS_A_BYTE = 60, 4e-6  # of processor time
PIECE = 2**20  # bytes that are copied at once


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
    memory = LEAST_MEMORY if keep is None else max(LEAST_MEMORY, keep.most)
    asked = {"sheet": csv.sheet, "skip": csv.skip, "decimal": csv.decimal, "memory": memory}
    found = kept(file, partial(_write, file, asked, told), keep, of=file)
    skip = None if csv.skip is None else 0  # rows that are left out already
    written = replace(csv, encoding="utf-8", delimiter="tab", comment="", skip=skip)
    said = None
    if told["others"]:
        sheet, other = told["sheet"], told["others"][0]
        said = f"the sheet {sheet!r} is read, though there are rows in {other!r} too; --sheet names another"
    return replace(found, csv=written), said


def _write(file: File, asked: dict[str, Any], told: dict[str, Any], sink: IO[bytes]) -> None:
    seconds = SECONDS + int(file.size * SECONDS_A_BYTE)
    command = [sys.executable, "-P", "-X", "utf8", READER, json.dumps(asked | {"seconds": seconds})]
    environment = os.environ | {"RUST_BACKTRACE": "0"}
    with (
        file.open() as source,
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=environment
        ) as reader,
    ):
        assert reader.stdin is not None
        assert reader.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it has ended, and why is found below
                while piece := source.read(PIECE):
                    reader.stdin.write(piece)
                reader.stdin.close()
            line = reader.stdout.readline()
            found: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
            if found.get("error"):
                raise BadFileError(file.path, found["error"])
            told |= found
            while piece := reader.stdout.read(PIECE):
                sink.write(piece)
            ended = reader.wait()
        finally:
            reader.kill()
            with suppress(BrokenPipeError):
                reader.stdin.close()
        said.seek(0)
        words = said.read().decode(errors="replace")
    if "sheet" not in found or ended:
        raise BadFileError(file.path, _why(ended, words, asked["memory"], seconds))


def _why(ended: int, words: str, memory: int, seconds: int) -> str:
    """Return why the process ended that should have read a workbook."""
    if ended in (0, -signal.SIGKILL) or any(one in words for one in ("memory allocation", "MemoryError")):
        return (
            f"the workbook takes more than the {memory:,} bytes of memory that it may, because it is too large or "
            "damaged; raise memory, or save its sheet as CSV."
        )
    if ended == -signal.SIGXCPU:
        return f"the workbook was not read in {seconds:,} seconds of computing, and is damaged; save its sheet as CSV."
    last = (words.strip().splitlines() or [f"signal {-ended}"])[-1]
    return f"the workbook is damaged, or of a kind that cannot be read ({last}); save it as .xlsx."
