"""A table in, its rows out: scanned once, encoded, split into rows to train on and rows held out."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zeroloop.blocks import TableSource
from zeroloop.errors import BadFileError, OptionError, ZeroloopWarning
from zeroloop.fit import Labels, Shape, checked_labels, plain_shape
from zeroloop.learned import Learned, RowCounts, load_learned, save_learned
from zeroloop.progress import Progress, Work, unheard
from zeroloop.sources.budget import memory_budget, size_text
from zeroloop.sources.checkpoint import Checkpoint, Recorded
from zeroloop.sources.files import FilesSource, Pair, Reader, Sampled, Size, Store
from zeroloop.sources.memory import MemorySource
from zeroloop.sources.spill import SpillFile, Spool, free_disk, spill_folder
from zeroloop.sources.threads import map_all, map_in_order, read_ahead, thread_count
from zeroloop.tables.columns import kind_of
from zeroloop.tables.encode import encode
from zeroloop.tables.formats import Piece
from zeroloop.tables.learn import learn_schema
from zeroloop.tables.read import RawTable, Skipped, TableLike, numbered, open_files, open_table
from zeroloop.tables.reservoir import Drawn, Reservoir
from zeroloop.tables.roles import Roles, assign_roles, split_rows
from zeroloop.tables.scan import Scan, scan
from zeroloop.tables.schema import MISSING_RULES, Missing, Schema

NO_SPILL = "none"
FREE_DISK = 1.1  # times the encoded rows must be free to spill them


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
        storage: in words, where encoded rows are.
        clock: seconds spent so far.
        store: what both are kept in, where not all of them are in memory.

    """

    table: RawTable
    roles: Roles
    schema: Schema
    counts: RowCounts
    labels: Labels
    training: TableSource
    held_out: TableSource
    storage: str
    clock: Clock
    store: Store | None


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
        missing=missing,
        test_fraction=test_fraction,
        seed=seed,
    )
    clock = Clock()
    kept = None if checkpoint is None else checkpoint(table)
    learned = None if kept is None or not table.files else load_learned(kept)
    raw = _Raw(deque(), complete=False)
    if learned is None:
        table, scanned, raw, reservoir = _scan_all(table, roles, n_threads, budget, folder, resources, categorical)
        clock.lap("read")
        resources.progress(Work("encoding"))
        schema = learn_schema(scanned, roles, None if positive is None else str(positive), reference)
        learned = _learned(scanned, schema, reservoir, table.skipped)
        if kept is not None:
            save_learned(kept, learned, compare=not table.files)
    elif learned.skipped:
        table = _without(table, {one.path: one.reason for one in learned.skipped}, categorical)
    for column in learned.schema.left_out:
        warnings.warn(f"Column {column.name!r} is left out: {column.reason}.", ZeroloopWarning, stacklevel=3)
    for one in learned.skipped:
        warnings.warn(f"Skipped {one.path}: {one.reason}", ZeroloopWarning, stacklevel=3)
    training, held_out, storage, store = _sources(table, roles, learned, raw, budget, folder, n_threads)
    clock.lap("encode")
    if kept is not None:
        training = Recorded(training, kept)
    labels = checked_labels(learned.labels, learned.schema.target.levels)
    return PreparedTable(
        table, roles, learned.schema, learned.counts, labels, training, held_out, storage, clock, store
    )


def shape_of(schema: Schema, penalty_factors: Mapping[str, float], bounds: Mapping[str, tuple[float, float]]) -> Shape:
    """Return the shape of the penalty that a table's columns ask for.

    Raises:
        OptionError: for a name that makes no term, and for factors and bounds out of their range.

    """
    shape = plain_shape(schema.scale)
    column = np.array(schema.columns_of_terms, dtype=object)
    for option, names in (("penalty_factors", penalty_factors), ("bounds", bounds)):
        for name in names:
            if name not in schema.features:
                raise OptionError(
                    f"{option}: {name!r} is no column that makes terms; these do: {', '.join(schema.features)}."
                )
    for name, factor in penalty_factors.items():
        shape.factor[column == name] = factor
    for name, (lower, upper) in bounds.items():
        shape.lower[column == name], shape.upper[column == name] = lower, upper
    return replace(shape)  # checks them


@dataclass(slots=True)
class _Raw:
    """Batches held in memory as they were read, from the table's start on, and whether they are all.

    `spool` has what else there was of a table that can be read only once.
    """

    batches: deque[pa.RecordBatch]
    complete: bool
    spool: Spool | None = None


def _scan_all(
    table: RawTable,
    roles: Roles,
    threads: int,
    budget: int,
    folder: Path | None,
    resources: Resources,
    text: Sequence[str],
) -> tuple[RawTable, Scan, _Raw, Reservoir]:
    """Scan a table, and where bad files are to be left out, scan it again without them."""
    while True:
        try:
            return table, *_scan(table, roles, threads, budget, folder, resources.progress)
        except BadFileError as error:
            if not resources.skip_bad_files or not table.files:
                raise
            bad = _bad_files_from(table, error, roles, text)
            table = _without(table, bad, text)


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


def _scan(
    table: RawTable, roles: Roles, threads: int, budget: int, folder: Path | None, progress: Progress
) -> tuple[Scan, _Raw, Reservoir]:
    """Return what all rows of a table hold, and its first batches, as many as half the budget holds."""
    reservoir = Reservoir(roles.target, roles.seed)
    no_decimals: frozenset[str] = frozenset()

    def one(at: tuple[int, Piece]) -> tuple[Scan, Drawn, Piece]:
        first_row, piece = at
        found = scan(piece.batch, roles, first_row, no_decimals)
        training = split_rows(piece.batch, roles, first_row).training
        return found, reservoir.draw(piece.batch.select(columns), training, first_row), piece

    # Only what may make terms: other types cannot even be taken rows of.
    candidates = [n for n in roles.features if n in roles.categorical or kind_of(table.schema.field(n).type) != "other"]
    columns = [*candidates, roles.target, *([roles.weights] if roles.weights else [])]
    total: Scan | None = None
    held: deque[pa.RecordBatch] = deque()
    spool: Spool | None = None
    rows = n_bytes = 0
    pieces = numbered(read_ahead(table.pieces(roles.read), 2))
    # The first batch alone, for what it tells of all others.
    for some in ((next(pieces, (0, Piece(_empty(table, roles), 0))),), pieces):
        for found, drawn, piece in map_in_order(one, some, threads):
            total = found if total is None else total + found
            reservoir.add(drawn, _n_terms(total))
            rows += piece.batch.num_rows
            n_bytes += piece.batch.nbytes
            if n_bytes <= budget // 2:
                held.append(piece.batch)
            elif not table.again:
                spool = _spool(folder, rows - piece.batch.num_rows) if spool is None else spool
                spool.write(piece.batch)
            progress(Work("scanning", rows, table.n_rows, piece.n_bytes, table.n_bytes))
        no_decimals = frozenset() if total is None else total.no_decimals
    assert total is not None
    return total, _Raw(held, n_bytes <= budget // 2, spool), reservoir


def _spool(folder: Path | None, first_row: int) -> Spool:
    if folder is None:
        raise OptionError(
            "The table can be read only once, and does not fit into memory: raise memory, or let it spill into a file."
        )
    return Spool(folder, first_row)


def _n_terms(scanned: Scan) -> int:
    """Return about how many terms a table has."""
    return 1 + sum(max(1, len(column.levels)) for column in scanned.columns.values())


def _empty(table: RawTable, roles: Roles) -> pa.RecordBatch:
    """Return no rows: an empty table still has columns to learn the schema's error from."""
    fields = [field for field in table.schema if field.name in roles.read]
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in fields], names=[f.name for f in fields])


def _learned(scanned: Scan, schema: Schema, reservoir: Reservoir, skipped: Sequence[Skipped]) -> Learned:
    levels = schema.target.levels
    labels = Labels(
        np.array([scanned.class_weights.get(level, 0.0) for level in levels], dtype=np.float64),
        tuple(scanned.class_rows[level] for level in levels),
    )
    counts = RowCounts(scanned.n_training, scanned.n_held_out, scanned.n_no_target, scanned.n_incomplete)
    n_stored = sum(column.sparse.n_stored for column in scanned.columns.values() if column.sparse is not None)
    drawn = reservoir.rows()
    sampled = None
    if drawn is not None and drawn.rows.size > 0:
        block = encode(drawn.batch, schema, 0, labelled=True).block
        fractions = tuple(reservoir.fraction(level) for level in levels)
        sampled = Sampled(replace(block, rows=drawn.rows), fractions, drawn.starts, reservoir.seed)
    return Learned(schema, counts, labels, n_stored, sampled, tuple(skipped))


def _sources(
    table: RawTable, roles: Roles, learned: Learned, raw: _Raw, budget: int, folder: Path | None, threads: int
) -> tuple[TableSource, TableSource, str, Store | None]:
    """Return the rows to train on, the rows held out, where they are in words, and the store they share, if any."""
    schema, counts = learned.schema, learned.counts

    def pair(first_row: int, batch: pa.RecordBatch) -> Pair:
        rows = split_rows(batch, roles, first_row)
        block = encode(batch, schema, first_row, labelled=True).block
        training, held_out = block.take(np.flatnonzero(rows.training)), block.take(np.flatnonzero(rows.held_out))
        return Pair(training, held_out, batch.num_rows)

    size = _encoded_size(learned)
    if raw.complete:
        first_rows = np.cumsum([0, *(batch.num_rows for batch in raw.batches)]).tolist()
        batches: list[pa.RecordBatch | None] = list(raw.batches)
        raw.batches.clear()

        def one(i: int) -> Pair:
            batch, batches[i] = batches[i], None  # freed as soon as it is encoded
            return pair(first_rows[i], batch)

        pairs = map_all(one, range(len(batches)), threads)
        training = MemorySource([pair.load("training") for pair in pairs], threads)
        held_out = MemorySource([pair.load("held_out") for pair in pairs], threads)
        return training, held_out, f"in memory, {size_text(size)}", None

    spill = None
    words = f"in memory, {size_text(size)}"
    if size > budget:
        beyond = size - budget
        if folder is not None and (not table.again or free_disk(folder) >= FREE_DISK * beyond):
            spill, where = SpillFile(folder), f"in a spill file in {folder}"
        elif folder is not None:
            where = f"decoded again in each pass, as {folder} has no room for {size_text(beyond)}"
        else:
            where = "decoded again in each pass"
        words = f"{size_text(budget)} of {size_text(size)} in memory, the rest {where}"

    def rest(first_row: int) -> Iterator[Piece]:
        if raw.spool is None:
            return table.pieces(roles.read, first_row)
        return (Piece(batch, 0) for batch in raw.spool.batches(first_row))

    held = sum(batch.nbytes for batch in raw.batches)
    store = Store(Reader(raw.batches, rest, pair), budget - held, spill, threads)

    def source(part: Any, n_rows: int, sampled: Sampled | None) -> FilesSource:
        shape = Size(n_rows, schema.n_coefs, len(schema.numeric), len(schema.categorical), learned.n_stored)
        return FilesSource(store, part, shape, threads, sampled)

    return source("training", counts.training, learned.sampled), source("held_out", counts.held_out, None), words, store


def _encoded_size(learned: Learned) -> int:
    """Return about how many bytes the encoded rows take."""
    schema = learned.schema
    width = (4 if schema.float32 else 8) * len(schema.numeric) + 4 * len(schema.categorical) + 4
    width += 8 * (schema.weights is not None) + 16 * (schema.sparse is not None)
    stored = 12 * learned.n_stored / max(learned.counts.training, 1)
    return int((width + stored) * (learned.counts.training + learned.counts.held_out))


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
