"""Arrays in a file that no name leads to: mapped into memory when wanted, gone when the process is."""

from __future__ import annotations

import mmap
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.errors import OutputError

ALIGNED = 64  # bytes: a cache line


class SpillFile:
    """Arrays written one after the other, and mapped again.

    The file has no name (the system's temporary file), so that nothing is left of it, however the process ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_bytes = 0
        try:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  as long as the rows are needed
        except OSError as error:
            raise OutputError(f"spill: no file can be written in {folder} ({error.strerror}).") from error
        weakref.finalize(self, self._file.close)

    def write(self, arrays: Mapping[str, NDArray[Any]]) -> Spilled:
        """Append arrays.

        Raises:
            OutputError: when the disk is full.

        """
        start = self._pad(mmap.ALLOCATIONGRANULARITY)
        places = {name: self._append(array, start) for name, array in arrays.items()}
        return Spilled(self, start, self.n_bytes - start, places)

    def map(self, start: int, n_bytes: int) -> mmap.mmap:
        """Return some bytes of the file, from a multiple of the system's granularity on.

        They can be changed, as kernels expect of arrays, but the file would not change.
        """
        return mmap.mmap(self._file.fileno(), n_bytes, access=mmap.ACCESS_COPY, offset=start)

    def _append(self, array: NDArray[Any], start: int) -> Place:
        offset = self._pad(ALIGNED) - start
        if array.size > 0:
            self._write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
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
            raise OutputError(
                f"spill: {self.folder} is full after {self.n_bytes:,} bytes of rows ({error.strerror or error}); free "
                "some space, name another folder, or 'none' to read the data again in each pass."
            ) from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array lies, and what it is."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Spilled:
    """Arrays in a spill file."""

    file: SpillFile
    start: int
    length: int
    places: dict[str, Place]

    def load(self) -> dict[str, NDArray[Any]]:
        """Return the arrays, mapped: no copy, and unmapped when they are forgotten."""
        content: Any = self.file.map(self.start, self.length) if self.length else b""
        return {name: _array(content, place) for name, place in self.places.items()}


def _array(content: Any, place: Place) -> NDArray[Any]:
    count = int(np.prod(place.shape))
    if count == 0:
        return np.empty(place.shape, place.dtype)
    return np.frombuffer(content, place.dtype, count, place.offset).reshape(place.shape)
