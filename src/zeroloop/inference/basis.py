"""Columns of numbers that nearly repeat others, each exchanged for what the others leave of it.

The cube of a year is made up by the year and its square, but for a part in a billion: products of such columns, summed
in float64, cannot tell them apart any more, where their remainders can. So the rows are looked at in another basis, in
which the fit is well conditioned, and its result is turned back: the same model, to the digits that R's orthogonal
factorisation keeps.

Source: Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, "Roundoff error analysis of the CholeskyQR2 algorithm", Electronic
Transactions on Numerical Analysis, 2015: a second orthogonalisation of what a first one has made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import matmul
from zeroloop.blocks import Block, FloatArray, TableSource
from zeroloop.estimates import Estimates, turned
from zeroloop.inference.aliasing import Columns, look_at_columns
from zeroloop.kernels.forms import exact_predictors
from zeroloop.objective import Units

ROUNDS = 3  # each looks at remainders of the one before


@dataclass(frozen=True, slots=True)
class Basis:
    """How coefficients of remainders become coefficients of columns.

    Attributes:
        change: `(n_coefs, n_coefs)`: coefficients about the centre, of columns, are this times those of remainders;
            None where no column was exchanged.
        from_units, to_units: of the remainders, and of the columns.
        gain: how much shorter the shortest remainder is than its column.

    """

    change: FloatArray | None
    from_units: Units
    to_units: Units
    gain: float = 1.0

    def coef(self, coef: FloatArray) -> FloatArray:
        """Return coefficients of columns `(n_outputs, n_coefs)`, given those of remainders, intercepts at zero."""
        if self.change is None:
            return coef
        n_x = self.from_units.centre.size
        about = coef.copy()
        about[:, 0] += matmul(about[:, 1 : 1 + n_x], self.from_units.centre)
        about = matmul(about, self.change.T)
        about[:, 0] -= matmul(about[:, 1 : 1 + n_x], self.to_units.centre)
        return about

    def own_units(self, forms: FloatArray) -> FloatArray:
        """Return directions `(k, n_outputs, n_coefs)` of remainders, about the centre, as those of columns, about 0."""
        rows = forms.reshape(-1, forms.shape[-1])
        found = rows.copy() if self.change is None else matmul(rows, self.change.T)
        found[:, 0] -= matmul(found[:, 1 : 1 + self.to_units.centre.size], self.to_units.centre)
        return found.reshape(forms.shape)

    def estimates(self, estimates: Estimates) -> Estimates:
        """Return the estimates of columns' coefficients, given those of remainders'."""
        if self.change is None:
            return estimates
        turn = self.to_units.scale[:, np.newaxis] * self.change / self.from_units.scale
        covariance = turned(estimates.covariance, turn)
        return replace(estimates, covariance=(covariance + covariance.T) / 2, condition=estimates.condition * self.gain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What looking at the columns gave.

    Attributes:
        source: the rows, in the basis.
        units: of their columns.
        basis: how to come back.
        columns: what they are; of those that were exchanged, their remainders.
        passes: it took.

    """

    source: TableSource
    units: Units
    basis: Basis
    columns: Columns
    passes: int


def look(source: TableSource, units: Units, held: FloatArray) -> Looked:
    """Return the rows in a basis in which columns can be told apart, and which columns cannot be in any.

    Args:
        source: the rows.
        units: of the columns.
        held: `(n_coefs,)`, coefficients that are not estimated; NaN for the others.

    """
    columns = look_at_columns(source, units, held)
    basis, viewed, passes = Basis(None, units, units), source, columns.passes
    for _ in range(ROUNDS):
        near = [one for one in columns.near if 1 <= one.at <= units.centre.size]
        if not near:
            break
        at = np.array([one.at for one in near], dtype=np.intp)
        forms = np.stack([one.form for one in near])
        viewed = viewed.viewed(partial(_exchanged, at=at, forms=forms, centre=basis.from_units.centre))
        centre, scale = basis.from_units.centre.copy(), basis.from_units.scale.copy()
        centre[at - 1] = 0.0
        scale[at] = [one.deviation for one in near]
        step = np.eye(source.n_coefs)
        step[:, at] = forms.T
        change = step if basis.change is None else matmul(basis.change, step)
        gain = basis.gain * max(one.ratio for one in near)
        basis = Basis(change, Units(centre, scale), units, gain)
        aliased = held.copy()
        aliased[[one.at for one in columns.aliased]] = 0.0
        before = columns.aliased
        columns = look_at_columns(viewed, basis.from_units, aliased)
        columns = replace(columns, aliased=(*before, *columns.aliased))
        passes += columns.passes
    return Looked(source=viewed, units=basis.from_units, basis=basis, columns=columns, passes=passes)


def _exchanged(block: Block, at: NDArray[np.intp], forms: FloatArray, centre: FloatArray) -> Block:
    """Return a block with some columns of numbers exchanged for their remainders."""
    numeric = block.numeric.astype(np.float64)
    numeric[at - 1] = exact_predictors(block, forms, centre)
    return replace(block, numeric=numeric)
