"""Tests of columns: are all their coefficients zero? By the covariance (Wald), or by the fit without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zeroloop.algebra import dot, matmul
from zeroloop.blocks import FloatArray
from zeroloop.choices import nearest
from zeroloop.errors import OptionError
from zeroloop.estimates import ColumnsTest, Estimates, State, chi_squared, relative, wald_p
from zeroloop.inference.information import inverse
from zeroloop.tables.schema import Schema


def check_columns(names: Sequence[str], schema: Schema) -> None:
    """Raise OptionError unless all names are those of columns that make terms."""
    known = [name for name in schema.features if name != schema.offset]
    for name in names:
        if name not in (*known, *schema.parts):
            raise OptionError(f"test: {name!r} is no column that makes terms{nearest(name, known, 'these do:')}")


def wald(estimates: Estimates, coef: FloatArray, schema: Schema, names: Sequence[str]) -> ColumnsTest:
    """Return the Wald test of some columns together.

    Args:
        estimates: of the coefficients.
        coef: `(n_outputs, n_coefs)`.
        schema: of the columns.
        names: which columns.

    Raises:
        OptionError: for a column that makes no terms.

    """
    check_columns(names, schema)
    n_outputs = len(estimates.states) // schema.n_coefs
    columns = np.tile(np.array(schema.columns_of_terms, dtype=object), n_outputs)
    states = np.array(estimates.states, dtype=object)
    mine = np.isin(columns, schema.made_of(names)) & np.isin(states, [State.ESTIMATED, State.NO_MAXIMUM])
    at = np.flatnonzero(mine)
    statistic = float("nan")
    # The scores of G clusters sum to zero, so that their covariance has a rank of at most G - 1.
    independent = estimates.n_independent
    if np.all(states[at] == State.ESTIMATED) and (independent is None or at.size < independent):
        theta = (relative(coef) * schema.scale).ravel()[at]
        found = inverse(estimates.covariance[np.ix_(at, at)])
        statistic = dot(theta, matmul(found.matrix, theta)) if found is not None else statistic
    df = estimates.degrees_of_freedom
    p = wald_p(statistic, int(at.size), df)
    return ColumnsTest(columns=tuple(names), df=int(at.size), wald=statistic, wald_p=p, wald_df=df)


def likelihood_ratio(test: ColumnsTest, log_likelihood: float, without: float) -> ColumnsTest:
    """Return the test with the likelihood ratio added, given the log-likelihoods with and without the columns."""
    statistic = max(2 * (log_likelihood - without), 0.0)
    return replace(test, likelihood_ratio=statistic, likelihood_ratio_p=chi_squared(statistic, test.df))
