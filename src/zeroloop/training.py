"""The table front door: files or a frame in, a model out."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, reduce
from importlib.metadata import version
from itertools import accumulate
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa

from zeroloop.blocks import Block
from zeroloop.errors import NotConvergedWarning, OptionError, ZeroloopWarning
from zeroloop.fit import MAX_ITER, Fit, Options, fit
from zeroloop.kernels.select import statistics
from zeroloop.model import Model, Training
from zeroloop.objective import Evaluation
from zeroloop.scoring import held_out_scores
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


def train(
    data: TableLike,
    target: str,
    *,
    positive: Any = None,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    weights: str | None = None,
    C: float = 1.0,
    solver: str = "auto",
    tol: float = 1e-6,
    max_iter: int | None = None,
    learning_rate: float = 0.1,
    missing: Missing = "impute",
    test_fraction: float = 0.2,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = lambda doing, done: None,
) -> Model:
    """Learn a logistic regression from a table.

    The objective is `C * sum(weight * log loss) + 1/2 ||w||^2` with numeric columns scaled to unit variance and
    the intercept not penalised. Coefficients are reported in the columns' own units.

    Args:
        data: a path (CSV, gzip or not, Parquet, Arrow IPC), a list of paths, a folder or a glob; a pandas or
            polars DataFrame; a pyarrow Table, RecordBatchReader or Dataset.
        target: the column to predict; it has two values.
        positive: the target's value whose probability is modelled; by default the greater in sorted order.
        features: columns to predict from; by default all others.
        drop: columns to leave out.
        categorical: columns to read as levels whatever their type.
        weights: a column of row weights.
        C: inverse strength of the penalty; `float("inf")` for none, which also makes the first level of each
            categorical column the reference, as in R.
        solver: "auto", "newton", "sampled-newton", "newton-cg", "lbfgs" or "gradient-descent"; see
            `zeroloop.fit.choose_solver`.
        tol: stop at `max |gradient of the mean objective| <= tol`, for columns scaled to unit variance.
        max_iter: most iterations; None for the solver's own limit.
        learning_rate: of gradient descent.
        missing: "impute" (numbers: the mean, and a term that says so; levels: one of their own), "drop"
            (complete rows only, in every column that is not in `drop`, as R's `na.omit`) or "error".
        test_fraction: share of the rows held out for honest scores, chosen by a hash of the row's index.
        seed: of that hash, and of the rows that sampled-newton samples.
        threads: None for every core. Any number gives the same bits.
        progress: told how the work goes on.

    Raises:
        DataError: for data that cannot be used as asked, naming file, column, row or value.
        OptionError: for an option out of its range.

    Warns:
        ZeroloopWarning: for each column left out.
        NotConvergedWarning: when the solver stopped before the optimum.

    """
    options = Options(C, solver, tol, max_iter, learning_rate)
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
    clock = _Clock()
    batches = _read(table, roles, progress)
    clock.lap("read")
    progress("encoding", 0)
    scanned = _scan(batches, roles, n_threads)
    schema = learn_schema(scanned, roles, None if positive is None else str(positive), reference=math.isinf(C))
    for column in schema.left_out:
        warnings.warn(f"Column {column.name!r} is left out: {column.reason}.", ZeroloopWarning, stacklevel=2)
    training, held_out = _encode(batches, schema, roles, n_threads)
    del batches
    clock.lap("encode")
    result = fit(
        training,
        options,
        centre=schema.centre,
        scale=schema.scale,
        penalty_unit=schema.scale,
        seed=seed,
        on_pass=lambda passes, evaluation: progress(_state(evaluation), passes),
    )
    clock.lap("fit")
    if not result.solution.converged:
        warnings.warn(result.not_converged(tol), NotConvergedWarning, stacklevel=2)
    return Model(
        schema,
        result.coef,
        _record(scanned, result, options, roles, table.name, clock.seconds),
        _held_out(held_out, result),
    )


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


def _held_out(source: MemorySource, result: Fit) -> dict[str, Any] | None:
    def gathered(name: str) -> Any:
        return np.concatenate([getattr(block, name) for block in source.blocks])

    if source.n_rows == 0:
        return None
    centre = np.zeros(source.blocks[0].numeric.shape[0])
    z = source.concatenate(
        partial(statistics(source.n_rows, source.n_coefs).predictor, coef=result.coef, centre=centre)
    )
    weight = None if source.blocks[0].weight is None else gathered("weight")
    if weight is not None and not np.sum(weight) > 0:
        return None
    return held_out_scores(gathered("y").astype(np.float64), z, weight, result.base_rate)


def _record(
    scanned: Scan, result: Fit, options: Options, roles: Roles, name: str, seconds: dict[str, float]
) -> Training:
    solution = result.solution
    return Training(
        rows=scanned.n_training,
        held_out_rows=scanned.n_held_out,
        dropped_no_target=scanned.n_no_target,
        dropped_incomplete=scanned.n_incomplete,
        C=float(options.C),
        solver=result.solver,
        tol=options.tol,
        max_iter=options.max_iter or MAX_ITER[result.solver],
        learning_rate=options.learning_rate,
        test_fraction=roles.test_fraction,
        seed=roles.seed,
        passes=result.passes,
        n_iter=solution.n_iter,
        converged=solution.converged,
        outcome=solution.outcome.value,
        loss=solution.last.loss,
        objective=solution.last.value,
        gradient_norm=solution.last.gradient_norm,
        base_rate=result.base_rate,
        seconds=seconds,
        data=name,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("zeroloop"),
    )


def _state(evaluation: Evaluation) -> str:
    return f"fitting, max |gradient| {evaluation.gradient_norm:.0e}, pass"


@dataclass(slots=True)
class _Clock:
    """Seconds between laps, by name."""

    last: float
    seconds: dict[str, float]

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.seconds = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self.last
        self.last = now
