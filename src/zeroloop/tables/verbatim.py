"""Columns copied as they stand in their files: of CSV the characters, of other formats the values with their type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from zeroloop.tables.files import File, reading
from zeroloop.tables.formats import Piece, file_batches, format_of
from zeroloop.tables.many_files import FileRows
from zeroloop.tables.raw import RawTable


@dataclass(frozen=True, slots=True)
class VerbatimRows:
    """The rows of several files, of which one at least is CSV, as text."""

    rows: FileRows

    def __call__(self, columns: Sequence[str], first_row: int) -> Iterator[Piece]:
        """Yield the named columns' rows from a row of the table on."""
        self.rows.check(columns)
        start = self.rows.first_row
        expected = replace(self.rows.expected, verbatim=True)
        schema = pa.schema([(name, pa.string()) for name in columns])
        for one in self.rows.opened:
            if one.n_rows is None or start + one.n_rows > first_row:
                rows = max(0, first_row - start)
                types = dict.fromkeys(one.types, pa.string()) if is_text(one.file) else dict(one.types)
                types |= {name: pa.string() for name, _ in one.file.keys}
                with reading(one.file.path):
                    for piece in file_batches(one.file, columns, types, {}, rows, expected):
                        rows += piece.batch.num_rows
                        yield Piece(piece.batch.cast(schema), piece.n_bytes)
                start += rows
            else:
                start += one.n_rows


def is_text(file: File) -> bool:
    """Return whether a file is CSV."""
    return format_of(file) == "CSV"


def as_they_stand(table: RawTable, columns: Sequence[str]) -> RawTable | None:
    """Return the table with the named columns as text that is copied; None where its own reading changes none of them.

    That is where no file is CSV, and no name of a folder is a number with zeros before it.
    """
    if not isinstance(table.read, FileRows) or not columns:
        return None
    rewritten = {
        name for file in table.files for name, value in file.keys if value is not None and str(_whole(value)) != value
    }
    typed = any(pa.types.is_integer(table.schema.field(name).type) for name in rewritten & set(columns))
    if not typed and not any(map(is_text, table.files)):
        return None
    fields = [
        pa.field(name, pa.string()) if name in columns else table.schema.field(name) for name in table.schema.names
    ]
    return replace(table, schema=pa.schema(fields), read=VerbatimRows(table.read), na=())


def _whole(value: str) -> int | None:
    return int(value) if value.removeprefix("-").isdecimal() else None


def taker(table: RawTable, columns: Sequence[str]) -> Callable[[int], list[pa.Array]]:
    """Return what returns the named columns of the next so many rows of a table."""
    batches = table.batches(columns)
    left: list[pa.RecordBatch] = []

    def take(n: int) -> list[pa.Array]:
        have = sum(batch.num_rows for batch in left)
        while have < n:
            left.append(next(batches).rows)
            have += left[-1].num_rows
        rows = pa.Table.from_batches(left)
        rest = rows.slice(n)
        left[:] = rest.to_batches()
        return [rows.slice(0, n)[name].combine_chunks() for name in columns]

    return take
