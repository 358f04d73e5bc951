"""The columns' units, learned from the rows: means and standard deviations, right at any magnitude or refused.

The sums of a column are made about one of its values, which serves nearly all of them. Columns whose deviation such
sums cannot be trusted with (it is small beside the values, or near the ends of what float64 squares hold) are looked at
again by themselves: first their range over the rows with weight, then their moments about its lower end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import matmul
from zeroloop.blocks import Block, FloatArray, Source
from zeroloop.errors import DataError
from zeroloop.kernels import statistics
from zeroloop.kernels.totals import LARGEST, SMALLEST, Moments, is_constant, out_of_range
from zeroloop.objective import Units

CLOSE = 1e-6  # a deviation below this part of the values: squares about one of them have lost half their digits
HEAD = 64  # rows that tell nearly all sparse columns from constant ones


def units_of(source: Source, sparse: bool, name_of: Callable[[int], str]) -> Units | None:
    """Return the units of a source's columns; None where some hold NaN or infinity.

    Args:
        source: the rows.
        sparse: whether all columns are sparse.
        name_of: returns a column's name, for an error.

    Raises:
        DataError: for a column whose squares overflow or vanish.

    """
    return _of_sparse(source, name_of) if sparse else _of_numbers(source, name_of)


def without_intercept(units: Units) -> Units:
    """Return the units where nothing takes a shift up: about zero, in which columns have a root mean square of 1.

    Only a column of zeros says nothing then.
    """
    numeric, size = slice(1, 1 + units.centre.size), np.abs(units.centre)
    scale, constant = units.scale.copy(), np.zeros(units.scale.size, dtype=bool)
    flat = constant[numeric] if units.constant is None else units.constant[numeric]
    scale[numeric] = np.where(flat, np.where(size > 0, size, 1.0), np.sqrt(scale[numeric] ** 2 + size**2))
    constant[numeric] = flat & (size == 0)
    return Units(np.zeros_like(units.centre), scale, constant)


def held_with_idle(units: Units, fit_intercept: bool, held: FloatArray | None) -> FloatArray | None:
    """Return what is held, the intercept where none is wanted and columns without variance among it, at 0.

    Such a column says what the intercept says, and no more: with 0, which no penalty and no bound minds, the other
    coefficients are those of the fit without it.
    """
    constant = units.constant if fit_intercept else without_intercept(units).constant
    idle = np.zeros(units.scale.size, dtype=bool) if constant is None else constant.copy()
    idle[0] = not fit_intercept
    if not np.any(idle):
        return held
    held = np.full(idle.size, np.nan) if held is None else held
    return np.where(idle & np.isnan(held), 0.0, held)


def _of_numbers(source: Source, name_of: Callable[[int], str]) -> Units | None:
    moments = source.reduce(statistics.moments)
    mean, constant = moments.mean, np.zeros(source.n_coefs, dtype=bool)
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = moments.deviation()
        size = np.abs(mean)
        if np.any(moments.weight != source.n_rows):  # the value that sums are about may be that of a row without weight
            size = np.maximum(size, source.reduce(_first_values).values)
        plain = (deviation > CLOSE * size) & (deviation > SMALLEST / CLOSE) & (deviation < LARGEST * CLOSE)
    again = np.flatnonzero(~plain)
    if again.size == 0:
        return Units(mean, np.append(1.0, deviation), constant)
    found = source.reduce(partial(_range, at=again))
    if not (np.all(np.isfinite(found.low)) and np.all(np.isfinite(found.high))):
        return None
    exact = source.reduce(partial(_moments_about, at=again, origin=found.low))
    for j, low, high, squares in zip(again.tolist(), found.low, found.high, exact.squares, strict=True):
        why = out_of_range(float(low), float(high), float(squares))
        if why is not None:
            raise DataError(f"Column {name_of(j)!r} {why}")
    flat = np.array([is_constant(*ends) for ends in zip(found.low, found.high, strict=True)])
    mean[again] = np.where(flat, found.low, found.low + exact.mean)
    deviation[again] = np.where(flat, 1.0, exact.deviation())
    constant[1 + again[flat]] = True
    return Units(mean, np.append(1.0, deviation), constant)


def _of_sparse(source: Source, name_of: Callable[[int], str]) -> Units | None:
    largest = source.reduce(statistics.largest).values
    if not np.all(np.isfinite(largest)):
        return None
    for j in np.flatnonzero((largest > 0) & ~((largest > SMALLEST) & (largest < LARGEST)))[:1].tolist():
        raise DataError(f"Column {name_of(j)!r} {out_of_range(0.0, float(largest[j]))}")
    constant = np.append(False, largest == 0)
    same = source.reduce(partial(_alike, most_rows=HEAD)).at
    if same.size > 0:
        constant[1 + source.reduce(partial(_alike, most_rows=None)).at] = True
    return Units(np.empty(0), np.append(1.0, np.where(largest > 0, largest, 1.0)), constant)


@dataclass(frozen=True, slots=True)
class _Largest:
    values: FloatArray

    def __add__(self, other: Self) -> _Largest:
        return _Largest(np.maximum(self.values, other.values))


@dataclass(frozen=True, slots=True)
class _Range:
    low: FloatArray
    high: FloatArray

    def __add__(self, other: Self) -> _Range:
        return _Range(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


@dataclass(frozen=True, slots=True)
class _Alike:
    """Sparse columns that have one value in all rows with weight; None of `values` where no row has any."""

    at: NDArray[np.intp]
    values: FloatArray | None

    def __add__(self, other: Self) -> _Alike:
        if self.values is None or other.values is None:
            return self if other.values is None else other
        at, here, there = np.intersect1d(self.at, other.at, return_indices=True)
        same = self.values[here] == other.values[there]
        return _Alike(at[same], self.values[here][same])


def _first_values(block: Block) -> _Largest:
    return _Largest(np.abs(block.numeric[:, 0].astype(np.float64)))


def _with_weight(block: Block, at: NDArray[np.intp]) -> FloatArray:
    """Return some columns' values in the rows with weight."""
    values: FloatArray = block.numeric[at].astype(np.float64)
    return values if block.weight is None or np.all(block.weight > 0) else values[:, block.weight > 0]


def _range(block: Block, at: NDArray[np.intp]) -> _Range:
    every = block.numeric[at]
    if not np.all(np.isfinite(every)):  # wherever it stands: 0 times NaN is NaN
        return _Range(np.full(at.size, np.nan), np.full(at.size, np.nan))
    values = _with_weight(block, at)
    low, high = np.min(values, axis=1, initial=np.inf), np.max(values, axis=1, initial=-np.inf)
    return _Range(low, high)


def _moments_about(block: Block, at: NDArray[np.intp], origin: FloatArray) -> Moments:
    """Return the moments of some columns about `origin`."""
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    weight = weight[weight > 0]
    total = float(np.sum(weight))
    with np.errstate(over="ignore", invalid="ignore"):  # whoever asks looks whether the result is finite
        values = _with_weight(block, at) - origin[:, np.newaxis]
        mean = matmul(values, weight) / total if total > 0 else np.zeros(at.size)
        values -= mean[:, np.newaxis]
        values *= values
        return Moments(np.full(at.size, total), mean, matmul(values, weight))


def _alike(block: Block, most_rows: int | None) -> _Alike:
    """Return which sparse columns have one value other than 0 in all rows with weight, of the first ones or of all."""
    assert block.sparse is not None
    rows = np.arange(block.n_rows) if block.weight is None else np.flatnonzero(block.weight > 0)
    rows = rows[:most_rows]
    if rows.size == 0:
        return _Alike(np.empty(0, np.intp), None)
    _, column, values = block.sparse.take(rows).triples()
    if column.size < rows.size:
        return _Alike(np.empty(0, np.intp), np.empty(0))
    counts = np.bincount(column, minlength=block.sparse.n_columns)
    low, high = np.full(counts.size, np.inf), np.full(counts.size, -np.inf)
    np.minimum.at(low, column, values)
    np.maximum.at(high, column, values)
    at = np.flatnonzero((counts == rows.size) & (low == high) & (low != 0))
    return _Alike(at, low[at])
