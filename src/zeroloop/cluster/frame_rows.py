"""Partitions of a Dask DataFrame where a worker has them, read as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zeroloop.tables.formats import Piece
from zeroloop.tables.read import open_table


class FrameRows:
    """The rows of some partitions of a Dask DataFrame: what a table of them reads.

    Args:
        frames: those partitions.
        first_row: index of the first one's first row in the whole table.

    """

    def __init__(self, frames: list[Any], first_row: int) -> None:
        self._frames: list[Any] | None = frames
        self._first_row = first_row

    def __call__(self, columns: Sequence[str], first_row: int) -> Iterator[Piece]:
        """Yield the named columns' rows from a row of the table on."""
        assert self._frames is not None  # they are forgotten when nothing will read them again
        start = self._first_row
        for frame in self._frames:
            if start + len(frame) > first_row:
                table = open_table(frame)
                yield from table.read(columns, max(0, first_row - start))
            start += len(frame)

    def forget(self) -> None:
        """Let go of the frames: their rows are kept as blocks."""
        self._frames = None

    @property
    def is_forgotten(self) -> bool:
        """Whether they are gone."""
        return self._frames is None
