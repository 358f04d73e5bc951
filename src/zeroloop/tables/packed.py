"""Packed files, read as what is in them, piece by piece: gzip, bzip2, xz, Zstandard, LZ4, and zip of one table.

They are known by their first bytes. Of a zip archive the one member is read that holds a table, by its name, or that is
the only one.
"""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from typing import Any

import pyarrow as pa

from zeroloop.errors import BadFileError

STARTS = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "empty zip",
}
BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")  # a block, or the end of an empty file
SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip")
DAMAGED = (EOFError, lzma.LZMAError, zipfile.BadZipFile, zlib.error)
"""What Python's own decompressors raise of damaged files; Arrow's raise `OSError`."""

MOST_NAMED = 5  # members of an archive
WORKBOOK = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
"""Members that archives of sheets have: .xlsx, .xlsb, .ods."""


class WorkbookError(BadFileError):
    """A workbook, of which a sheet has to be taken before it can be read: see `zeroloop.tables.workbooks`."""


def packing_of(head: bytes) -> str | None:
    """Return how a file is packed, by its first bytes; None where it is not."""
    if BZIP2.match(head):
        return "bz2"
    return next((packing for start, packing in STARTS.items() if head.startswith(start)), None)


def unpacked(source: pa.NativeFile, path: str, table_endings: tuple[str, ...]) -> pa.NativeFile:
    """Return what is in a file, as a stream; the file itself where it is not packed.

    Args:
        source: the file, at its start.
        path: its name, for messages.
        table_endings: how the names of tables end, for archives.

    Raises:
        BadFileError: for an archive of several tables, or a locked one.
        WorkbookError: for an archive of sheets.

    """
    packing = packing_of(source.read(16))
    source.seek(0)
    match packing:
        case None:
            return source
        case "xz":
            return pa.PythonFile(lzma.LZMAFile(source), mode="r")
        case "empty zip":
            raise BadFileError(path, "the archive holds no file.")
        case "zip":
            return pa.PythonFile(_member(source, path, table_endings), mode="r")
        case _:
            return pa.CompressedInputStream(source, packing)


def _member(source: pa.NativeFile, path: str, table_endings: tuple[str, ...]) -> Any:
    try:
        return _table_in(zipfile.ZipFile(source), path, table_endings)
    except NotImplementedError as error:  # of how the archive is written, or its member packed
        raise BadFileError(path, f"the archive is packed in a way that cannot be read ({error}); unpack it.") from error


def _table_in(archive: zipfile.ZipFile, path: str, table_endings: tuple[str, ...]) -> Any:
    # Folders end so (`is_dir` fails of a member without a name); macOS keeps what it knows of each file beside them.
    files = [one for one in archive.infolist() if not one.filename.endswith("/")]
    files = [one for one in files if not one.filename.startswith("__MACOSX/")]
    files = [one for one in files if not one.filename.rpartition("/")[2].startswith(".")]
    if any(one.filename in WORKBOOK for one in files):
        raise WorkbookError(path, "it is a workbook.")
    tables = [one for one in files if one.filename.lower().endswith(table_endings)] or files
    if len(tables) != 1:
        names = ", ".join(one.filename for one in tables[:MOST_NAMED]) + (", ..." if len(tables) > MOST_NAMED else "")
        found = f"{len(tables)} files ({names})" if tables else "no file"
        raise BadFileError(path, f"the archive holds {found}, and one table is read; unpack the one that is meant.")
    if tables[0].flag_bits & 0x1:
        raise BadFileError(path, "the archive is locked by a password; unpack it first.")
    return archive.open(tables[0])
