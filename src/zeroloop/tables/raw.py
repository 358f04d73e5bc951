"""A table not read yet: its columns, and its rows as Arrow record batches, re-cut to the fixed number of a block."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from zeroloop.blocks import block_rows
from zeroloop.tables.common_types import with_one_type
from zeroloop.tables.files import File
from zeroloop.tables.formats import Piece
from zeroloop.tables.missing_words import without_words
from zeroloop.tables.order import joinable
from zeroloop.tables.plain_types import plain_batch


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a table, as many as a block of so many columns has, or fewer where the table ends.

    Attributes:
        rows: with the columns wanted.
        at: index of the batch in the table.
        first_row: index of its first row in the table.
        n_bytes: how much of the table's files has been read, about.

    """

    rows: pa.RecordBatch
    at: int
    first_row: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a table is read; a batch begins at its first row, and one ends at its last.

    Attributes:
        first_row: index of its first row in the table.
        stop: index after its last row; None for the table's end.
        first_batch: index of its first batch in the table.
        cuts: rows where a batch ends before it is full, in order: where partitions of a frame end.

    """

    first_row: int = 0
    stop: int | None = None
    first_batch: int = 0
    cuts: tuple[int, ...] = ()

    def batch_rows(self, first_row: int, full: int) -> int:
        """Return the rows of the batch that begins at a row of the table, `full` where nothing ends it before."""
        following = bisect_right(self.cuts, first_row)
        return min(full, self.cuts[following] - first_row) if following < len(self.cuts) else full


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """A table not read yet, or a part of one.

    Attributes:
        name: what to call it in a message.
        schema: its columns.
        n_bytes: size of its files; 0 for tables in memory.
        n_rows: of the whole table, where it is known before reading.
        read: yields pieces of the named columns from a row of the table on, in row order, however cut; `n_bytes` counts
            those of all files so far.
        again: whether it can be read more than once.
        files: that it consists of, none for tables in memory.
        skipped: files left out.
        span: which part of it.
        na: words and numbers that are missing values of it.

    """

    name: str
    schema: pa.Schema
    n_bytes: int
    n_rows: int | None
    read: Callable[[Sequence[str], int], Iterable[Piece]]
    again: bool = True
    files: tuple[File, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    span: Span = Span()
    na: tuple[str, ...] = ()

    def batch_rows(self, columns: Collection[str]) -> int:
        """Return the rows of a full batch with the columns wanted."""
        return block_rows(sum(name in columns for name in self.schema.names))

    def look(self, columns: Sequence[str]) -> Generator[pa.RecordBatch]:
        """Yield the rows of some columns as they come, to be stopped when enough of them is seen."""
        for piece in self.read(columns, 0):
            yield without_words(plain_batch(piece.batch), self.na)

    def batches(self, columns: Collection[str], after: tuple[int, int] = (0, 0)) -> Iterator[Batch]:
        """Yield the rows in batches.

        Args:
            columns: those wanted.
            after: how many batches, and how many rows they have, to leave out at the start.

        """
        wanted = [name for name in self.schema.names if name in columns]
        span = self.span
        at, first_row = span.first_batch + after[0], span.first_row + after[1]
        if span.stop is not None and first_row >= span.stop:
            return
        n_bytes = 0

        def counted() -> Iterator[pa.RecordBatch]:
            nonlocal n_bytes
            plain: pa.Schema | None = None  # the last batch's, if it was plain
            row = first_row
            for piece in self.read(wanted, first_row):
                n_bytes = piece.n_bytes
                batch = piece.batch if piece.batch.schema == plain else plain_batch(piece.batch)
                plain = piece.batch.schema if batch is piece.batch else None
                batch = without_words(batch, self.na)
                if span.stop is not None and row + batch.num_rows >= span.stop:
                    yield batch.slice(0, span.stop - row)
                    return
                row += batch.num_rows
                yield batch

        for rows in recut(counted(), block_rows(len(wanted)), replace(span, first_row=first_row)):
            yield Batch(rows, at, first_row, n_bytes)
            at, first_row = at + 1, first_row + rows.num_rows


def recut(batches: Iterable[pa.RecordBatch], rows: int, span: Span | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of `rows`, or as a span's cuts end them, whatever the cut they come in."""
    span = Span() if span is None else span
    row = span.first_row
    full = span.batch_rows(row, rows)
    pending: list[pa.RecordBatch] = []
    have = 0
    for batch in batches:
        at = 0
        while at < batch.num_rows:
            part = batch.slice(at, full - have)
            pending.append(part)
            at += part.num_rows
            have += part.num_rows
            if have == full:
                yield _joined(pending, row)
                row += full
                pending, have, full = [], 0, span.batch_rows(row, rows)
    if pending:
        yield _joined(pending, row)


def _joined(parts: list[pa.RecordBatch], first_row: int) -> pa.RecordBatch:
    if len(parts) == 1:
        return parts[0]
    # Columns may have several types: one of CSV turns from whole numbers to fractions between two batches.
    tables = [pa.Table.from_batches([part]) for part in with_one_type(joinable(parts), first_row)]
    table = pa.concat_tables(tables, promote_options="permissive")
    return table.unify_dictionaries().combine_chunks().to_batches()[0]
