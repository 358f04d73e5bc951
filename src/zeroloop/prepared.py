"""A table in, its rows out: scanned once, encoded, split into rows to train on and rows held out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from zeroloop.blocks import Block, TableSource
from zeroloop.errors import BadFileError, OptionError, ZeroloopWarning
from zeroloop.fit import Shape, plain_shape
from zeroloop.labels import Labels, checked_labels
from zeroloop.learned import Learned, RowCounts, load_learned, save_learned
from zeroloop.progress import Progress, Work, unheard
from zeroloop.solvers.sampled_newton import sample_sizes
from zeroloop.sources.budget import memory_budget
from zeroloop.sources.checkpoint import Checkpoint, Recorded
from zeroloop.sources.files import AHEAD, FilesSource, Part, Reader, Sampled, Store
from zeroloop.sources.spill import spill_folder
from zeroloop.sources.threads import beside_reading, map_in_order, read_ahead, thread_count
from zeroloop.tables.draft import MOST_VALUES, Draft, Interner, Layout, draft
from zeroloop.tables.encode import codebook, finish, layout_of_schema, levels_only
from zeroloop.tables.formats import Piece
from zeroloop.tables.learn import MOST_CLASSES, MOST_LEVELS, learn_schema
from zeroloop.tables.read import RawTable, Skipped, TableLike, numbered, open_files, open_table
from zeroloop.tables.reservoir import Candidates, Reservoir
from zeroloop.tables.roles import Roles, Rows, assign_roles, split_rows
from zeroloop.tables.scan import Scan, layout_of, scan
from zeroloop.tables.schema import MISSING_RULES, Missing, Schema

NO_SPILL = "none"
MANY_ROWS = 10**12  # where nobody has counted them yet


@dataclass(frozen=True, slots=True)
class Resources:
    """How a table's rows are read and kept.

    Attributes:
        threads: None for every core.
        memory: bytes that may be filled with rows, or text such as "4GiB"; None for half of what there is.
        spill: the folder to keep in a file what does not fit; "none" to decode it again in each pass; None for the
            system's.
        skip_bad_files: whether files that cannot be read are left out.
        progress: told how the work goes on.

    """

    threads: int | None = None
    memory: str | int | None = None
    spill: str | None = None
    skip_bad_files: bool = False
    progress: Progress = unheard


@dataclass(frozen=True, slots=True)
class PreparedTable:
    """A table's rows, encoded, or to be when they are first swept.

    Attributes:
        table: what is read.
        roles: of its columns.
        schema: learned from the training rows.
        counts: of its rows, by use.
        labels: of the training rows.
        training: rows to train on.
        held_out: rows held out.
        clock: seconds spent so far.
        store: what both are kept in.

    """

    table: RawTable
    roles: Roles
    schema: Schema
    counts: RowCounts
    labels: Labels
    training: TableSource
    held_out: TableSource
    clock: Clock
    store: Store


def prepare_table(
    data: TableLike,
    target: str,
    *,
    positive: Any,
    features: Sequence[str] | None,
    drop: Sequence[str],
    categorical: Sequence[str],
    weights: str | None,
    missing: Missing,
    test_fraction: float,
    seed: int,
    offset: str | None = None,
    cluster: str | None = None,
    reference: bool,
    resources: Resources,
    checkpoint: Callable[[RawTable], Checkpoint] | None = None,
) -> PreparedTable:
    """Read and encode a table; the arguments are those of `zeroloop.train`, and say what it says.

    `reference` is whether the first level of a categorical column has no coefficient; `checkpoint` opens the one of
    this table, which the scan is read from or kept in.
    """
    if not 0 <= test_fraction < 1:
        raise OptionError(f"test_fraction is {test_fraction}; it must be at least 0 and below 1.")
    if missing not in MISSING_RULES:
        raise OptionError(f"missing is {missing!r}; it must be one of {', '.join(MISSING_RULES)}.")
    if not 0 <= seed < 2**63:
        raise OptionError(f"seed is {seed}; it must be a whole number of at least 0.")
    n_threads = thread_count(resources.threads)
    budget = memory_budget(resources.memory)
    folder = None if resources.spill == NO_SPILL else spill_folder(resources.spill)
    table = open_table(data, text=categorical, skip_bad_files=resources.skip_bad_files)
    roles = assign_roles(
        table.schema.names,
        target=target,
        features=features,
        drop=drop,
        categorical=categorical,
        weights=weights,
        offset=offset,
        cluster=cluster,
        missing=missing,
        test_fraction=test_fraction,
        seed=seed,
    )
    clock = Clock()
    kept = None if checkpoint is None else checkpoint(table)
    learned = None if kept is None or not table.files else load_learned(kept)
    if learned is None:
        rows = Store(budget, folder)
        table, read = _read_all(table, roles, rows, n_threads, resources, categorical)
        clock.lap("read")
        resources.progress(Work("encoding"))
        schema = learn_schema(read.scanned, roles, None if positive is None else str(positive), reference)
        learned = _learned(read, schema, table.skipped)
        if kept is not None:
            save_learned(kept, learned, compare=not table.files)
        store, interner = read.store, read.interner
        if interner.overflowed & {schema.target.name, *(column.name for column in schema.categorical)}:
            store, interner = _read_again(table, roles, schema, Store(budget, folder), n_threads, resources.progress)
    else:
        if learned.skipped:
            table = _without(table, {one.path: one.reason for one in learned.skipped}, categorical)
        schema = learned.schema
        store, interner = _read_again(table, roles, schema, Store(budget, folder), n_threads, resources.progress)
        clock.lap("read")
    for column in learned.schema.left_out:
        warnings.warn(f"Column {column.name!r} is left out: {column.reason}.", ZeroloopWarning, stacklevel=3)
    for one in learned.skipped:
        warnings.warn(f"Skipped {one.path}: {one.reason}", ZeroloopWarning, stacklevel=3)
    training, held_out = _sources(table, roles, learned, store, interner, n_threads)
    clock.lap("encode")
    if kept is not None:
        training = Recorded(training, kept)
    labels = checked_labels(learned.labels, learned.schema.target.levels)
    return PreparedTable(table, roles, learned.schema, learned.counts, labels, training, held_out, clock, store)


def shape_of(schema: Schema, penalty_factors: Mapping[str, float], bounds: Mapping[str, tuple[float, float]]) -> Shape:
    """Return the shape of the penalty that a table's columns ask for.

    Raises:
        OptionError: for a name that makes no term, and for factors and bounds out of their range.

    """
    shape = plain_shape(schema.scale)
    column = np.array(schema.columns_of_terms, dtype=object)
    for option, names in (("penalty_factors", penalty_factors), ("bounds", bounds)):
        for name in names:
            free = [feature for feature in schema.features if feature != schema.offset]
            if name not in free:
                raise OptionError(f"{option}: {name!r} is no column that makes terms; these do: {', '.join(free)}.")
    for name, factor in penalty_factors.items():
        shape.factor[column == name] = factor
    for name, (lower, upper) in bounds.items():
        shape.lower[column == name], shape.upper[column == name] = lower, upper
    return replace(shape)  # checks them


@dataclass(slots=True)
class _Read:
    """What one reading of a table gives: its scan, its rows as drafts, and rows to sample from."""

    scanned: Scan
    store: Store
    interner: Interner
    reservoir: Reservoir


def _read_all(
    table: RawTable, roles: Roles, store: Store, threads: int, resources: Resources, text: Sequence[str]
) -> tuple[RawTable, _Read]:
    """Read a table, and where bad files are to be left out, read it again without them."""
    while True:
        try:
            return table, _read(table, roles, store, threads, resources.progress)
        except BadFileError as error:
            if not resources.skip_bad_files or not table.files:
                raise
            bad = _bad_files_from(table, error, roles, text)
            table, store = _without(table, bad, text), store.emptied()


def _bad_files_from(table: RawTable, error: BadFileError, roles: Roles, text: Sequence[str]) -> dict[str, str]:
    """Return the bad files, the first of them known: all after it are read to find the others."""
    bad = {error.path: error.reason}
    paths = [file.path for file in table.files]
    for file in table.files[paths.index(error.path) + 1 :]:
        try:
            for _ in open_files([file], file.path, text, skip_bad_files=False).batches(roles.read):
                pass
        except BadFileError as another:
            bad[another.path] = another.reason
    return bad


def _without(table: RawTable, bad: Mapping[str, str], text: Sequence[str]) -> RawTable:
    files = [file for file in table.files if file.path not in bad]
    skipped = (*table.skipped, *(Skipped(path, reason) for path, reason in bad.items()))
    if not files:
        path, reason = next(iter(bad.items()))
        raise BadFileError(path, f"{reason} No other file is left.")
    left = open_files(files, table.name, text, skip_bad_files=False)
    return replace(left, skipped=tuple({one.path: one for one in skipped}.values()))


def _read(table: RawTable, roles: Roles, store: Store, threads: int, progress: Progress) -> _Read:
    """Return what all rows of a table hold, and the rows themselves, as far as there is room for them."""
    reservoir, interner = Reservoir(roles.seed), Interner()
    no_decimals: frozenset[str] = frozenset()

    def one(at: tuple[int, Piece]) -> tuple[Scan, Draft, Draft, Candidates, int, int]:
        first_row, piece = at
        rows = split_rows(piece.batch, roles, first_row)
        layout = layout_of(piece.batch.schema, roles)
        training, held_out = _drafts(piece.batch, layout, rows, first_row, store.has_memory)
        found = scan(piece.batch, training, rows, roles, no_decimals)
        return found, training, held_out, reservoir.draw(training), piece.batch.num_rows, piece.n_bytes

    total: Scan | None = None
    rows = 0
    with closing(read_ahead(table.pieces(roles.read), AHEAD)) as ahead:
        pieces = numbered(ahead)
        # The first batch alone, for what it tells of all others.
        for some in (islice(pieces, 1), pieces):
            for found, training, held_out, candidates, n_rows, n_bytes in map_in_order(
                one, some, beside_reading(threads)
            ):
                total = found if total is None else total + found
                if len(total.target) > MOST_VALUES:  # no target: learning the schema says so, and need not wait
                    return _Read(total, store, interner, reservoir)
                training, held_out = interner.intern(training, held_out, target=roles.target)
                wanted = _rows_to_sample(total, table.n_rows)
                reservoir.add(training, candidates, len(interner.numbers[roles.target]), wanted)
                _keep(store, table, training, held_out, n_rows)
                rows += n_rows
                progress(Work("scanning", rows, table.n_rows, n_bytes, table.n_bytes))
            no_decimals = frozenset() if total is None else total.no_decimals
    if total is None:
        total = one((0, Piece(_empty(table, roles), 0)))[0]
    return _Read(total, store, interner, reservoir)


def _keep(store: Store, table: RawTable, training: Draft, held_out: Draft, n_rows: int) -> None:
    store.keep(training, held_out, n_rows)
    if not store.complete and not table.again:
        raise OptionError(
            "The table can be read only once, and there is no room for all of it: raise memory, or let it spill into a "
            "folder with more room."
        )


def _read_again(
    table: RawTable, roles: Roles, schema: Schema, store: Store, threads: int, progress: Progress
) -> tuple[Store, Interner]:
    """Return the rows of a table whose schema is known, as far as there is room for them."""
    if not table.again:
        raise OptionError("The table can be read only once, and has too many levels for that; give it as a file.")
    interner = levels_only(schema)
    layout = layout_of_schema(schema, roles.weights, roles.cluster)

    def one(at: tuple[int, Piece]) -> tuple[Draft, Draft, int, int]:
        first_row, piece = at
        rows = split_rows(piece.batch, roles, first_row)
        drafts = _drafts(piece.batch, layout, rows, first_row, store.has_memory)
        return *drafts, piece.batch.num_rows, piece.n_bytes

    rows = 0
    with closing(read_ahead(table.pieces(roles.read), AHEAD)) as pieces:
        for training, held_out, n_rows, n_bytes in map_in_order(one, numbered(pieces), beside_reading(threads)):
            training, held_out = interner.intern(training, held_out, target=roles.target)
            store.keep(training, held_out, n_rows)
            if not store.complete:
                break
            rows += n_rows
            progress(Work("reading", rows, table.n_rows, n_bytes, table.n_bytes))
    return store, interner


def _drafts(batch: pa.RecordBatch, layout: Layout, rows: Rows, first_row: int, to_keep: bool) -> tuple[Draft, Draft]:
    """Return the rows of a batch to train on and those held out."""
    of_training, of_held_out = np.flatnonzero(rows.training), np.flatnonzero(rows.held_out)
    made = draft(batch, layout, first_row)
    if to_keep and of_training.size == batch.num_rows:  # else they are copied by being taken
        made = replace(made, numeric=made.numeric.copy())  # out of Arrow's memory, which is for what comes and goes
    made = replace(made, labels=rows.labels, classes=rows.classes)
    return made.take(of_training), made.take(of_held_out)


def _rows_to_sample(scanned: Scan, n_rows: int | None) -> int:
    """Return how many rows of each class a solver may want, as far as is known of the table."""
    n_terms = 1 + sum(max(1, min(len(column.levels), MOST_LEVELS)) for column in scanned.columns.values())
    n_outputs = len(scanned.target) if 2 < len(scanned.target) <= MOST_CLASSES else 1
    return sample_sizes(n_rows or MANY_ROWS, n_outputs * n_terms)[-1]


def _empty(table: RawTable, roles: Roles) -> pa.RecordBatch:
    """Return no rows: an empty table still has columns to learn the schema's error from."""
    fields = [field for field in table.schema if field.name in roles.read]
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in fields], names=[f.name for f in fields])


def _learned(read: _Read, schema: Schema, skipped: Sequence[Skipped]) -> Learned:
    levels, scanned = schema.target.levels, read.scanned
    labels = Labels(
        np.array([scanned.class_weights.get(level, 0.0) for level in levels], dtype=np.float64),
        tuple(scanned.class_rows[level] for level in levels),
    )
    counts = RowCounts(scanned.n_training, scanned.n_held_out, scanned.n_no_target, scanned.n_incomplete)
    n_stored = sum(column.sparse.n_stored for column in scanned.columns.values() if column.sparse is not None)
    return Learned(schema, counts, labels, n_stored, _sampled(read, schema), tuple(skipped))


def _sampled(read: _Read, schema: Schema) -> Sampled | None:
    """Return the rows that samples are drawn from."""
    drawn = read.reservoir.drawn()
    if drawn is None or read.interner.overflowed:
        return None
    copied = drawn.rows.with_arrays({name: array.copy() for name, array in drawn.rows.arrays.items()})
    block = finish(copied, schema, codebook(schema, read.interner)).block
    fractions = read.reservoir.fractions(read.interner.numbers[schema.target.name], schema.target.levels)
    return Sampled(replace(block, rows=drawn.at), fractions, tuple(read.reservoir.starts), read.reservoir.seed)


def _sources(
    table: RawTable, roles: Roles, learned: Learned, store: Store, interner: Interner, threads: int
) -> tuple[TableSource, TableSource]:
    """Return the rows to train on and the rows held out."""
    schema, counts = learned.schema, learned.counts
    book, layout = codebook(schema, interner), layout_of_schema(schema, roles.weights, roles.cluster)

    def encoded(first_row: int, batch: pa.RecordBatch, part: Part) -> Block:
        rows = split_rows(batch, roles, first_row)
        used = np.flatnonzero(rows.training if part == "training" else rows.held_out)
        made = replace(draft(batch, layout, first_row), labels=rows.labels, classes=rows.classes)
        return finish(made.take(used), schema, None).block

    reader = Reader(
        lambda first_row: table.pieces(roles.read, first_row),
        encoded,
        lambda made: finish(made, schema, book).block,
    )
    store.finish(reader, threads)
    in_memory = store.in_memory()
    if in_memory is not None:
        return in_memory

    def source(part: Part, n_rows: int, sampled: Sampled | None) -> FilesSource:
        columns = schema.n_coefs, len(schema.numeric), len(schema.categorical), learned.n_stored
        return FilesSource(store, part, n_rows, *columns, threads, sampled)

    return source("training", counts.training, learned.sampled), source("held_out", counts.held_out, None)


@dataclass(slots=True)
class Clock:
    """Seconds between laps, by name."""

    last: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)

    def lap(self, name: str) -> None:
        """Name what was done since the last lap."""
        now = time.perf_counter()
        self.seconds[name] = now - self.last
        self.last = now
