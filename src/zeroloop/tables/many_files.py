"""Several files -> one table: their columns must agree, their rows follow each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate

import pyarrow as pa

from zeroloop.errors import BadFileError, DataError, EmptyFileError
from zeroloop.tables.columns import kind_of
from zeroloop.tables.common_types import common_type, readable
from zeroloop.tables.date_types import in_words, zone_of
from zeroloop.tables.expected import NOTHING_EXPECTED, Expected
from zeroloop.tables.files import File, reading
from zeroloop.tables.formats import Piece, file_batches, file_schema
from zeroloop.tables.hive import partitioned
from zeroloop.tables.json_files import completed
from zeroloop.tables.kept import Keep, fetched
from zeroloop.tables.packed import WorkbookError
from zeroloop.tables.plain_types import plain_type
from zeroloop.tables.raw import RawTable, Skipped
from zeroloop.tables.row_numbers import index_columns, notes, with_notes
from zeroloop.tables.workbooks import sheet_of


@dataclass(slots=True, kw_only=True)
class Opened:
    """A file of several that are read as one table.

    Attributes:
        file: which.
        types: of its own columns, as text is to be read; of a CSV file they may turn out wider.
        common: types of the table's columns.
        groups: rows of each of its row groups, at whose starts reading may begin, or of all of it where it has none;
            None where its rows have not been counted.

    """

    file: File
    types: dict[str, pa.DataType]
    common: Mapping[str, pa.DataType]
    groups: tuple[int, ...] | None

    @property
    def n_rows(self) -> int | None:
        """Its number of rows, known from the start or after the first reading."""
        return None if self.groups is None else sum(self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRows:
    """The rows of several files, one after the other: what a table of files reads.

    Attributes:
        opened: the files.
        first_row: index of the first file's first row in the table.
        expected: what is known of them.
        conflicts: by column that has no type in common, a file and the reason why it cannot be read as one column.

    """

    opened: tuple[Opened, ...]
    first_row: int = 0
    expected: Expected = NOTHING_EXPECTED
    conflicts: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def __call__(self, columns: Sequence[str], first_row: int) -> Iterator[Piece]:
        """Yield the named columns' rows from a row of the table on."""
        self.check(columns)
        n_bytes, start = 0, self.first_row
        for one in self.opened:
            if one.n_rows is None or start + one.n_rows > first_row:
                rows = max(0, first_row - start)
                with reading(one.file.path):
                    for piece in file_batches(one.file, columns, one.types, one.common, rows, self.expected):
                        rows += piece.batch.num_rows
                        yield Piece(piece.batch, n_bytes + piece.n_bytes)
                    one.file.check_unchanged()  # it may have grown meanwhile, or been written anew
                if one.n_rows is None:
                    one.groups = (rows,)
            n_bytes += one.file.size
            start += one.n_rows or 0

    def check(self, columns: Sequence[str]) -> None:
        """Check that each of some columns has one type in all files.

        Raises:
            BadFileError: naming the first file where it has another.

        """
        for name in columns:
            if name in self.conflicts:
                raise BadFileError(*self.conflicts[name])

    def starts(self) -> list[int]:
        """Return the rows at which reading may begin without decoding what is before, all files having been counted."""
        groups = [n for one in self.opened for n in one.groups or ()]
        return list(accumulate(groups, initial=self.first_row))[:-1]

    def within(self, first_row: int, stop: int) -> FileRows:
        """Return the files that hold some rows of the table, all having been counted."""
        ends = list(accumulate((one.n_rows or 0 for one in self.opened), initial=self.first_row))
        held = [i for i in range(len(self.opened)) if ends[i + 1] > first_row and ends[i] < stop]
        return replace(self, opened=tuple(self.opened[i] for i in held), first_row=ends[held[0]] if held else first_row)


def open_files(
    files: Sequence[File], name: str, expected: Expected, skip_bad_files: bool, keep: Keep | None = None
) -> RawTable:
    """Return the rows of several files as one table; what has to be fetched is kept as `keep` says.

    Raises:
        BadFileError: for a file that cannot be read, or whose columns are not the first one's; unless it is skipped.

    """
    opened: list[tuple[File, pa.Schema, tuple[int, ...] | None]] = []
    skipped: list[Skipped] = []
    empty: list[EmptyFileError] = []
    for file in files:
        try:
            with reading(file.path):
                found = _opened(fetched(file, keep), expected, keep)
                len(found[1].names)  # a name that is no text is found out once it is asked for
                opened.append(found)
        except EmptyFileError as error:
            empty.append(error)
        except BadFileError as error:
            if not skip_bad_files:
                raise
            skipped.append(Skipped(error.path, error.reason))
    if not opened and empty:
        raise empty[0]
    own = {name for _, schema, _ in opened for name in schema.names}
    named = [
        replace(one, keys=(*((name, value) for name, value in one.outer_keys if name not in own), *one.keys))
        for one, _, _ in opened
    ]
    keys, named = partitioned(named, expected.text.keys() | expected.levels)
    unified = _Unified(tuple(key.name for key in keys), expected.levels, strict=skip_bad_files)
    rows: list[Opened] = []
    index: list[str] = []
    said: list[str] = []
    schemas = completed([schema for _, schema, _ in opened])
    for file, schema, (_, _, groups) in zip(named, schemas, opened, strict=True):
        try:
            unified.add(file.path, schema)
        except BadFileError as error:
            if not skip_bad_files:
                raise
            skipped.append(Skipped(error.path, error.reason))
            continue
        rows.append(Opened(file=file, types={one.name: plain_type(one) for one in schema}, common={}, groups=groups))
        index += index_columns(schema)
        said += [f"{file.path}: {one}." for one in notes(schema)]
    if not rows:
        raise DataError(f"{name}: no file is left to read; the first is bad because: {skipped[0].reason}")
    fields = [*unified.fields(), *keys]
    said += unified.said
    common = {one.name: one.type for one in fields}
    for one in rows:
        one.common = common
        one.types |= {name: readable(common[name]) for name, own in one.types.items() if pa.types.is_null(own)}
        one.types |= {key.name: key.type for key in keys}
    table = FileRows(opened=tuple(rows), expected=expected, conflicts=unified.conflicts)
    return table_of(table, name, with_notes(pa.schema(fields), said, index), tuple(skipped))


def _opened(file: File, expected: Expected, keep: Keep | None) -> tuple[File, pa.Schema, tuple[int, ...] | None]:
    """Return a file as it is read, its columns, and the rows of its row groups where they are known."""
    with suppress(WorkbookError):
        return file, *file_schema(file, expected)
    sheet, said = sheet_of(file, expected.csv, keep)
    schema, groups = file_schema(sheet, expected)
    said_of_all = notes(schema) if said is None else [said, *notes(schema)]
    return sheet, with_notes(schema, said_of_all, index_columns(schema)), groups


def table_of(rows: FileRows, name: str, schema: pa.Schema, skipped: tuple[Skipped, ...] = ()) -> RawTable:
    """Return the table that files make."""
    counts = [one.n_rows for one in rows.opened]
    known = [n for n in counts if n is not None]
    return RawTable(
        name=name,
        schema=schema,
        n_bytes=sum(one.file.size for one in rows.opened),
        n_rows=sum(known) if len(known) == len(counts) else None,
        read=rows,
        files=tuple(one.file for one in rows.opened),
        skipped=skipped,
        na=tuple(rows.expected.csv.na),
    )


class _Unified:
    """The one schema of several files; their columns may differ in order, and in the width of numbers.

    Args:
        keys: columns that folders make.
        levels: columns named categorical.
        strict: whether a file whose column has another type is bad, or only the column, once it is read.

    """

    def __init__(self, keys: Collection[str], levels: Collection[str], *, strict: bool) -> None:
        self._keys = keys
        self._levels = levels
        self._strict = strict
        self._types: dict[str, tuple[pa.DataType, str]] = {}
        self._first = ""
        self.said: list[str] = []  # what a reader should know
        self.conflicts: dict[str, tuple[str, str]] = {}

    def add(self, path: str, schema: pa.Schema) -> None:
        """Take in a file's columns.

        Raises:
            BadFileError: when they are not those of the files before; nothing of them is then taken in.

        """
        twice = repeated(schema.names)
        if twice is not None:
            raise BadFileError(path, f"the column {twice!r} is there twice; rename one.")
        own = [name for name in schema.names if name not in self._keys]  # a folder's name goes before a column's
        if not self._types:
            self._first = path
            self._types = {name: (plain_type(schema.field(name)), path) for name in own}
            return
        gone = [name for name in self._types if name not in own]
        new = [name for name in own if name not in self._types]
        if gone or new:
            differs = [f"it lacks {', '.join(map(repr, gone))}"] if gone else []
            differs += [f"it adds {', '.join(map(repr, new))}"] if new else []
            raise BadFileError(
                path,
                f"its columns are not those of {self._first}: {' and '.join(differs)}. "
                "Files read as one table must have the same columns.",
            )
        self._types = {name: self._common(name, path, plain_type(schema.field(name))) for name in self._types}

    def fields(self) -> list[pa.Field]:
        """Return the columns, in the order of the first file."""
        return [pa.field(name, data_type) for name, (data_type, _) in self._types.items()]

    def _common(self, name: str, path: str, found: pa.DataType) -> tuple[pa.DataType, str]:
        common, common_path = self._types[name]
        both = common_type(common, found, name in self._levels)
        if both is None:
            reason = (
                f"column {name!r} holds {in_words(found)}, but {in_words(common)} in {common_path}; convert one, or "
                "leave the column out."
            )
            if self._strict:
                raise BadFileError(path, reason)
            self.conflicts.setdefault(name, (path, reason))
            # Of a type that no column is left out for unread, so that it is said whichever file is the first.
            return (pa.string() if kind_of(common) == "other" else common), common_path
        zones = {zone_of(found), zone_of(common)}
        if len(zones) > 1 and None not in zones:
            self.said.append(
                f"{path}: column {name!r} is in the time zone {zone_of(found)}, and in {zone_of(common)} in "
                f"{common_path}; all is taken in {zone_of(both)}."
            )
        return both, path if pa.types.is_null(common) else common_path


def repeated(names: Sequence[str]) -> str | None:
    """Return the first name that is there a second time."""
    return next((name for name, n in Counter(names).items() if n > 1), None)
