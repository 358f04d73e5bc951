"""Average marginal effects: what a change of a column does to the probability, on average over rows.

Of a column of numbers it is the derivative, of a level the change from the column's first level, each at every row's
own values of the other columns; standard errors by the delta method. R's `margins`, Stata's `margins, dydx(*)`.

Source: Williams, "Using the margins command to estimate and interpret adjusted predictions and marginal effects", Stata
Journal, 2012.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.again import is_same, prepare_again
from zeroloop.algebra import dot, matmul
from zeroloop.blocks import Block, FloatArray
from zeroloop.csv_options import AS_FOUND, CsvOptions
from zeroloop.errors import DataError, OptionError
from zeroloop.estimates import Estimates, State, own_units, reach_of, relative, two_sided
from zeroloop.figures import Figures
from zeroloop.inference.statistics import weighted_columns, weights_of
from zeroloop.kernels import statistics
from zeroloop.kernels.forms import predictors
from zeroloop.model import Model
from zeroloop.resources import Resources
from zeroloop.scored import total_over
from zeroloop.scored_rows import Scored
from zeroloop.tables.read import TableLike
from zeroloop.tables.schema import Categorical, Schema

UNDECIDED = 1e-7  # of an effect's largest slope: what rounding leaves of none


@dataclass(frozen=True, slots=True)
class Change:
    """A column of levels and what each of them is coded as.

    Attributes:
        column: the column.
        row: of its codes in a block.
        codes: the coefficient of each level, first the one that changes are from; `n_coefs` for one that has none.
        terms: the names of the levels but that first one.

    """

    column: Categorical
    row: int
    codes: tuple[int, ...]
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSums:
    """Sums over rows; addable. K classes, all but the first meant.

    Attributes:
        weight: of the rows.
        slopes: `(K - 1, K - 1)`, derivative of each probability in each predictor.
        slope_gradients: `(K - 1, K - 1, K - 1, n_coefs)`, theirs in the coefficients of each predictor.
        levels: `(n_levels, K - 1)`, each probability with each level of each column of levels.
        level_gradients: `(n_levels, K - 1, K - 1, n_coefs)`, theirs.

    """

    weight: float
    slopes: FloatArray
    slope_gradients: FloatArray
    levels: FloatArray
    level_gradients: FloatArray

    def __add__(self, other: Self) -> EffectSums:
        return EffectSums(
            weight=self.weight + other.weight,
            slopes=self.slopes + other.slopes,
            slope_gradients=self.slope_gradients + other.slope_gradients,
            levels=self.levels + other.levels,
            level_gradients=self.level_gradients + other.level_gradients,
        )


def marginal_effects(
    model: Model,
    data: TableLike | None = None,
    level: float = 0.95,
    scheduler: Any = None,
    csv: CsvOptions = AS_FOUND,
) -> Figures:
    """Return the average marginal effect of each column on the probability of each class; of two, of the second.

    Over the classes the effects of a column sum to zero. A column made of others, a square or a product, is one like
    any other: its effect is that of a change of it alone, where Stata's `margins` would change what it is made of.

    Where the likelihood has no maximum, an effect of a column without a finite estimate has no figures, nor has one
    that such a column's coefficient would change.

    The columns of the result: `class` (with more than two), `term`, `change` ("derivative", or the level that it is
    from), `effect`, `std_err`, `z`, `p`, `ci_lower`, `ci_upper`.

    Args:
        model: an unpenalised one.
        data: rows to average over; None for the training rows of what `zeroloop.train` was given. The table that the
            model was trained on stands for its training rows, with their weights; of another all rows count alike.
        level: confidence of the intervals.
        scheduler: of a Dask cluster whose workers read the rows; see `zeroloop.train`.
        csv: how CSV files are written; what it leaves open is as it was said in training.

    Raises:
        OptionError: for a model without standard errors; without data where none are known.
        DataError: for a column that is missing or of another type.

    """
    estimates, schema = model.needed_estimates(), model.schema
    if not 0 < level < 1:
        raise OptionError(f"level is {level}; it must be between 0 and 1, such as 0.95.")
    changes = _changes(schema)
    sums = partial(_effect_sums, coef=relative(model.coef), changes=changes, several=len(model.coef) > 1)
    total = _total(model, data, sums, Resources(scheduler=scheduler, csv=csv))
    covariance = own_units(estimates.covariance, schema.centre, schema.scale)
    rows = [*_derivatives(schema, relative(model.coef), total), *_differences(changes, total)]
    if len(model.coef) > 1:
        rows = [_with_first_class(row) for row in rows]
    return Figures(_table(model, rows, covariance, level))


def _total(model: Model, data: TableLike | None, sums: Any, resources: Resources) -> EffectSums:
    try:
        table = prepare_again(model, data, resources)
    except (DataError, OptionError):
        if data is None:
            raise
        table = None  # rows to predict from: without a target, say
    if table is not None and (data is None or is_same(model, table)):
        of_training: EffectSums = table.training.reduce(sums)
        return of_training
    of_scored = partial(_of_known, sums=sums)
    found: EffectSums | None = total_over(model, data, of_scored, labelled=False, resources=resources)
    if found is None:
        raise DataError("No row of the data has a value in every column; there is nothing to average over.")
    return found


def _of_known(scored: Scored, sums: Callable[[Block], EffectSums]) -> EffectSums | None:
    block = scored.encoded.block.take(np.flatnonzero(scored.known))
    return sums(block) if block.n_rows else None


def _changes(schema: Schema) -> list[Change]:
    first = schema.n_coefs - sum(column.n_terms for column in schema.categorical)
    changes = []
    for row, column in enumerate(schema.categorical):
        codes = tuple(range(first, first + column.n_terms))
        codes = (schema.n_coefs, *codes) if column.reference else codes
        changes.append(Change(column, row, codes, column.terms[len(column.terms) - len(codes) + 1 :]))
        first += column.n_terms
    return changes


def _probabilities(z: FloatArray, several: bool) -> FloatArray:
    """Return the probability of each class but the first, `(K - 1, rows)`, of predictors relative to the first."""
    shares = statistics.probabilities(np.concatenate([np.zeros_like(z[:1]), z]) if several else z[0])
    return np.asarray(shares[1:])


def _effect_sums(block: Block, coef: FloatArray, changes: list[Change], several: bool) -> EffectSums:
    n, k = block.n_coefs, len(coef)
    zero = np.zeros(len(block.numeric))
    weight = weights_of(block)
    z = predictors(block, coef, zero)
    p = _probabilities(z, several)
    same = np.eye(k)
    slopes, slope_gradients = np.zeros((k, k)), np.zeros((k, k, k, n))
    for a in range(k):
        for m in range(k):
            slopes[a, m] = np.sum(weight * p[a] * (same[a, m] - p[m]))
            for b in range(k):
                bend = p[a] * ((same[a, b] - p[b]) * (same[a, m] - p[m]) - p[m] * (same[m, b] - p[b]))
                slope_gradients[a, m, b] = weighted_columns(block, weight * bend, zero)
    n_levels = sum(len(change.codes) for change in changes)
    levels, level_gradients = np.zeros((n_levels, k)), np.zeros((n_levels, k, k, n))
    extended = np.append(coef, np.zeros((k, 1)), axis=1)
    at = 0
    for change in changes:
        without = z - extended[:, block.codes[change.row]]
        for code in change.codes:
            codes = block.codes.copy()
            codes[change.row] = code
            moved = replace(block, codes=codes)
            share = _probabilities(without + extended[:, code : code + 1], several)
            levels[at] = matmul(share, weight)
            for a in range(k):
                for b in range(k):
                    slope = weight * share[a] * (same[a, b] - share[b])
                    level_gradients[at, a, b] = weighted_columns(moved, slope, zero)
            at += 1
    return EffectSums(
        weight=float(np.sum(weight)),
        slopes=slopes,
        slope_gradients=slope_gradients,
        levels=levels,
        level_gradients=level_gradients,
    )


@dataclass(frozen=True, slots=True)
class _Effect:
    """The effect of a term on some classes `(n,)`, and its gradient in the coefficients `(n, K - 1, n_coefs)`."""

    term: str
    change: str
    effect: FloatArray
    gradient: FloatArray


def _derivatives(schema: Schema, coef: FloatArray, total: EffectSums) -> Iterator[_Effect]:
    first_level = 1 + len(schema.numeric) + schema.n_sparse
    for j in range(1, first_level):
        if schema.terms[j] == schema.offset:
            continue
        effect = matmul(total.slopes, coef[:, j]) / total.weight
        gradient = np.sum(coef[:, j, np.newaxis, np.newaxis] * total.slope_gradients, axis=1) / total.weight
        gradient[:, :, j] += total.slopes / total.weight
        yield _Effect(schema.terms[j], "derivative", effect, gradient)


def _differences(changes: list[Change], total: EffectSums) -> Iterator[_Effect]:
    at = 0
    for change in changes:
        column = change.column
        for i, term in enumerate(change.terms, start=1):
            yield _Effect(
                term,
                f"from {column.levels[0]}",
                (total.levels[at + i] - total.levels[at]) / total.weight,
                (total.level_gradients[at + i] - total.level_gradients[at]) / total.weight,
            )
        at += len(change.codes)


def _with_first_class(row: _Effect) -> _Effect:
    """Return the effect on all classes, given that on each but the first: probabilities sum to one."""
    effect = np.append(-np.sum(row.effect), row.effect)
    gradient = np.concatenate([-np.sum(row.gradient, axis=0, keepdims=True), row.gradient])
    return _Effect(row.term, row.change, effect, gradient)


def _table(model: Model, rows: list[_Effect], covariance: FloatArray, level: float) -> pa.Table:
    classes = model.schema.target.levels
    n_classes = len(model.coef)
    effect = np.array([row.effect[k] for k in range(n_classes) for row in rows])
    gradients = [row.gradient[k].ravel() for k in range(n_classes) for row in rows]
    error = np.array([_error(gradient, covariance) for gradient in gradients])
    error[error == 0] = np.nan  # of a column that repeats others
    estimates = model.needed_estimates()
    if estimates.separation is not None:
        without = _without_estimates(model.schema, estimates)
        none = np.array([row.term in without for row in rows] * n_classes)
        none |= _undecided(np.array(gradients), model.schema, estimates)
        effect[none], error[none] = np.nan, np.nan
    df = estimates.degrees_of_freedom
    reach = reach_of(level, df) * error
    z = effect / error
    figures = {"std_err": error, "z": z, "p": two_sided(z, df), "ci_lower": effect - reach, "ci_upper": effect + reach}
    named = {"class": [one for one in classes for _ in rows]} if n_classes > 1 else {}
    columns: dict[str, Any] = named | {
        "term": [row.term for row in rows] * n_classes,
        "change": [row.change for row in rows] * n_classes,
        "effect": pa.array(effect, mask=np.isnan(effect)),
    }
    return pa.table(columns | {name: pa.array(figure, mask=np.isnan(figure)) for name, figure in figures.items()})


def _error(gradient: FloatArray, covariance: FloatArray) -> float:
    used = np.flatnonzero(gradient)
    return math.sqrt(dot(gradient[used], matmul(covariance[np.ix_(used, used)], gradient[used])))


def _without_estimates(schema: Schema, estimates: Estimates) -> set[str]:
    """Return the terms that have no finite estimate in some class."""
    return {
        term
        for term, state in zip(schema.terms * estimates.n_outputs, estimates.states, strict=True)
        if state == State.NO_MAXIMUM
    }


def _undecided(gradients: FloatArray, schema: Schema, estimates: Estimates) -> NDArray[np.bool_]:
    """Return which effects change in a direction in which the rows say nothing, given their gradients `(k, n)`."""
    assert estimates.separation is not None
    scale = np.tile(schema.scale, estimates.n_outputs)
    directions = estimates.separation.directions()
    directions = directions / np.max(np.abs(directions) * scale, axis=1, keepdims=True)
    slopes = np.max(np.abs(matmul(gradients, directions.T)), axis=1)
    return np.asarray(slopes > UNDECIDED * np.max(np.abs(gradients) / scale, axis=1))
