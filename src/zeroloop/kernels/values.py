"""The values of one raw column, described in one sweep: how many, their mean, spread and range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import STRIDE, FloatArray, mixed, splitmix
from zeroloop.kernels.compiled import EXACT, SUMS, compiled, inlined
from zeroloop.kernels.totals import Described

TILE = 512
CANCELLED = 1e-3  # of the squares about the first value: then three digits are lost
NO_NAN = frozenset({"nnan", "nsz", "reassoc"})  # where there is none: else a minimum cannot be taken in vector lanes


def describe(columns: NDArray[Any], weight: FloatArray | None) -> list[Described]:
    """Return what the values of each column are that are not NaN; `zeroloop.kernels.small.describe` is its twin.

    Args:
        columns: `(n_x, rows)` float32 or float64, C order, finite or NaN.
        weight: `(rows,)`; None for ones.

    """
    found = np.zeros((len(columns), 6))
    _describe_all(columns, np.empty(0) if weight is None else weight, found)
    return [
        Described(n=int(n), weight=w, mean=mean, squares=squares, low=low, high=high)
        for n, w, mean, squares, low, high in found.tolist()
    ]


@compiled(SUMS)
def _describe_all(columns: NDArray[Any], weight: FloatArray, found: FloatArray) -> None:
    for j in range(len(columns)):
        _describe(columns[j], weight, found[j])


@inlined(SUMS)
def _describe(values: NDArray[Any], weight: FloatArray, found: FloatArray) -> None:
    """Fill `found` with number, weight, mean, squared deviations, least and greatest value."""
    n_rows = values.size
    first = 0
    while first < n_rows and values[first] != values[first]:
        first += 1
    if first == n_rows:
        found[4], found[5] = np.inf, -np.inf
        return
    # About the first value, so that the mean of a constant column is that constant to the last bit.
    origin = np.float64(values[first])
    delta, here = np.empty(TILE), np.empty(TILE)
    total, squares, n, w, low, high = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for start in range(0, n_rows, TILE):
        k = min(TILE, n_rows - start)
        n += _present(values[start : start + k], origin, delta, here)
        low, high = _range(delta[:k], low, high)
        if weight.size > 0:
            for i in range(k):
                here[i] *= weight[start + i]
        for i in range(k):
            d = here[i] * delta[i]
            w += here[i]
            total += d
            squares += d * delta[i]
    mean = total / w if w > 0 else 0.0
    about_origin = squares
    squares -= mean * total
    if squares < CANCELLED * about_origin:  # the first value is far from the others: once more, about the mean
        squares = 0.0
        for start in range(0, n_rows, TILE):
            k = min(TILE, n_rows - start)
            _present(values[start : start + k], origin, delta, here)
            if weight.size > 0:
                for i in range(k):
                    here[i] *= weight[start + i]
            for i in range(k):
                d = delta[i] - mean
                squares += here[i] * d * d
    found[0], found[1], found[2], found[3], found[4], found[5] = (
        n,
        w,
        origin + mean,
        squares,
        origin + low,
        origin + high,
    )


@inlined(SUMS)
def _present(values: NDArray[Any], origin: float, delta: FloatArray, here: FloatArray) -> float:
    """Fill `delta` with the values less their origin, 0 for NaN, and `here` with 1 and 0."""
    n = 0.0
    for i in range(values.size):
        x = np.float64(values[i])
        one = 1.0 if x == x else 0.0
        here[i] = one
        delta[i] = x - origin if one > 0.0 else 0.0
        n += one
    return n


@inlined(NO_NAN)
def _range(delta: FloatArray, low: float, high: float) -> tuple[float, float]:
    for d in delta:
        low = d if d < low else low
        high = d if d > high else high
    return low, high


def hash_rows(first_row: int, n_rows: int, seed: int) -> NDArray[np.uint64]:
    """Return a hash of each row's index and the seed; see `zeroloop.blocks.hash_rows`."""
    hashes = np.empty(n_rows, np.uint64)
    _hash(np.uint64(first_row), mixed(seed)[0], hashes)
    return hashes


_splitmix = inlined(EXACT)(splitmix)


@compiled(EXACT)
def _hash(first_row: np.uint64, state: np.uint64, hashes: NDArray[np.uint64]) -> None:
    for i in range(hashes.size):
        hashes[i] = _splitmix(state + (first_row + np.uint64(i)) * STRIDE)
