"""Numeric columns of a tile of rows: their part of the predictor and of the gradient.

Storage is addressed as BLAS does (`Block.flat`): a flat array `x` and a leading dimension `ld`. Stacked columns (the
article's layout) hold example i of feature j at `x[j * ld + i]`; row-major arrays at `x[i * ld + j]`. A tile is small
enough to be read from memory once, for the predictor, and from cache the second time, for the gradient.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.kernels.compiled import SUMS, compiled

TILE_BYTES = 196_608  # numeric data of a tile: less than half of a second-level cache


@compiled(SUMS)
def tile_rows(n_x: int, itemsize: int) -> int:
    """Return how many rows a tile has: a multiple of 16, a function of the block's shape alone."""
    return max(64, min(2048, TILE_BYTES // (max(n_x, 1) * itemsize) // 16 * 16))


@compiled(SUMS)
def add_stacked(x: NDArray[Any], ld: int, start: int, coef: FloatArray, z: FloatArray) -> None:
    """`z[i] += sum_j coef[j] x[j, start + i]`, four features at a time: z is loaded and stored a quarter as often."""
    n, k = coef.size, z.size
    j = 0
    while j + 4 <= n:
        c0, c1, c2, c3 = coef[j], coef[j + 1], coef[j + 2], coef[j + 3]
        x0 = x[j * ld + start : j * ld + start + k]
        x1 = x[(j + 1) * ld + start : (j + 1) * ld + start + k]
        x2 = x[(j + 2) * ld + start : (j + 2) * ld + start + k]
        x3 = x[(j + 3) * ld + start : (j + 3) * ld + start + k]
        for i in range(k):
            z[i] += c0 * x0[i] + c1 * x1[i] + c2 * x2[i] + c3 * x3[i]
        j += 4
    while j < n:
        c0 = coef[j]
        x0 = x[j * ld + start : j * ld + start + k]
        for i in range(k):
            z[i] += c0 * x0[i]
        j += 1


@compiled(SUMS)
def gradient_stacked(x: NDArray[Any], ld: int, start: int, d: FloatArray, gradient: FloatArray) -> None:
    """`gradient[j] += sum_i d[i] x[j, start + i]`, four features at a time: d is loaded a quarter as often."""
    n, k = gradient.size, d.size
    j = 0
    while j + 4 <= n:
        x0 = x[j * ld + start : j * ld + start + k]
        x1 = x[(j + 1) * ld + start : (j + 1) * ld + start + k]
        x2 = x[(j + 2) * ld + start : (j + 2) * ld + start + k]
        x3 = x[(j + 3) * ld + start : (j + 3) * ld + start + k]
        a0 = a1 = a2 = a3 = 0.0
        for i in range(k):
            a0 += d[i] * x0[i]
            a1 += d[i] * x1[i]
            a2 += d[i] * x2[i]
            a3 += d[i] * x3[i]
        gradient[j] += a0
        gradient[j + 1] += a1
        gradient[j + 2] += a2
        gradient[j + 3] += a3
        j += 4
    while j < n:
        x0 = x[j * ld + start : j * ld + start + k]
        a0 = 0.0
        for i in range(k):
            a0 += d[i] * x0[i]
        gradient[j] += a0
        j += 1


@compiled(SUMS)
def add_row_major(x: NDArray[Any], ld: int, start: int, coef: FloatArray, z: FloatArray) -> None:
    """`z[i] += sum_j coef[j] x[start + i, j]`: a dot product along each row."""
    for i in range(z.size):
        row = x[(start + i) * ld : (start + i) * ld + coef.size]
        a = 0.0
        for j in range(coef.size):
            a += coef[j] * row[j]
        z[i] += a


@compiled(SUMS)
def gradient_row_major(x: NDArray[Any], ld: int, start: int, d: FloatArray, gradient: FloatArray) -> None:
    """`gradient[j] += sum_i d[i] x[start + i, j]`, four rows at a time."""
    n, k = gradient.size, d.size
    i = 0
    while i + 4 <= k:
        d0, d1, d2, d3 = d[i], d[i + 1], d[i + 2], d[i + 3]
        at = (start + i) * ld
        x0 = x[at : at + n]
        x1 = x[at + ld : at + ld + n]
        x2 = x[at + 2 * ld : at + 2 * ld + n]
        x3 = x[at + 3 * ld : at + 3 * ld + n]
        for j in range(n):
            gradient[j] += d0 * x0[j] + d1 * x1[j] + d2 * x2[j] + d3 * x3[j]
        i += 4
    while i < k:
        x0 = x[(start + i) * ld : (start + i) * ld + n]
        for j in range(n):
            gradient[j] += d[i] * x0[j]
        i += 1


@compiled(SUMS)
def add_moments(
    x: NDArray[Any],
    ld: int,
    by_row: bool,
    weight: FloatArray,
    origin: FloatArray,
    total: FloatArray,
    squares: FloatArray,
) -> None:
    """`total[j] = sum_i weight[i] u[j, i]`, `squares[j] = sum_i weight[i] u[j, i]^2`, `u = x - origin`."""
    n_x, rows = origin.size, weight.size
    if by_row:
        for i in range(rows):
            row = x[i * ld : i * ld + n_x]
            for j in range(n_x):
                u = row[j] - origin[j]
                total[j] += weight[i] * u
                squares[j] += weight[i] * u * u
        return
    for j in range(n_x):
        column = x[j * ld : j * ld + rows]
        first = second = 0.0
        for i in range(rows):
            u = column[i] - origin[j]
            first += weight[i] * u
            second += weight[i] * u * u
        total[j] += first
        squares[j] += second
