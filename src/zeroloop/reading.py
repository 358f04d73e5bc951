"""Rows of a table, or of a part of one, read once: scanned, kept as far as there is room, and sampled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import Block, TableSource
from zeroloop.disks import spill_folder
from zeroloop.errors import BadFileError, OptionError
from zeroloop.learned import Learned
from zeroloop.progress import Progress, Work
from zeroloop.resources import NO_SPILL, Resources
from zeroloop.solvers.sampled_newton import sample_sizes
from zeroloop.sources.budget import Budget, memory_budget
from zeroloop.sources.files import AHEAD, FilesSource, Part, Reader, Sampled, Store
from zeroloop.sources.threads import beside_reading, map_in_order, read_ahead, thread_count
from zeroloop.tables.dates import with_parts
from zeroloop.tables.draft import MOST_VALUES, Draft, Interner, Layout, draft
from zeroloop.tables.encode import codebook, finish, layout_of_schema, levels_only
from zeroloop.tables.expected import Expected
from zeroloop.tables.kept import Keep
from zeroloop.tables.learn import MOST_CLASSES, MOST_LEVELS
from zeroloop.tables.many_files import open_files
from zeroloop.tables.raw import Batch, RawTable
from zeroloop.tables.read import TableLike, open_table
from zeroloop.tables.reservoir import Reservoir
from zeroloop.tables.roles import Roles, Rows, split_rows
from zeroloop.tables.scan import Scan, layout_of, scan
from zeroloop.tables.schema import Schema

MANY_ROWS = 10**12  # where nobody has counted them yet


class TableRows(Protocol):
    """A table's rows: read, scanned, encoded and swept in one place or another."""

    def open(self, data: TableLike, expected: Expected) -> RawTable:
        """Return what can be read of `data`; `expected` is what is known of it."""

    def look(self, table: RawTable, columns: Sequence[str]) -> Generator[pa.RecordBatch]:
        """Yield the rows of some columns of a table, to be stopped when enough of them is seen."""

    def read(self, table: RawTable, roles: Roles) -> Scan:
        """Read a table; return what it holds."""

    def bad_files(self, error: BadFileError) -> dict[str, str]:
        """Return the bad files that the last reading has met or would have met, the first of them known."""

    def read_again(self, table: RawTable, roles: Roles, schema: Schema) -> None:
        """Read a table whose schema is known."""

    def sampled(self, schema: Schema, /) -> Sampled | None:
        """Return rows that samples are drawn from without a pass, of those just read; None where there are none."""

    def sources(self, learned: Learned) -> tuple[TableSource, TableSource]:
        """Return the rows to train on and the rows held out, of those just read."""

    def on_sweep(self, tell: Callable[[int, int], None]) -> None:
        """Have `tell` called with how many rows and bytes of a sweep are done."""

    def in_words(self) -> str:
        """Say where the rows are."""


def check_resources(resources: Resources) -> None:
    """Check, before any work, what is to be used.

    Raises:
        OptionError: for what is no size, or a number of threads below 1.
        OutputError: for a folder to spill into that does not exist or cannot be written in.

    """
    thread_count(resources.threads)
    memory_budget(resources.memory)
    if resources.scheduler is None and resources.spill != NO_SPILL:  # else the folder is the workers'
        spill_folder(resources.spill)


class RowsHere:
    """A table's rows in this process: in memory, in a spill file, or read again in each pass.

    Args:
        resources: what may be used of it.

    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._threads = thread_count(resources.threads)
        self._budget = memory_budget(resources.memory)
        self._folder = None if resources.spill == NO_SPILL else spill_folder(resources.spill)
        self._reservoir: Reservoir | None = None

    def _empty_store(self) -> Store:
        return Store(Budget(self._budget), self._folder)

    def open(self, data: TableLike, expected: Expected) -> RawTable:
        """Return what can be read of `data`; see `open_table`."""
        self._expected = expected
        keep = Keep(folder=self._folder, most=self._budget)
        return open_table(data, expected, self._resources.skip_bad_files, keep)

    def look(self, table: RawTable, columns: Sequence[str]) -> Generator[pa.RecordBatch]:
        """Yield the rows of some columns of a table, to be stopped when enough of them is seen."""
        return table.look(columns)

    def read(self, table: RawTable, roles: Roles) -> Scan:
        """Read a table; return what it holds."""
        self._table, self._roles = table, roles
        self._reservoir = Reservoir(roles.seed)
        found = read(table, roles, self._empty_store(), self._threads, self._resources.progress, self._reservoir)
        self._store, self._interner = found.store, found.interner
        return found.scanned

    def bad_files(self, error: BadFileError) -> dict[str, str]:
        """Return the bad files, the first of them known: all after it are read to find the others."""
        bad = {error.path: error.reason}
        files = self._table.files
        paths = [file.path for file in files]
        for file in files[paths.index(error.path) + 1 :]:
            try:
                for _ in open_files([file], file.path, self._expected, skip_bad_files=False).batches(self._roles.read):
                    pass
            except BadFileError as another:
                bad[another.path] = another.reason
        return bad

    def read_again(self, table: RawTable, roles: Roles, schema: Schema) -> None:
        """Read a table whose schema is known."""
        self._table, self._roles = table, roles
        self._store, self._interner = read_again(
            table, roles, schema, self._empty_store(), self._threads, self._resources.progress
        )

    def sampled(self, schema: Schema) -> Sampled | None:
        """Return the rows that samples are drawn from, of those just read; None where they cannot be."""
        drawn = None if self._reservoir is None else self._reservoir.drawn()
        if self._reservoir is None or drawn is None or self._interner.overflowed:
            return None
        copied = drawn.rows.with_arrays({name: array.copy() for name, array in drawn.rows.arrays.items()})
        block = finish(copied, schema, codebook(schema, self._interner)).block
        fractions = self._reservoir.fractions(self._interner.numbers[schema.target.name], schema.target.levels)
        starts = tuple(self._reservoir.starts)
        return Sampled(replace(block, rows=drawn.at), fractions, starts, self._reservoir.seed)

    def sources(self, learned: Learned) -> tuple[TableSource, TableSource]:
        """Return the rows to train on and the rows held out, of those just read."""
        schema, counts = learned.schema, learned.counts
        if not knows_its_levels(self._interner, schema):
            self.read_again(self._table, self._roles, schema)
        store = self._store
        store.finish(reader_of(self._table, self._roles, schema, self._interner), self._threads)
        in_memory = store.in_memory()
        if in_memory is not None:
            return in_memory

        def source(part: Part, n_rows: int, sampled: Sampled | None) -> FilesSource:
            return FilesSource(
                store=store,
                part=part,
                n_rows=n_rows,
                n_coefs=schema.n_coefs,
                n_numeric=len(schema.numeric),
                n_codes=len(schema.categorical),
                n_stored=learned.n_stored,
                threads=self._threads,
                sampled=sampled,
            )

        return source("training", counts.training, learned.sampled), source("held_out", counts.held_out, None)

    def on_sweep(self, tell: Callable[[int, int], None]) -> None:
        """Have `tell` called with how many rows and bytes of a sweep are done."""
        self._store.on_block = tell

    def in_words(self) -> str:
        """Say where the rows are."""
        return self._store.in_words()


@dataclass(slots=True)
class Read:
    """What one reading of a table gives.

    Attributes:
        scanned: what all of it holds.
        store: its rows as drafts.
        interner: the values of their codes.
        reservoir: rows to sample from; None where none were wanted.

    """

    scanned: Scan
    store: Store
    interner: Interner
    reservoir: Reservoir | None


def read(
    table: RawTable,
    roles: Roles,
    store: Store,
    threads: int,
    progress: Progress,
    reservoir: Reservoir | None,
    no_decimals: Collection[str] | None = None,
) -> Read:
    """Return what all rows of a table hold, and the rows themselves, as far as there is room for them.

    Args:
        table: to be read.
        roles: of its columns.
        store: what keeps the rows; empty.
        threads: number of threads.
        progress: told how the work goes on.
        reservoir: what keeps rows to sample from, if any is to.
        no_decimals: what the table's first batch says of all others; None where it is the first that is read.

    Raises:
        DataError: for data that cannot be used as asked.
        OptionError: when the table can be read only once, and there is no room for its rows.

    """
    interner = Interner()
    known = frozenset[str]() if no_decimals is None else no_decimals

    def one(batch: Batch) -> tuple[Scan, Draft, Draft, Batch]:
        batch = _with_parts(batch, roles)
        rows = split_rows(batch.rows, roles, batch.first_row)
        layout = layout_of(batch.rows.schema, roles)
        training, held_out = _drafts(batch, layout, rows)
        found = scan(batch.rows, batch.at, training, rows, roles, known)
        return found, training, held_out, batch

    total: Scan | None = None
    done = 0
    with closing(read_ahead(table.batches(roles.read), AHEAD)) as batches:
        # The first batch alone, for what it tells of all others.
        for some in (islice(batches, 1 if no_decimals is None else 0), batches):
            for found, training, held_out, batch in map_in_order(one, some, beside_reading(threads)):
                if total is None:
                    total = found
                else:
                    total.take_in(found)
                if len(total.target) > MOST_VALUES:  # no target: learning the schema says so, and need not wait
                    return Read(total, store, interner, reservoir)
                training, held_out = interner.intern(training, held_out, target=roles.target)
                if reservoir is not None:
                    wanted = _rows_to_sample(total, table.n_rows)
                    reservoir.add(training, len(interner.numbers[roles.target]), wanted)
                _keep(store, table, training, held_out, batch.rows.num_rows)
                done += batch.rows.num_rows
                progress(
                    Work(
                        doing="scanning",
                        rows=done,
                        total_rows=table.n_rows,
                        n_bytes=batch.n_bytes,
                        total_bytes=table.n_bytes,
                    )
                )
            if no_decimals is None and total is not None:
                known = total.no_decimals
    if total is None:
        total = one(Batch(_empty(table, roles), table.span.first_batch, table.span.first_row, 0))[0]
    return Read(total, store, interner, reservoir)


def _keep(store: Store, table: RawTable, training: Draft, held_out: Draft, n_rows: int) -> None:
    store.keep(training, held_out, n_rows)
    if not store.complete and not table.again:
        raise OptionError(
            "The table can be read only once, and there is no room for all of it: raise memory, or let it spill into a "
            "folder with more room."
        )


def read_again(
    table: RawTable, roles: Roles, schema: Schema, store: Store, threads: int, progress: Progress
) -> tuple[Store, Interner]:
    """Return the rows of a table whose schema is known, as far as there is room for them."""
    if not table.again:
        raise OptionError("The table can be read only once, and has too many levels for that; give it as a file.")
    interner = levels_only(schema)
    layout = layout_of_schema(schema, roles.weights, roles.cluster)

    def one(batch: Batch) -> tuple[Draft, Draft, Batch]:
        batch = _with_parts(batch, roles)
        rows = split_rows(batch.rows, roles, batch.first_row)
        return *_drafts(batch, layout, rows), batch

    done = 0
    with closing(read_ahead(table.batches(roles.read), AHEAD)) as batches:
        for training, held_out, batch in map_in_order(one, batches, beside_reading(threads)):
            training, held_out = interner.intern(training, held_out, target=roles.target)
            store.keep(training, held_out, batch.rows.num_rows)
            if not store.complete:
                break
            done += batch.rows.num_rows
            progress(
                Work(
                    doing="reading",
                    rows=done,
                    total_rows=table.n_rows,
                    n_bytes=batch.n_bytes,
                    total_bytes=table.n_bytes,
                )
            )
    return store, interner


def knows_its_levels(interner: Interner, schema: Schema) -> bool:
    """Return whether the values of every column that the schema codes were told apart while they were read."""
    return not interner.overflowed & {schema.target.name, *(column.name for column in schema.categorical)}


def reader_of(table: RawTable, roles: Roles, schema: Schema, interner: Interner) -> Reader:
    """Return how the rows of a table that a store has not kept are had."""
    book, layout = codebook(schema, interner), layout_of_schema(schema, roles.weights, roles.cluster)

    def encoded(batch: Batch, part: Part) -> Block:
        batch = _with_parts(batch, roles)
        rows = split_rows(batch.rows, roles, batch.first_row)
        made = replace(draft(batch.rows, layout, batch.first_row), labels=rows.labels, classes=rows.classes)
        return finish(_those(made, rows.training if part == "training" else rows.held_out), schema, None).block

    return Reader(
        lambda n_batches, n_rows: table.batches(roles.read, (n_batches, n_rows)),
        encoded,
        lambda made: finish(made, schema, book).block,
    )


def _with_parts(batch: Batch, roles: Roles) -> Batch:
    """Return a batch with the parts of its dates."""
    return replace(batch, rows=with_parts(batch.rows, roles.dates, batch.first_row)) if roles.dates else batch


def _drafts(batch: Batch, layout: Layout, rows: Rows) -> tuple[Draft, Draft]:
    """Return the rows of a batch to train on and those held out."""
    made = replace(draft(batch.rows, layout, batch.first_row), labels=rows.labels, classes=rows.classes)
    return _those(made, rows.training), _those(made, rows.held_out)


def _those(made: Draft, wanted: NDArray[np.bool_]) -> Draft:
    return made if np.all(wanted) else made.take(np.flatnonzero(wanted))


def _rows_to_sample(scanned: Scan, n_rows: int | None) -> int:
    """Return how many rows of each class a solver may want, as far as is known of the table."""
    n_terms = 1 + sum(max(1, min(len(column.levels), MOST_LEVELS)) for column in scanned.columns.values())
    n_outputs = len(scanned.target) if 2 < len(scanned.target) <= MOST_CLASSES else 1
    return sample_sizes(n_rows or MANY_ROWS, n_outputs * n_terms)[-1]


def _empty(table: RawTable, roles: Roles) -> pa.RecordBatch:
    """Return no rows: an empty table still has columns to learn the schema's error from."""
    fields = [field for field in table.schema if field.name in roles.read]
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in fields], schema=pa.schema(fields))
