"""An unpenalised fit with all that is known of its coefficients: what `zeroloop.train` does where C is infinite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import log, matmul
from zeroloop.blocks import FloatArray, TableSource
from zeroloop.choices import COVARIANCES, METHODS, WEIGHT_TYPES, check_choice
from zeroloop.errors import DataError, OptionError
from zeroloop.estimates import ColumnsTest, Estimates, State
from zeroloop.fit import Fit, OnPass, Options, Shape, fit, objective_of, plain_shape
from zeroloop.inference.aliasing import Aliased, Columns
from zeroloop.inference.basis import Basis, look
from zeroloop.inference.covariance import (
    Counts,
    correction,
    number_of_clusters,
    scores_squared,
)
from zeroloop.inference.firth import firth
from zeroloop.inference.limit import Limit, settle, settled_at
from zeroloop.inference.statistics import row_totals
from zeroloop.inference.tests import check_columns, likelihood_ratio, wald
from zeroloop.inference.unpenalised import Checked, check
from zeroloop.inference.verdict import verdict
from zeroloop.labels import Labels
from zeroloop.objective import Evaluation, Lowest, Objective, Outcome, Solution, Units
from zeroloop.plain_text import number_of
from zeroloop.tables.schema import Schema

NOT_CONVERGED = "the fit is not converged"
NEARLY_REPEAT = "columns nearly repeat others, beyond what float64 sums can tell apart; drop some of them"
MOST_COEFS = 5_000  # of all outputs: their covariance is 200 MB
UNPROVED = (
    "whether the likelihood has a maximum could not be decided: rounding is larger than what would decide it; give "
    "columns of like size, or use method='firth'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of inference; checked when made.

    Attributes:
        method: "ml" or "firth".
        covariance: "model", "hc0" or "hc1".
        clustered: whether rows have clusters.
        weights: what weights mean, "frequency" or "sampling"; None without weights.
        tests: the columns of each test.
        degrees_of_freedom: "normal" for z, "clusters" for Student's t with as many as there are clusters, less one, or
            sampled rows, less one; or a number of them.

    Raises:
        OptionError: for a value out of its range.

    """

    method: str = "ml"
    covariance: str = "model"
    clustered: bool = False
    weights: str | None = None
    tests: tuple[tuple[str, ...], ...] = ()
    degrees_of_freedom: str | float = "normal"

    def __post_init__(self) -> None:
        for option, value, values in (
            ("method", self.method, METHODS),
            ("covariance", self.covariance, COVARIANCES),
            ("weight_type", WEIGHT_TYPES[0] if self.weights is None else self.weights, WEIGHT_TYPES),
        ):
            check_choice(option, value, values)
        df = self.degrees_of_freedom
        number = not isinstance(df, str | bool) and isinstance(df, SupportsFloat) and float(df) > 0
        if df not in ("normal", "clusters") and not number:
            raise OptionError(
                f"degrees_of_freedom is {df!r}; it must be 'normal', 'clusters' or a number above 0, such as 11."
            )
        if df == "clusters" and not self.clustered and self.weights != "sampling":
            raise OptionError(
                "degrees_of_freedom is 'clusters', but rows have neither clusters nor sampling weights: name the "
                "cluster column, or leave degrees_of_freedom out."
            )

    def of_t(self, n_clusters: int | None, n_rows: float) -> float | None:
        """Return the degrees of freedom of Student's t; None for the normal."""
        if self.degrees_of_freedom == "normal":
            return None
        if self.degrees_of_freedom == "clusters":
            return (n_rows if n_clusters is None else n_clusters) - 1
        df = float(self.degrees_of_freedom)
        return None if math.isinf(df) else df

    @property
    def kind(self) -> str:
        """The covariance that is made: with clusters or sampling weights the model's would be wrong."""
        robust = self.clustered or self.weights == "sampling"
        return "hc0" if robust and self.covariance == "model" else self.covariance


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What is fitted.

    Attributes:
        source: the rows.
        schema: of their columns.
        labels: of the rows.
        units: of the columns.
        shape: of a penalty that there is none of.
        seed: of the rows that are sampled.
        on_pass: told of each pass.
        on_other_pass: told of the passes of further fits: those that tests and the likelihood of nothing need.

    """

    source: TableSource
    schema: Schema
    labels: Labels
    units: Units
    shape: Shape
    seed: int
    on_pass: OnPass | None
    on_other_pass: OnPass | None = None

    def of_other_fits(self) -> Rows:
        """Return the same rows for a further fit."""
        return replace(self, on_pass=self.on_other_pass)

    def that_remain(self, source: TableSource, share: float) -> Rows:
        """Return those of the rows that are not told without doubt; their passes are told of as passes over all."""

        def on_pass(passes: int, evaluation: Evaluation, lowest: Lowest) -> None:
            assert self.on_pass is not None
            self.on_pass(passes, evaluation.of_part(share), lowest)

        return replace(self, source=source, on_pass=None if self.on_pass is None else on_pass)

    def fit(self, options: Options, held: FloatArray | None) -> Fit:
        """Return the fit of the coefficients that are not held."""
        return fit(
            self.source,
            options,
            units=self.units,
            shape=self.shape,
            classes=self.schema.target.levels,
            seed=self.seed,
            on_pass=self.on_pass,
            labels=self.labels,
            held=held,
        )

    def fit_checked(self, options: Options, held: FloatArray | None) -> Checked:
        """Return the fit, and whether it has an optimum."""
        found = self.fit(options, held)
        if options.max_passes is not None:
            return Checked(fit=found, separated=False)
        return check(self.source, found, options, units=self.units, shape=self.shape, held=held)

    def objective(self, options: Options, held: FloatArray) -> Objective:
        """Return the objective of the coefficients that are not held."""
        return objective_of(self.source, self.labels, options, self.units, self.shape, True, held, self.on_pass)


def why_none(options: Options, bounded: bool, n_coefs: int, n_outputs: int) -> str | None:
    """Return why such a fit has no standard errors; None where it has."""
    if not math.isinf(options.C):
        return (
            f"the fit is penalised (C = {options.C:.4g}): its coefficients are pulled towards zero on purpose, so that "
            "standard errors and p-values would not mean what they say; train with C = inf for them"
        )
    if bounded:
        return "coefficients are bounded; leave out the bounds"
    if options.multi_class == "ovr" and n_outputs > 1:
        return "each class has a fit of its own against the rest; use the multinomial model"
    if options.max_passes is not None:
        return "the fit was cut short by max_passes; leave it out"
    if options.solver == "gradient-descent":
        return "gradient descent stops short of the optimum; use another solver"
    n = n_coefs * max(n_outputs - 1, 1)
    if n > MOST_COEFS:
        return f"there are {number_of(n, 'coefficient')}, and the covariance of more than {MOST_COEFS:,} is not held"
    return None


@dataclass(frozen=True, slots=True)
class Estimated:
    """A fit, and what is known of its coefficients; `estimates` is None, with the reason, where that is nothing."""

    fit: Fit
    estimates: Estimates | None
    reason: str | None


def estimate(rows: Rows, options: Options, asked: Asked) -> Estimated:
    """Fit by maximum likelihood, or Firth's method, and estimate the coefficients' covariance.

    Columns that repeat others are left out of the fit, their coefficients held at 0. Coefficients that have no finite
    estimate are told from those that have one, which are right whatever the others do.

    Raises:
        OptionError: for a test of a column that makes no terms, or Firth's method with several classes.

    """
    schema = rows.schema
    _check(rows, asked)
    held = np.full(rows.source.n_coefs, np.nan) if schema.held is None else schema.held
    found = _maximum(rows, options, held, asked.method)
    known = _with_estimates(found, rows.source, options, asked)
    fitted = replace(found.fit, coef=found.basis.coef(found.fit.coef))
    if known.estimates is None:
        return replace(known, fit=fitted)
    estimates = found.basis.estimates(known.estimates)
    tests = tuple(without_columns(rows, options, estimates, fitted.coef, found.held, names) for names in asked.tests)
    return Estimated(fitted, replace(estimates, tests=tests), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maximum:
    """Where a likelihood is greatest.

    Attributes:
        rows: in the basis.
        basis: in which columns were told apart.
        columns: what they are.
        held: what was held, repeats among them.
        objective: of the coefficients that were not.
        fit: in the basis.
        limit: where the likelihood goes: to its maximum, or its supremum.
        totals: of the rows, see `row_totals`.

    """

    rows: Rows
    basis: Basis
    columns: Columns
    held: FloatArray
    objective: Objective
    fit: Fit
    limit: Limit
    totals: FloatArray


def _maximum(rows: Rows, options: Options, held: FloatArray, method: str = "ml") -> _Maximum:
    looked = look(rows.source, rows.units, held)
    rows = replace(rows, source=looked.source, units=looked.units, shape=plain_shape(looked.units.scale))
    held = held.copy()
    held[[one.at for one in looked.columns.aliased]] = 0.0
    objective = rows.objective(options, held)
    totals = rows.source.reduce(row_totals)
    if method == "firth":
        fitted, limit = _by_firth(rows, objective, totals)
    else:
        fitted = rows.fit(options, held)
        limit = settle(
            rows.source,
            lambda source, share: rows.that_remain(source, share).objective(options, held),
            centre=rows.units.centre,
            unit=1 / rows.units.scale,
            squares=looked.columns.squares,
            totals=totals,
            theta=objective.theta(fitted.coef),
        )
        before = fitted.solutions[0]
        outcome = Outcome.CONVERGED if limit.settled else before.outcome
        at = limit.at.at.of_part(limit.weight / float(totals[1]))
        solution = Solution(limit.theta, at, before.n_iter, outcome)
        passes = fitted.passes + limit.passes
        fitted = replace(fitted, coef=objective.coef(limit.theta), solutions=(solution,), passes=passes)
    fitted = replace(fitted, passes=fitted.passes + looked.passes)
    return _Maximum(
        rows=rows,
        basis=looked.basis,
        columns=looked.columns,
        held=held,
        objective=objective,
        fit=fitted,
        limit=limit,
        totals=totals,
    )


def _by_firth(rows: Rows, objective: Objective, totals: FloatArray) -> tuple[Fit, Limit]:
    start = objective.theta(rows.labels.start(rows.source.n_coefs, fit_intercept=True))
    solution = firth(rows.source, objective, rows.units, start, rows.labels.total)
    if solution is None:
        solution = Solution(start, objective(start, order=2), 0, Outcome.STUCK)
    # Each pass of the objective, but the last, has one for the leverages beside it.
    found = Fit(
        coef=objective.coef(solution.theta),
        solver="firth",
        solutions=(solution,),
        passes=2 * objective.passes,
        labels=rows.labels,
    )
    return found, settled_at(rows.source, objective, solution, rows.units, float(totals[1]))


def _check(rows: Rows, asked: Asked) -> None:
    schema = rows.schema
    if asked.method == "firth" and schema.target.n_outputs > 1:
        n_classes = len(schema.target.levels)
        raise OptionError(f"method is 'firth', which is for two classes; the target has {n_classes}.")
    for names in asked.tests:
        check_columns(names, schema)
    if schema.offset is not None and schema.target.n_outputs > 1:
        n_classes = len(schema.target.levels)
        raise DataError(f"The target {schema.target.name!r} has {n_classes} classes, and an offset is for two.")


def _with_estimates(maximum: _Maximum, original: TableSource, options: Options, asked: Asked) -> Estimated:
    """Return the fit with its estimates, both in the maximum's basis, but for tests; `original`: the rows, in none."""
    rows, columns, held, found = maximum.rows, maximum.columns, maximum.held, maximum.fit
    objective, limit = maximum.objective, maximum.limit
    if not limit.sure:
        return Estimated(found, None, UNPROVED)
    if not limit.settled:  # a small gradient may be all that rounding leaves of an optimum
        return Estimated(found, None, NEARLY_REPEAT if found.converged else NOT_CONVERGED)
    if limit.inverse is None:
        return Estimated(found, None, NEARLY_REPEAT)
    n_outputs = max(objective.n_outputs - 1, 1)
    free = np.flatnonzero(np.isnan(held))
    # Of each parameter, output after output: its place among all coefficients.
    place = (np.arange(n_outputs)[:, np.newaxis] * held.size + free).ravel()
    states = np.full(n_outputs * held.size, State.OFFSET, dtype=object)
    states[place] = State.ESTIMATED
    for one in columns.aliased:
        states[one.at :: held.size] = State.ALIASED
    separation, used, inverted = None, limit.kept, limit.inverse
    if limit.is_separated:
        separation, none = verdict(limit, maximum.basis, original, rows.schema)
        states[none & (states == State.ESTIMATED)] = State.NO_MAXIMUM
    counts = Counts(float(maximum.totals[0]), float(maximum.totals[1]))
    n_estimated = int(place.size)
    covariance = inverted.matrix
    n_clusters = number_of_clusters(rows.source) if asked.clustered else None
    sampling = asked.weights == "sampling"
    if asked.kind != "model":
        coef = objective.about_centre(limit.theta)
        square = scores_squared(limit.source, coef, rows.units.centre, sampling=sampling, n_clusters=n_clusters)
        unit = np.tile(1 / rows.units.scale, n_outputs)[place[used]]
        square = square[np.ix_(place[used], place[used])] * unit[:, np.newaxis] * unit
        factor = correction(asked.kind, counts, n_estimated, sampling, n_clusters)
        covariance = matmul(matmul(covariance, square), covariance) * factor
        covariance = (covariance + covariance.T) / 2
    whole = np.zeros((states.size, states.size))
    whole[np.ix_(place[used], place[used])] = covariance
    estimates = Estimates(
        covariance=whole,
        states=tuple(states.tolist()),
        kind=asked.kind,
        n_clusters=n_clusters,
        weights=asked.weights,
        method=asked.method,
        n=counts.rows if sampling or asked.weights is None else counts.total,
        log_likelihood=limit.log_likelihood,
        null_log_likelihood=_null_log_likelihood(rows, options, held),
        condition=inverted.condition,
        n_outputs=n_outputs,
        aliased=tuple(one.in_words(rows.schema.terms) for one in columns.aliased if not _unmet(one, rows.schema)),
        separation=separation,
        degrees_of_freedom=asked.of_t(n_clusters, counts.rows),
    )
    return Estimated(found, estimates, None)


def _unmet(one: Aliased, schema: Schema) -> bool:
    """Return whether a coefficient is of a sparse column's index that no row has: nothing to tell a reader."""
    first = 1 + len(schema.numeric)
    return first <= one.at < first + schema.n_sparse and not np.any(one.on)


def _null_log_likelihood(rows: Rows, options: Options, held: FloatArray) -> float:
    """Return the log-likelihood of the intercept alone, with the offset where there is one."""
    if rows.schema.offset is None:
        weights = rows.labels.weights
        return float(np.sum(weights * log(np.where(weights > 0, weights / rows.labels.total, 1.0))))
    return _log_likelihood(rows, options, _held_at_zero(held, np.arange(1, held.size)))


def _held_at_zero(held: FloatArray, coefs: NDArray[np.intp]) -> FloatArray:
    held = held.copy()
    held[coefs] = np.where(np.isnan(held[coefs]), 0.0, held[coefs])
    return held


def _log_likelihood(rows: Rows, options: Options, held: FloatArray) -> float:
    """Return the maximum with other coefficients held."""
    return _maximum(rows.of_other_fits(), options, held).limit.log_likelihood


def without_columns(
    rows: Rows, options: Options, estimates: Estimates, coef: FloatArray, held: FloatArray, names: Sequence[str]
) -> ColumnsTest:
    """Return the test that some columns' coefficients are all zero, the model fitted again without them.

    Args:
        rows: what was fitted.
        options: how.
        estimates: of the fit.
        coef: `(n_outputs, n_coefs)`, of the fit.
        held: what was held in it.
        names: the columns.

    """
    test = wald(estimates, coef, rows.schema, names)
    if not estimates.compares_likelihoods:
        return test
    columns = np.array(rows.schema.columns_of_terms, dtype=object)
    out = np.flatnonzero(np.isin(columns, rows.schema.made_of(names)))
    without = _log_likelihood(rows, options, _held_at_zero(held, out))
    return likelihood_ratio(test, estimates.log_likelihood, without)
