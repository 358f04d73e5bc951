"""The table front door: files or a frame in, a model out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.errors import NotConvergedWarning, OptionError
from zeroloop.fit import MAX_ITER, Fit, Options, fit
from zeroloop.grid import CrossValidation, Grid, Rule, checked, cross_validate, hashed_folds, spread
from zeroloop.kernels.select import statistics
from zeroloop.model import Model, Training
from zeroloop.objective import Evaluation, Units
from zeroloop.prepared import PreparedTable, Progress, prepare_table, shape_of
from zeroloop.scoring import held_out_scores
from zeroloop.sources.memory import MemorySource
from zeroloop.sources.one_against_rest import as_softmax
from zeroloop.tables.read import TableLike
from zeroloop.tables.schema import Missing

CV_RULES: dict[str, Rule] = {"cv": "min", "cv-1se": "1se"}
CV_FOLDS = 5


def train(
    data: TableLike,
    target: str,
    *,
    positive: Any = None,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    weights: str | None = None,
    C: float | str = 1.0,
    Cs: int | Sequence[float] = 20,
    l1_ratio: float = 0.0,
    multi_class: str = "multinomial",
    penalty_factors: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
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

    The objective is `C * sum(weight * log loss) + l1_ratio ||w||_1 + (1 - l1_ratio) / 2 ||w||^2` with numeric columns
    scaled to unit variance and the intercept not penalised; of more than two classes the loss is that of softmax.
    Coefficients are reported in the columns' own units.

    Args:
        data: a path (CSV, gzip or not, Parquet, Arrow IPC), a list of paths, a folder or a glob; a pandas or
            polars DataFrame; a pyarrow Table, RecordBatchReader or Dataset.
        target: the column to predict, of two or more classes.
        positive: of two classes the one whose probability is modelled; by default the greater in sorted order.
        features: columns to predict from; by default all others.
        drop: columns to leave out.
        categorical: columns to read as levels whatever their type.
        weights: a column of row weights.
        C: inverse strength of the penalty; `float("inf")` for none, which also makes the first level of each
            categorical column the reference, as in R. "cv" chooses it by cross-validation over five folds of the
            training rows, for the least log loss; "cv-1se" takes the strongest penalty within a standard error of it.
        Cs: values of C that "cv" tries, or how many, spread as `zeroloop.logistic_path` does.
        l1_ratio: share of the L1 penalty: 0 is L2 alone, 1 is L1 alone, which leaves terms out.
        multi_class: with more than two classes "multinomial" (softmax) or "ovr" (each against the rest).
        penalty_factors: by column, multiplies its terms' penalty; 0 leaves them unpenalised.
        bounds: by column, (lower, upper) within which its terms' coefficients stay; they include 0.
        solver: "auto", "newton", "sampled-newton", "newton-cg", "lbfgs", "gradient-descent", "proximal-newton" or
            "coordinate-descent"; see `zeroloop.fit.choose_solver`.
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
    rule = CV_RULES.get(C) if isinstance(C, str) else None
    if isinstance(C, str) and rule is None:
        raise OptionError(f"C is {C!r}; it must be a number above 0, or one of {', '.join(CV_RULES)}.")
    options = Options(1.0 if rule else float(C), l1_ratio, solver, tol, max_iter, learning_rate, multi_class)
    table = prepare_table(
        data,
        target,
        positive=positive,
        features=features,
        drop=drop,
        categorical=categorical,
        weights=weights,
        missing=missing,
        test_fraction=test_fraction,
        seed=seed,
        threads=threads,
        reference=math.isinf(options.C),
        progress=progress,
    )
    schema, training, clock = table.schema, table.training, table.clock
    shape = shape_of(schema, penalty_factors or {}, bounds or {})
    units = Units(schema.centre, schema.scale)
    chosen = None
    if rule is not None:
        grid = Grid(options, units, shape, schema.target.levels, seed=seed)
        values = spread(training, grid, Cs) if isinstance(Cs, int) else checked(Cs)
        chosen = _cross_validated(training, grid, values, rule, progress)
        options = replace(options, C=float(chosen.Cs[chosen.chosen]))
        clock.lap("cross-validate")
    result = fit(
        training,
        options,
        units=units,
        shape=shape,
        classes=schema.target.levels,
        seed=seed,
        on_pass=lambda passes, evaluation: progress(_state(evaluation), passes),
    )
    clock.lap("fit")
    if not result.converged:
        warnings.warn(result.not_converged(tol), NotConvergedWarning, stacklevel=2)
    asked = {
        "penalty_factors": dict(penalty_factors or {}),
        "bounds": {name: list(ends) for name, ends in (bounds or {}).items()},
        "cross_validation": None if chosen is None else chosen.record(),
    }
    return Model(
        schema,
        result.coef,
        _record(table, result, options, asked),
        _held_out(table.held_out, result, multi_class),
    )


def _cross_validated(
    training: MemorySource, grid: Grid, Cs: FloatArray, rule: Rule, progress: Progress
) -> CrossValidation:
    fold_of = partial(hashed_folds, n_folds=CV_FOLDS, seed=grid.seed + 1)
    return cross_validate(
        training, grid, Cs, fold_of, CV_FOLDS, rule, lambda done: progress("cross-validating, fit", done)
    )


def _held_out(source: MemorySource, result: Fit, multi_class: str) -> dict[str, Any] | None:
    def gathered(name: str) -> Any:
        return np.concatenate([getattr(block, name) for block in source.blocks])

    if source.n_rows == 0:
        return None
    centre = np.zeros(source.blocks[0].numeric.shape[0])
    lines = (len(result.coef),) if len(result.coef) > 1 else ()
    z = source.concatenate(
        partial(statistics(source.n_rows, source.n_coefs).predictor, coef=result.coef, centre=centre), lines
    )
    if lines and multi_class == "ovr":
        z = as_softmax(z)
    weight = None if source.blocks[0].weight is None else gathered("weight")
    if weight is not None and not np.sum(weight) > 0:
        return None
    return held_out_scores(gathered("y").astype(np.float64), z, weight, result.labels.shares.tolist())


def _record(table: PreparedTable, result: Fit, options: Options, asked: dict[str, Any]) -> Training:
    scanned, roles = table.scanned, table.roles
    return Training(
        rows=scanned.n_training,
        held_out_rows=scanned.n_held_out,
        dropped_no_target=scanned.n_no_target,
        dropped_incomplete=scanned.n_incomplete,
        C=float(options.C),
        l1_ratio=float(options.l1_ratio),
        multi_class=options.multi_class,
        solver=result.solver,
        tol=options.tol,
        max_iter=options.max_iter or MAX_ITER[result.solver],
        learning_rate=options.learning_rate,
        test_fraction=roles.test_fraction,
        seed=roles.seed,
        passes=result.passes,
        n_iter=list(result.n_iter),
        converged=result.converged,
        outcome=result.worst.outcome.value,
        loss=result.loss,
        objective=result.value,
        gradient_norm=result.worst.last.gradient_norm,
        shares=result.labels.shares.tolist(),
        seconds=table.clock.seconds,
        data=table.name,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("zeroloop"),
        **asked,
    )


def _state(evaluation: Evaluation) -> str:
    return f"fitting, max |gradient| {evaluation.gradient_norm:.0e}, pass"
