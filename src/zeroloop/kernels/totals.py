"""What statistics other than `sums` return: additive over blocks, without a row dimension."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from zeroloop.blocks import FloatArray

# Of a column's range and values: their squares, summed over rows, neither vanish nor overflow. (Heavy weights, or very
# many rows, may overflow all the same, which the sums show.)
SMALLEST, LARGEST = 1e-152, 1e153
LEAST_WEIGHT, MOST_WEIGHT = 1e-50, 1e50  # of all rows, and of one
SAME = 4 * np.finfo(np.float64).eps  # relative: values this close differ by the rounding of how they were computed
NO_SPREAD = 1e-14  # a deviation below this part of the range is rounding: all weight lies on one value


def is_constant(low: float, high: float) -> bool:
    """Return whether a column of that range has one value, to rounding."""
    return bool(high / 2 - low / 2 <= SAME * max(abs(low / 2), abs(high / 2)))


def out_of_range(low: float, high: float, squares: float = 0.0) -> str | None:
    """Return what is wrong with a column, and what to do, as the end of a sentence; None if nothing.

    Args:
        low: its least value.
        high: its greatest.
        squares: their weighted squared deviations, summed.

    """
    if not (max(abs(low), abs(high)) < LARGEST and squares < math.inf):
        largest = max(low, high, key=abs)
        what = f"holds {largest:g}" if math.isfinite(largest) else f"holds numbers beyond {LARGEST:g}"
        return f"{what}, whose square overflows; give it a larger unit."
    if not is_constant(low, high) and high - low < SMALLEST:
        return (
            f"holds numbers from {low:g} to {high:g}, which are {high - low:g} apart, and squares of such differences "
            "vanish; give it a smaller unit."
        )
    return None


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

    def deviation(self) -> FloatArray:
        """Return the standard deviation, 0 without weight; see `zeroloop.units` for how far it is to be trusted."""
        deviation: FloatArray = np.sqrt(self.squares / np.where(self.weight > 0, self.weight, 1.0))
        return deviation


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

        0 where all weight lies on one value, to rounding.
        """
        if weight <= 0 or is_constant(self.low, self.high):
            return 0.0
        deviation = math.sqrt(self.squares / weight)
        return deviation if deviation > NO_SPREAD * (self.high - self.low) else 0.0
