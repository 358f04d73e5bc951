"""Columns that repeat others: which coefficients no rows can tell apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from zeroloop.blocks import Block, FloatArray, Source
from zeroloop.inference.information import eliminate, symmetric
from zeroloop.inference.statistics import squares_of_forms, weighted_products, weights_of
from zeroloop.objective import Units

CLOSE = 1e-6  # share of a column's square that others leave over, below which it is looked at row by row
REPEATS = 1e-9  # length of what others leave over, in a column's own length, looked at row by row
NEGLIGIBLE = 1e-6  # part of a column in another that is not named


@dataclass(frozen=True, slots=True)
class Aliased:
    """A coefficient that is not estimated, as its column repeats others.

    Attributes:
        at: its index.
        on: `(n_coefs,)`, the combination of others that its column is; zeros of a column that is zero throughout.

    """

    at: int
    on: FloatArray

    def in_words(self, terms: Sequence[str]) -> str:
        """Say what the column repeats."""
        quoted = [repr(term) if " " in term else term for term in terms]
        if not np.any(self.on):
            return f"{quoted[self.at]} is 0 in every row with weight"
        named = sorted(np.flatnonzero(np.abs(self.on) > NEGLIGIBLE).tolist(), key=lambda j: -abs(self.on[j]))
        named = [j for j in named if j != 0] or named
        parts = [f"{self.on[j]:.4g} {quoted[j]}" if abs(self.on[j] - 1) > NEGLIGIBLE else quoted[j] for j in named[:4]]
        more = f" and {len(named) - 4} more" if len(named) > 4 else ""
        return f"{quoted[self.at]} repeats {' + '.join(parts)}{more}".replace("+ -", "- ")


@dataclass(frozen=True, slots=True)
class Near:
    """A column that nearly repeats others.

    Attributes:
        at: the index of its coefficient.
        form: `(n_coefs,)`, about the centre, what others leave of it.
        deviation: standard deviation of that.
        ratio: how much longer the column is.

    """

    at: int
    form: FloatArray
    deviation: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Columns:
    """What a pass tells of the columns.

    Attributes:
        squares: `(n_coefs,)`, weighted sum of each column's squares, about the centre, in theta's units.
        aliased: those that repeat others.
        near: those that nearly do.
        passes: it took.

    """

    squares: FloatArray
    aliased: tuple[Aliased, ...]
    near: tuple[Near, ...]
    passes: int


def look_at_columns(source: Source, units: Units, held: FloatArray) -> Columns:
    """Return which coefficients the rows cannot tell from those before them, in coefficient order, as R's `glm` does.

    Two passes at most: products of all columns, and, where some look like repeats, the length of what is left of each.

    Args:
        source: the rows.
        units: of the columns.
        held: `(n_coefs,)`, coefficients that are not estimated anyway; NaN for the others.

    """
    centre = units.centre
    upper = source.reduce(partial(_products, centre=centre))
    free = np.flatnonzero(np.isnan(held))
    unit = 1 / units.scale[free]
    products = symmetric(upper[np.ix_(free, free)]) * unit[:, np.newaxis] * unit
    diagonal = np.diag(products)
    squares = np.diag(upper) / units.scale**2
    found = eliminate(products, diagonal, CLOSE)
    suspects = np.array(list(found.on), dtype=np.intp)
    if suspects.size == 0:
        return Columns(squares, (), (), 1)
    forms = np.zeros((suspects.size, source.n_coefs))
    for form, j in zip(forms, suspects, strict=True):
        form[free] = -found.on[int(j)] * unit
        form[free[j]] += unit[j]
    lengths = source.reduce(partial(squares_of_forms, forms=forms, centre=centre))
    aliased: list[Aliased] = []
    near: list[Near] = []
    for j, length, form in zip(suspects, lengths, forms, strict=True):
        if length <= REPEATS**2 * diagonal[j]:
            on = np.zeros(source.n_coefs)
            on[free] = found.on[int(j)] * unit / unit[j]
            aliased.append(Aliased(int(free[j]), on))
        else:
            deviation = math.sqrt(float(length) / float(upper[0, 0]))
            near.append(Near(int(free[j]), form, deviation, math.sqrt(float(diagonal[j] / length))))
    return Columns(squares, tuple(aliased), tuple(near), 2)


def _products(block: Block, centre: FloatArray) -> FloatArray:
    return weighted_products(block, weights_of(block), centre)
