"""What statistics other than `sums` return: additive over blocks, without a row dimension."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from zeroloop.blocks import FloatArray


@dataclass(frozen=True, slots=True)
class Moments:
    """Weight, mean and summed squared deviation of columns, each `(n_x,)`.

    Added by the pairwise update of Chan, Golub and LeVeque ("Algorithms for computing the sample variance",
    The American Statistician, 1983), which does not cancel as sums of squares do.
    """

    weight: FloatArray
    mean: FloatArray
    squares: FloatArray

    def __add__(self, other: Self) -> Moments:
        weight = self.weight + other.weight
        with np.errstate(invalid="ignore", over="ignore"):
            share = np.where(weight > 0, other.weight / np.where(weight > 0, weight, 1.0), 0.0)
            delta = other.mean - self.mean
            return Moments(
                weight,
                self.mean + delta * share,
                self.squares + other.squares + delta * delta * self.weight * share,
            )

    def scale(self, weight: FloatArray | None = None) -> FloatArray:
        """Return the standard deviation, `sqrt(squares / weight)`, with 1 for a constant column.

        `weight` replaces the columns' own, as when missing values were filled with the mean. A deviation at
        the level of rounding (1e-13 of the mean) is none.
        """
        total = self.weight if weight is None else weight
        deviation = np.sqrt(self.squares / np.where(total > 0, total, 1.0))
        return np.where(deviation > 1e-13 * np.abs(self.mean), deviation, 1.0)


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest absolute value of columns, `(n_columns,)`; combined with `+`."""

    values: FloatArray

    def __add__(self, other: Self) -> Largest:
        return Largest(np.maximum(self.values, other.values))


@dataclass(frozen=True, slots=True)
class DiagonalSums:
    """The Hessian's diagonal as sums over rows, addable.

    Attributes:
        weight: `sum_i weight[i]`.
        diagonal: `(n_outputs, n_coefs)`, `sum_i h[j, i]` with `h[j, i] = weight[i] a[i] (1 - a[i]) v[j, i]^2`.
        squares: `(n_outputs, n_coefs)`, `sum_i h[j, i]^2`; `diagonal^2 / squares` is the number of rows the
            diagonal rests on.

    """

    weight: float
    diagonal: FloatArray
    squares: FloatArray

    def __add__(self, other: Self) -> DiagonalSums:
        return DiagonalSums(self.weight + other.weight, self.diagonal + other.diagonal, self.squares + other.squares)


@dataclass(frozen=True, slots=True)
class VectorSums:
    """The Hessian times a vector as sums over rows, addable.

    Attributes:
        weight: `sum_i weight[i]`.
        product: `(n_outputs, n_coefs)`.

    """

    weight: float
    product: FloatArray

    def __add__(self, other: Self) -> VectorSums:
        return VectorSums(self.weight + other.weight, self.product + other.product)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the values of one column are; added as `Moments` are.

    Attributes:
        n: how many.
        weight: theirs.
        mean: weighted.
        squares: their weighted squared deviations from it, summed.
        low: the least; infinity where there is none.
        high: the greatest; minus infinity where there is none.

    """

    n: int
    weight: float
    mean: float
    squares: float
    low: float
    high: float

    def __add__(self, other: Self) -> Described:
        weight = self.weight + other.weight
        share = other.weight / weight if weight > 0 else 0.0
        delta = other.mean - self.mean
        return Described(
            n=self.n + other.n,
            weight=weight,
            mean=self.mean + delta * share,
            squares=self.squares + other.squares + delta * delta * self.weight * share,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
        )

    def deviation(self, weight: float) -> float:
        """Return the standard deviation where `weight` is that of all rows, the mean standing in for missing ones.

        1 for a constant column; a deviation at the level of rounding (1e-13 of the mean) is none.
        """
        deviation = math.sqrt(self.squares / weight) if weight > 0 else 0.0
        return deviation if deviation > 1e-13 * abs(self.mean) else 1.0
