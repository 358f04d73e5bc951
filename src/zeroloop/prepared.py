"""A table in, its rows out: read, scanned, encoded, split into rows to train on and rows held out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa

from zeroloop.blocks import Block
from zeroloop.errors import OptionError, ZeroloopWarning
from zeroloop.fit import Shape, plain_shape
from zeroloop.sources.memory import MemorySource
from zeroloop.sources.threads import map_all, thread_count
from zeroloop.tables.encode import encode
from zeroloop.tables.learn import learn_schema
from zeroloop.tables.read import RawTable, TableLike, open_table
from zeroloop.tables.roles import Roles, assign_roles, split_rows
from zeroloop.tables.scan import Scan, scan
from zeroloop.tables.schema import MISSING_RULES, Missing, Schema

Progress = Callable[[str, int], None]
"""Called as work goes on with (what is being done, how many rows or passes of it are done)."""


@dataclass(frozen=True, slots=True)
class PreparedTable:
    """A table's rows, encoded.

    Attributes:
        name: what was read.
        roles: of its columns.
        scanned: what it holds.
        schema: learned from the training rows.
        training: rows to train on.
        held_out: rows held out.
        clock: seconds spent so far.

    """

    name: str
    roles: Roles
    scanned: Scan
    schema: Schema
    training: MemorySource
    held_out: MemorySource
    clock: Clock


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
    threads: int | None,
    reference: bool,
    progress: Progress,
) -> PreparedTable:
    """Read and encode a table; the arguments are those of `zeroloop.train`, and say what it says.

    `reference` is whether the first level of a categorical column has no coefficient.
    """
    if not 0 <= test_fraction < 1:
        raise OptionError(f"test_fraction is {test_fraction}; it must be at least 0 and below 1.")
    if missing not in MISSING_RULES:
        raise OptionError(f"missing is {missing!r}; it must be one of {', '.join(MISSING_RULES)}.")
    if not 0 <= seed < 2**63:
        raise OptionError(f"seed is {seed}; it must be a whole number of at least 0.")
    n_threads = thread_count(threads)
    table = open_table(data, text=categorical)
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
    batches = _read(table, roles, progress)
    clock.lap("read")
    progress("encoding", 0)
    scanned = _scan(batches, roles, n_threads)
    schema = learn_schema(scanned, roles, None if positive is None else str(positive), reference)
    for column in schema.left_out:
        warnings.warn(f"Column {column.name!r} is left out: {column.reason}.", ZeroloopWarning, stacklevel=3)
    training, held_out = _encode(batches, schema, roles, n_threads)
    clock.lap("encode")
    return PreparedTable(table.name, roles, scanned, schema, training, held_out, clock)


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


def _read(table: RawTable, roles: Roles, progress: Progress) -> list[pa.RecordBatch]:
    batches, rows = [], 0
    for batch in table.batches(roles.read):
        batches.append(batch)
        rows += batch.num_rows
        progress("reading", rows)
    if not batches:
        # An empty table still has columns to learn the schema's error from.
        fields = [field for field in table.schema if field.name in roles.read]
        batches = [pa.RecordBatch.from_arrays([pa.array([], f.type) for f in fields], names=[f.name for f in fields])]
    return batches


def _scan(batches: Sequence[pa.RecordBatch], roles: Roles, threads: int) -> Scan:
    return reduce(add, map_all(lambda at: scan(at[1], roles, at[0]), _numbered(batches), threads))


def _numbered(batches: Sequence[pa.RecordBatch]) -> list[tuple[int, pa.RecordBatch]]:
    """Return each batch with the index of its first row."""
    first_rows = accumulate((batch.num_rows for batch in batches), initial=0)
    return list(zip(first_rows, batches, strict=False))


def _encode(
    batches: Sequence[pa.RecordBatch], schema: Schema, roles: Roles, threads: int
) -> tuple[MemorySource, MemorySource]:
    """Return the rows to train on and the rows held out, encoded."""

    def one(numbered: tuple[int, pa.RecordBatch]) -> tuple[Block, Block]:
        first_row, batch = numbered
        rows = split_rows(batch, roles, first_row)
        block = encode(batch, schema, first_row, labelled=True).block
        return block.take(np.flatnonzero(rows.training)), block.take(np.flatnonzero(rows.held_out))

    pairs = map_all(one, _numbered(batches), threads)
    return MemorySource([pair[0] for pair in pairs], threads), MemorySource([pair[1] for pair in pairs], threads)


@dataclass(slots=True)
class Clock:
    """Seconds between laps, by name."""

    last: float
    seconds: dict[str, float]

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.seconds = {}

    def lap(self, name: str) -> None:
        """Name what was done since the last lap."""
        now = time.perf_counter()
        self.seconds[name] = now - self.last
        self.last = now
