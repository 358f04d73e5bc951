"""Which kinds of file hold tables: how they are named, how they begin, and what is to be done about others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from zeroloop.tables import packed

TEXT = {
    "CSV": (".csv", ".tsv"),
    "libsvm": (".svm", ".libsvm", ".svmlight"),
    "JSON": (".jsonl", ".ndjson", ".json"),
}
"""Kinds of text by the ends of their names, which may be packed."""

BINARY = {
    "Parquet": (".parquet", ".pq"),
    "Arrow": (".arrow", ".feather", ".ipc"),
    "ORC": (".orc",),
    "Avro": (".avro",),
    "workbook": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
}
"""Other kinds by the ends of their names."""

READ = "CSV, Parquet, Arrow IPC (Feather 2), ORC, Avro, workbooks, records in JSON, and libsvm (named .svm)"
"""What is read, in words."""


def _endings(plain: Sequence[str]) -> tuple[str, ...]:
    return tuple(ending + packing for ending in plain for packing in ("", *packed.SUFFIXES))


SVMLIGHT, JSON_ENDINGS = _endings(TEXT["libsvm"]), _endings(TEXT["JSON"])
SVMLIGHT_ROW = re.compile(rb"^[+-]?\d+(?:\.\d+)?(?:\s+\d+:[-+\d.eE]+)+\s*(?:#.*)?$")
MOST_LINES = 5  # looked at
TEXT_ENDINGS = tuple(ending for endings in TEXT.values() for ending in _endings(endings))
ENDINGS = (*TEXT_ENDINGS, *(ending for endings in BINARY.values() for ending in endings))
"""What a folder is searched for; a file named by itself is known by its first bytes, a libsvm file by its name."""

IN_WORDS = ", ".join(ending for endings in (TEXT | BINARY).values() for ending in endings)

OPEN_WORKBOOK = "~$"  # begins the name of the file that Excel leaves beside a workbook while it is open

NOTES = _endings((".json",))
"""Files that may be data, or about them."""

FOREIGN = (
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (0, b"Rar!\x1a\x07", "a RAR archive", "unpack it"),
    (257, b"ustar", "a tar archive", "unpack it, and name the files in it"),
    (0, b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (8, b"DUCK", "a DuckDB database", "write the table with COPY ... TO 'NAME.parquet'"),
    (0, b"\x89HDF\r\n", "an HDF5 file", "write its table as Parquet (pandas.read_hdf, then to_parquet)"),
    (0, b"\x93NUMPY", "a NumPy array", "give the array to zeroloop.LogisticRegression, or write a table as Parquet"),
    (0, b"RDX", "R's own format", "write the table with write.csv or arrow::write_parquet"),
    (0, b"X\n\0\0\0", "R's own format", "write the table with write.csv or arrow::write_parquet"),
    (0, b"<stata_dta>", "a Stata file", "write it as Parquet (pandas.read_stata, then to_parquet)"),
    (0, b"$FL", "an SPSS file", "write it as Parquet (pandas.read_spss, then to_parquet)"),
    (84, b"SAS FILE", "a SAS file", "write it as Parquet (pandas.read_sas, then to_parquet)"),
    (0, b"FEA1", "a Feather file of version 1", "write it as Parquet (pandas.read_feather, then to_parquet)"),
    (0, b"\x80\x04\x95", "a Python pickle", "write its table as Parquet"),
    (0, b"\x80\x05\x95", "a Python pickle", "write its table as Parquet"),
)
"""(offset, bytes there, what such a file is, what to do) of files that hold tables, or often do, and are not read."""


def is_data(parts: Sequence[str]) -> bool:
    """Return whether a file that a folder holds, the names on the way to it given, is one of its data."""
    hidden = any(part.startswith((".", "_", OPEN_WORKBOOK)) and "=" not in part for part in parts)
    return not hidden and parts[-1].lower().endswith(ENDINGS)


def without_notes(names: Sequence[str]) -> list[bool]:
    """Return of each file that a folder holds whether it is data: files named .json are, where there are no others.

    Beside other data they are about them: a schema, a model, a list of what there is.
    """
    notes = [name.lower().endswith(NOTES) for name in names]
    return [all(notes) or not note for note in notes]


def ending_of(path: str) -> str:
    """Return how a file's name ends, by which kinds are told apart: the first way to write it, and how it is packed."""
    plain, _, packing = (
        path.lower().rpartition(".") if path.lower().endswith(packed.SUFFIXES) else (path.lower(), "", "")
    )
    for endings in (TEXT | BINARY).values():
        if plain.endswith(endings):
            return endings[0] + ("." + packing if packing else "")
    return PurePath(path).suffix


def is_svmlight(path: str) -> bool:
    """Return whether a file is named as a libsvm file is."""
    return path.lower().endswith(SVMLIGHT)


def foreign(head: bytes) -> str | None:
    """Return what a file is that holds no table that is read, and what to do about it; None where that is not known."""
    if b"\0" in head:  # which no text holds, however it begins
        for at, start, what, way in FOREIGN:
            if head[at:].startswith(start):
                return f"it is {what}, which is not read; {way}."
    page = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:100].lower()
    if page.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, perhaps with an error or a table on it; get the table as CSV."
    if page.startswith(b"<?xml"):
        return "it is XML, which is not read; get the table as CSV."
    if page.startswith(b"%pdf-"):
        return "it is a PDF, which is not read; get the table as CSV."
    lines = head.splitlines()[:-1][:MOST_LINES]
    if lines and all(SVMLIGHT_ROW.match(line) for line in lines):
        return f"its lines are those of libsvm (label index:value ...); let its name end in {SVMLIGHT[0]}."
    return None
