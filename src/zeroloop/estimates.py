"""What is known of an unpenalised fit's coefficients beside their values: figures only, as a model keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from zeroloop.algebra import dot, eigh, matmul
from zeroloop.blocks import FloatArray

BLUR = 1e-3  # of a linear predictor: a quarter of it is a probability's
MOST_NAMED = 5


class State(StrEnum):
    """Why a coefficient has no standard error."""

    ESTIMATED = "estimated"
    ALIASED = "aliased"
    NO_MAXIMUM = "no finite estimate"
    OFFSET = "offset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """That the likelihood has no maximum.

    Attributes:
        kind: "complete" (every row is predicted without doubt), "quasi-complete" (some are) or "suspected" (the
            coefficients kept growing, but no direction was proved).
        causes: in words, the columns or levels, and towards which class.
        direction: `(n,)`, in which the coefficients grow, in the columns' own units.
        undecided: directions in which the rows that are not predicted without doubt say nothing, as indices and values;
            a combination of coefficients has an estimate where it is 0 along each. Empty of "complete": none has one.
        signs: `(n,)`, towards which infinity each coefficient goes: 1, -1, or 0 where it has an estimate, or where
            sequences of ever greater likelihood may take it anywhere.

    """

    kind: str
    causes: tuple[str, ...]
    direction: tuple[float, ...]
    undecided: tuple[tuple[tuple[int, ...], tuple[float, ...]], ...] = ()
    signs: tuple[int, ...] = ()

    def signs_of(self, states: Sequence[State | None]) -> list[int]:
        """Return the signs; of a model file that has none, those of its direction."""
        signs = self.signs or np.sign(self.direction)
        return [int(sign) * (state == State.NO_MAXIMUM) for sign, state in zip(signs, states, strict=True)]

    def directions(self) -> FloatArray:
        """Return the directions in which the rows say nothing, `(k, n)`, in the columns' own units."""
        n = len(self.direction)
        if self.kind == "complete":
            return np.eye(n)
        found = np.zeros((len(self.undecided), n))
        for row, (at, values) in zip(found, self.undecided, strict=True):
            row[list(at)] = values
        return np.vstack([found, self.direction])

    def in_words(self) -> str:
        """Say what it means and what to do."""
        proved = {
            "complete": "every row is predicted without doubt (complete separation)",
            "quasi-complete": "some rows are predicted without doubt (quasi-complete separation)",
            "suspected": "coefficients keep growing (separation is likely, but not proved)",
        }[self.kind]
        return (
            f"The likelihood has no maximum: {proved}, because {'; '.join(self.causes)}. These coefficients have no "
            "finite estimate; for finite ones use a finite C, or method='firth'."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnsTest:
    """A test that the coefficients of some columns are all zero.

    Attributes:
        columns: which.
        df: how many coefficients.
        wald: the Wald statistic; NaN where some of them have no standard error.
        wald_p: its p-value.
        likelihood_ratio: twice the difference of the log-likelihoods; None where the model without the columns was
            not fitted, or the likelihood is none.
        likelihood_ratio_p: its p-value.
        wald_df: degrees of freedom of the denominator, where `wald_p` is that of the F statistic `wald / df`; None
            where it is that of chi-squared.

    """

    columns: tuple[str, ...]
    df: int
    wald: float
    wald_p: float
    likelihood_ratio: float | None = None
    likelihood_ratio_p: float | None = None
    wald_df: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """How sure the coefficients are.

    With K > 2 classes everything is relative to the first class, and K - 1 outputs are meant.

    Attributes:
        covariance: `(n, n)` of all coefficients, output after output, n = n_outputs * n_coefs, in theta's units (see
            `zeroloop.objective`); zeros for those that are not estimated.
        states: `(n,)`, whether each is estimated, or why not.
        kind: of the covariance: "model", "hc0" or "hc1".
        n_clusters: of a cluster-robust covariance; None of any other.
        weights: what the rows' weights mean: "frequency" or "sampling"; None without weights.
        method: "ml" (maximum likelihood) or "firth".
        n: number of observations: rows with weight, or with frequency weights the sum of these.
        log_likelihood: of the fit; with Firth's method of its estimates, without its penalty.
        null_log_likelihood: the greatest of the intercept (and offset) alone.
        condition: of the columns, brought to one length; see `zeroloop.inference.information`.
        n_outputs: 1, or K - 1 of K > 2 classes.
        aliased: in words, what each aliased coefficient's column repeats.
        separation: that there is no maximum; None where there is one.
        tests: of columns.
        degrees_of_freedom: of Student's t, which p-values and intervals are taken from; None for the normal.

    """

    covariance: FloatArray
    states: tuple[State, ...]
    kind: str
    n_clusters: int | None
    weights: str | None
    method: str
    n: float
    log_likelihood: float
    null_log_likelihood: float
    condition: float
    n_outputs: int = 1
    aliased: tuple[str, ...] = ()
    separation: Separation | None = None
    tests: tuple[ColumnsTest, ...] = field(default_factory=tuple)
    degrees_of_freedom: float | None = None

    @property
    def n_independent(self) -> float | None:
        """Number of clusters, or of sampled rows, each its own cluster; None where rows are taken one by one."""
        return self.n_clusters if self.n_clusters is not None else self.n if self.weights == "sampling" else None

    @property
    def n_estimated(self) -> int:
        """Number of parameters: all that the data decide on, those without a finite estimate too."""
        return sum(state in (State.ESTIMATED, State.NO_MAXIMUM) for state in self.states)

    @property
    def compares_likelihoods(self) -> bool:
        """Whether likelihoods can be compared: of a maximum, over rows that are independent and no weighted sample."""
        return self.method == "ml" and self.weights != "sampling" and self.n_clusters is None

    @property
    def aliased_coefs(self) -> list[int]:
        """Indices of the coefficients that are aliased."""
        return [at for at, state in enumerate(self.states) if state == State.ALIASED]

    def standard_errors(self, centre: FloatArray, scale: FloatArray) -> FloatArray:
        """Return the standard error of each coefficient in the columns' own units `(n_outputs, n_coefs)`; NaN of none.

        Args:
            centre: `(n_x,)`, of the columns.
            scale: `(n_coefs,)`, of the columns.

        """
        n_coefs = scale.size
        errors = np.sqrt(np.diag(self.covariance)).reshape(-1, n_coefs) / scale
        row = intercept_form(centre, scale)
        for k, error in enumerate(errors):
            block = self.covariance[k * n_coefs : (k + 1) * n_coefs, k * n_coefs : (k + 1) * n_coefs]
            error[0] = np.sqrt(max(dot(row, matmul(block, row)), 0.0))
        estimated = np.array([state == State.ESTIMATED for state in self.states]).reshape(errors.shape)
        return np.where(estimated, errors, np.nan)


def troubles(estimates: Estimates | None, coef: FloatArray, centre: FloatArray, scale: FloatArray) -> list[str]:
    """Return, in sentences, what a reader of the coefficients must know; see `blurred` for the arguments."""
    blur = blurred(coef, centre, scale)
    if estimates is None:
        return blur
    said = []
    if estimates.aliased:
        shown = "; ".join(estimates.aliased[:MOST_NAMED])
        more = len(estimates.aliased) - MOST_NAMED
        said.append(
            "Left out of the fit, as no row tells them from others: "
            + (shown + (f"; and {more} more" if more > 0 else ""))
            + "."
        )
    if estimates.separation is not None:
        said.append(estimates.separation.in_words())
    return said + blur


def blurred(coef: FloatArray, centre: FloatArray, scale: FloatArray) -> list[str]:
    """Return, in a sentence, how far rounding puts predictions off; none where that is nothing.

    Args:
        coef: `(n_outputs, n_coefs)`, in the columns' own units.
        centre: `(n_x,)`, of the columns of numbers.
        scale: `(n_coefs,)`, of all.

    """
    size = scale.copy()
    size[1 : 1 + centre.size] += np.abs(centre)
    terms = float(np.max(matmul(np.abs(coef), size)))
    off = np.finfo(np.float64).eps * terms
    if off < BLUR:
        return []
    return [
        f"Rounding puts a row's linear predictor off by some {off:.1g}: terms of {terms:.0e} in size cancel in it; "
        "subtract a typical value from columns that are far from zero, before powers or products are made of them."
    ]


def error_forms(covariance: FloatArray, scale: FloatArray) -> FloatArray:
    """Return forms `(k, n)`, about the centre, with `forms' forms` the covariance, given in theta's units `(n, n)`.

    The variance of a predictor is the squared length of what they make of its row.
    """
    kept = np.flatnonzero(np.diag(covariance) > 0)
    values, vectors = eigh(covariance[np.ix_(kept, kept)])
    forms = np.zeros((kept.size, len(covariance)))
    forms[:, kept] = np.sqrt(np.maximum(values, 0.0))[:, np.newaxis] * vectors.T
    return forms / np.tile(scale, len(covariance) // scale.size)


def relative(coef: FloatArray) -> FloatArray:
    """Return coefficients as inference means them: of more than two classes relative to the first."""
    return coef if len(coef) == 1 else coef[1:] - coef[0]


def intercept_form(centre: FloatArray, scale: FloatArray) -> FloatArray:
    """Return the intercept at zero as a combination of theta, `(n_coefs,)`."""
    row = np.zeros(scale.size)
    row[0] = 1.0
    row[1 : 1 + centre.size] = -centre / scale[1 : 1 + centre.size]
    return row


def own_units(covariance: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """Return a covariance `(n, n)` in theta's units as one in the columns' own units."""
    change = np.diag(1 / scale)
    change[0] = intercept_form(centre, scale)
    return turned(covariance, change)


def turned(covariance: FloatArray, change: FloatArray) -> FloatArray:
    """Return the covariance `(n, n)` of coefficients that are, output by output, `change` times those given."""
    n_coefs = len(change)
    found = np.empty_like(covariance)
    for i in range(0, len(covariance), n_coefs):
        rows = slice(i, i + n_coefs)
        for j in range(0, len(covariance), n_coefs):
            columns = slice(j, j + n_coefs)
            found[rows, columns] = matmul(matmul(change, covariance[rows, columns]), change.T)
    return found


def two_sided(z: FloatArray, df: float | None = None) -> FloatArray:
    """Return the two-sided p-value of standard normal z, exact down to 1e-308; with df of Student's t."""
    from scipy.special import erfc, stdtr  # here, because only inference needs it

    return np.asarray(erfc(np.abs(z) / np.sqrt(2.0)) if df is None else 2 * stdtr(df, -np.abs(z)))


def wald_p(statistic: float, n: int, df: float | None) -> float:
    """Return the p-value of a Wald statistic of n coefficients, by chi-squared; with df by F. NaN of none."""
    from scipy.special import fdtrc

    if df is None or not (n > 0 and np.isfinite(statistic)):
        return chi_squared(statistic, n)
    return float(fdtrc(n, df, max(statistic, 0.0) / n))


def chi_squared(statistic: float, df: int) -> float:
    """Return the p-value of a chi-squared statistic; NaN without degrees of freedom."""
    from scipy.special import chdtrc

    return float(chdtrc(df, max(statistic, 0.0))) if df > 0 and np.isfinite(statistic) else float("nan")


def reach_of(level: float, df: float | None = None) -> float:
    """Return how many standard errors an interval of confidence `level` reaches to each side, by t with df."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(0.5 + level / 2)) if df is None else float(stdtrit(df, 0.5 + level / 2))
