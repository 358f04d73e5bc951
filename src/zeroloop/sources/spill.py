"""Encoded blocks in a file that no name leads to: mapped into memory when swept, gone when the process is."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import Block
from zeroloop.errors import OutputError
from zeroloop.sparse import Sparse

ALIGNED = 64  # bytes: a cache line


def spill_folder(given: str | None) -> Path:
    """Return where to spill: as given, `TMPDIR`, or else /var/tmp, because /tmp is memory on many machines.

    Raises:
        OutputError: for a folder that does not exist or cannot be written in.

    """
    folder = Path(
        given or os.environ.get("TMPDIR") or ("/var/tmp" if os.access("/var/tmp", os.W_OK) else tempfile.gettempdir())
    )
    if not folder.is_dir():
        raise OutputError(f"spill: the folder {folder} does not exist; make it, or name another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"spill: no file can be written in {folder}; name another folder, or 'none'.")
    return folder


def free_disk(folder: Path) -> int:
    """Return the bytes that are free in a folder."""
    return shutil.disk_usage(folder).free


class SpillFile:
    """Arrays written one after the other, and mapped again.

    The file has no name (the system's temporary file), so that nothing is left of it, however the process ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = _temporary(folder)
        self.n_bytes = 0

    def write(self, block: Block) -> SpilledBlock:
        """Append a block.

        Raises:
            OutputError: when the disk is full.

        """
        if block.sparse is not None:
            block = replace(block, sparse=block.sparse.compact())
        start = self._pad(mmap.ALLOCATIONGRANULARITY)
        places = {name: self._append(array, start) for name, array in _arrays(block).items()}
        sparse = None if block.sparse is None else (block.sparse.n_rows, block.sparse.n_columns)
        return SpilledBlock(self, start, self.n_bytes - start, places, block.n_coefs, block.first_row, sparse)

    def map(self, start: int, n_bytes: int) -> mmap.mmap:
        """Return some bytes of the file, from a multiple of the system's granularity on.

        They can be written, so that kernels take them for ordinary arrays, but the file would not change.
        """
        return mmap.mmap(self._file.fileno(), n_bytes, access=mmap.ACCESS_COPY, offset=start)

    def _append(self, array: NDArray[Any], start: int) -> Place:
        offset = self._pad(ALIGNED) - start
        array = np.ascontiguousarray(array)
        if array.size > 0:
            self._write(array.reshape(-1).view(np.uint8).data)
        return Place(offset, array.shape, array.dtype.str)

    def _pad(self, to: int) -> int:
        self._write(bytes(-self.n_bytes % to))
        return self.n_bytes

    def _write(self, content: memoryview | bytes) -> None:
        try:
            while len(content) > 0:
                written = self._file.write(content)
                self.n_bytes += written
                content = content[written:]
        except OSError as error:
            raise _full(self._folder, self.n_bytes, error) from error


class Spool:
    """Record batches of a table that can be read only once, in a file without a name, to be read again."""

    def __init__(self, folder: Path, first_row: int) -> None:
        self._folder = folder
        self._first_row = first_row
        self._file = _temporary(folder)
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch.

        Raises:
            OutputError: when the disk is full.

        """
        try:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, "w"), batch.schema)
            self._writer.write_batch(batch)
        except OSError as error:
            raise _full(self._folder, self._file.tell(), error) from error

    def batches(self, first_row: int) -> Iterator[pa.RecordBatch]:
        """Yield the batches from a row of the table on, which one of them begins with."""
        assert self._writer is not None
        self._writer.close()
        self._file.flush()
        self._file.seek(0)
        row = self._first_row
        for batch in pa.ipc.open_stream(pa.PythonFile(self._file, "r")):
            if row >= first_row:
                yield batch
            row += batch.num_rows


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its block an array lies, and what it is."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class SpilledBlock:
    """A block in a spill file."""

    file: SpillFile
    start: int
    length: int
    places: dict[str, Place]
    n_coefs: int
    first_row: int
    sparse: tuple[int, int] | None

    def load(self) -> Block:
        """Return the block, its arrays mapped: no copy, and unmapped when it is forgotten."""
        content = self.file.map(self.start, max(self.length, 1)) if self.length else b""

        def array(name: str) -> Any:
            place = self.places.get(name)
            if place is None:
                return None
            count = int(np.prod(place.shape))
            if count == 0:
                return np.empty(place.shape, place.dtype)
            return np.frombuffer(content, place.dtype, count, place.offset).reshape(place.shape)

        sparse = None
        if self.sparse is not None:
            n_rows, n_columns = self.sparse
            sparse = Sparse(array("values"), array("indices"), array("start"), array("stop"), n_rows, n_columns)
        return Block(
            array("numeric"),
            array("codes"),
            self.n_coefs,
            array("y"),
            array("weight"),
            self.first_row,
            array("marks"),
            sparse,
        )


def _temporary(folder: Path) -> Any:
    try:
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    except OSError as error:
        raise OutputError(f"spill: no file can be written in {folder} ({error.strerror}).") from error


def _full(folder: Path, n_bytes: int, error: OSError) -> OutputError:
    return OutputError(
        f"spill: {folder} is full after {n_bytes:,} bytes of rows ({error.strerror or error}); free some space, name "
        "another folder, or 'none' to read the data again in each pass."
    )


def _arrays(block: Block) -> dict[str, NDArray[Any]]:
    named = {"numeric": block.numeric, "codes": block.codes, "y": block.y, "weight": block.weight, "marks": block.marks}
    if block.sparse is not None:
        names = ("values", "indices", "start", "stop")
        named |= dict(zip(names, block.sparse.arrays, strict=True))
    return {name: array for name, array in named.items() if array is not None}
