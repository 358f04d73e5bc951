"""Fewer rows than columns: the same fit in as many coordinates as there are rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import cholesky, eigh, gram, invert_lower, matmul
from zeroloop.blocks import Block, FloatArray, Source
from zeroloop.kernels.few import Rows
from zeroloop.kernels.forms import dense_terms
from zeroloop.objective import Units
from zeroloop.sources.memory import MemorySource

MOST_ROWS = 2_000  # their products take rows^2 columns operations
MOST_VALUES = 50_000_000  # 400 MB, dense
RIDGE = 20 * np.finfo(np.float64).eps  # of the trace: as much as rounding may make of an eigenvalue of zero
SMALLEST_SCALE = 1e-8  # of a coordinate's values, relative to the largest: smaller ones are rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """Rows in coordinates of the space that they span.

    The optimum's penalised coefficients, each times its unit, are a combination of the rows A `(n_spanned, m)` divided
    by these units (the representer theorem). With the Cholesky factor `R' R = A' A`, the columns of `A R^-1` are
    orthonormal: rows become the columns of R, `coef * unit = A R^-1 beta`, and the L2 penalty of coef is that of beta.
    What pays no penalty or is held keeps its column.

    Source: Hastie and Tibshirani, "Efficient quadratic regularization for expression arrays", Biostatistics, 2004.
    Differs: they take an SVD. A product and a Cholesky factor are a twentieth of its work; what they lose where rows
    nearly repeat each other, and a weak penalty lets it matter, the pass over all columns that follows a fit finds.
    Without a penalty nothing would stop a fit from telling repeated rows apart by what rounding has made of them: there
    R is of eigenvectors, and coordinates that no row has are held at 0. The shortest of all optima is found.

    Attributes:
        source: the rows of positive weight; columns: those kept, then the coordinates.
        units: of these columns.
        factor: `(n_coefs,)` of these columns, the penalty's; 0 for those kept.
        held: `(n_coefs,)` of these columns, NaN for those that are free.
        kept: indices of the coefficients that keep their column, the intercept first.
        spanned: indices of the others.
        unit: `(n_spanned,)`.
        rows: `(n_spanned, m)`, A.
        inverse_of_factor: `(m, m)`, R^-1.
        centre: `(n_x,)`, that numeric columns have been shifted to.

    """

    source: MemorySource
    units: Units
    factor: FloatArray
    held: FloatArray
    kept: NDArray[np.intp]
    spanned: NDArray[np.intp]
    unit: FloatArray
    rows: FloatArray
    inverse_of_factor: FloatArray
    centre: FloatArray

    def coef(self, narrow: FloatArray) -> FloatArray:
        """Return the coefficients `(n_outputs, n_coefs)` of all columns, given those of the narrow ones."""
        coef = np.empty((len(narrow), self.kept.size + self.spanned.size))
        coef[:, self.kept] = narrow[:, : self.kept.size]
        coef[:, self.spanned] = matmul(matmul(narrow[:, self.kept.size :], self.inverse_of_factor.T), self.rows.T)
        coef[:, self.spanned] /= self.unit
        coef[:, 0] -= matmul(coef[:, 1 : 1 + self.centre.size], self.centre)
        return coef

    def start(self, coef: FloatArray) -> FloatArray:
        """Return the narrow coefficients nearest to `coef`, of all columns."""
        about_centre = coef.copy()
        about_centre[:, 0] += matmul(coef[:, 1 : 1 + self.centre.size], self.centre)
        predictor = matmul(about_centre[:, self.spanned] * self.unit, self.rows)
        return np.column_stack([about_centre[:, self.kept], matmul(predictor, self.inverse_of_factor)])


def is_narrowed(source: Source, unit: FloatArray) -> bool:
    """Return whether the rows' space is worth finding: fewer rows than penalised columns, and not too many."""
    n_rows = source.n_rows
    few = 0 < n_rows <= MOST_ROWS and n_rows * source.n_coefs <= MOST_VALUES
    return few and n_rows < int(np.count_nonzero(unit))


def narrow(source: Source, centre: FloatArray, unit: FloatArray, held: FloatArray, *, penalised: bool) -> Narrow | None:
    """Return the rows in coordinates of their own space, by one pass; None where their products overflow.

    Args:
        source: rows with labels.
        centre: `(n_x,)`, that numeric columns are shifted to; zeros without an intercept.
        unit: `(n_coefs,)`, the L2 penalty is of `coef * unit`; 0 for those that keep their column, as the intercept.
        held: `(n_coefs,)`, coefficients that stay at a value, NaN for the others.
        penalised: whether there is such a penalty.

    """
    is_spanned = (unit > 0) & np.isnan(held)
    is_spanned[0] = False
    kept, spanned = np.flatnonzero(~is_spanned), np.flatnonzero(is_spanned)
    rows = source.reduce(partial(_rows, centre=centre))
    of_spanned = rows.values[1:] if kept.size == 1 else rows.values[spanned]
    of_spanned /= unit[spanned, np.newaxis]
    with np.errstate(over="ignore", invalid="ignore"):
        pairs = gram(of_spanned.T)
    found = _factor(pairs) if penalised else _root(pairs)
    if found is None:
        return None
    r, inverse, dead = found
    columns = np.concatenate([rows.values[kept[1:]], r])
    m = columns.shape[1]
    scale = np.sqrt(np.mean(columns * columns, axis=1))
    scale = np.maximum(scale, SMALLEST_SCALE * float(np.max(scale, initial=0.0)))
    block = Block(
        numeric=columns,
        codes=np.empty((0, m), np.int32),
        n_coefs=1 + len(columns),
        y=rows.y,
        weight=rows.weight,
    )
    return Narrow(
        source=MemorySource([block], 1),
        units=Units(np.zeros(len(columns)), np.append(1.0, np.where(scale > 0, scale, 1.0))),
        factor=np.append(np.zeros(kept.size), np.ones(len(r))),
        held=np.append(held[kept], np.where(dead, 0.0, np.nan)),
        kept=kept,
        spanned=spanned,
        unit=unit[spanned],
        rows=of_spanned,
        inverse_of_factor=inverse,
        centre=centre,
    )


def _factor(pairs: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]] | None:
    """Return upper triangular R with `R' R = pairs`, to rounding; rows may repeat each other. None on overflow.

    Also its inverse, and which of its rows no coefficient is for: none.
    """
    trace = float(np.trace(pairs))
    if not np.isfinite(trace):
        return None
    ridge = RIDGE * trace if trace > 0 else 1.0
    while True:
        damped = pairs.copy()
        damped.flat[:: len(damped) + 1] += ridge
        lower = cholesky(damped)
        if lower is not None:
            return np.ascontiguousarray(lower.T), invert_lower(lower).T, np.zeros(len(lower), dtype=bool)
        ridge *= 100


def _root(pairs: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]] | None:
    """Return R with `R' R = pairs`, its rows orthogonal, R^-1, and which rows are rounding. None on overflow."""
    if not np.all(np.isfinite(pairs)):
        return None
    values, vectors = eigh(pairs)
    least = RIDGE * float(np.trace(pairs)) if values[-1] > 0 else 1.0
    root = np.sqrt(np.maximum(values, least))
    return np.ascontiguousarray(root[:, np.newaxis] * vectors.T), vectors / root, values <= least


def _rows(block: Block, centre: FloatArray) -> Rows:
    """Return all terms of the rows of a block that have weight."""
    assert block.y is not None
    terms = dense_terms(block, centre, slice(None))
    if block.weight is None:
        return Rows(terms, block.y, np.ones(block.n_rows))
    weighty = np.flatnonzero(block.weight > 0)
    return Rows(terms[:, weighty], block.y[weighty], block.weight[weighty])
