"""Numeric columns of a tile of rows: their part of the predictor and of the gradient.

Storage is addressed as BLAS does (`Block.flat`): a flat array `x` and a leading dimension `ld`. Stacked columns (the
article's layout) hold example i of feature j at `x[j * ld + i]`; row-major arrays at `x[i * ld + j]`. A tile is small
enough to be read from memory once, for the predictor, and from cache the second time, for the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.kernels import lanes
from zeroloop.kernels.compiled import SUMS, compiled, inlined
from zeroloop.kernels.lanes import LANES

TILE_BYTES = 196_608  # numeric data of a tile: less than half of a second-level cache


@inlined(SUMS)
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


@inlined(SUMS)
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


@inlined(SUMS)
def add_row_major(x: NDArray[Any], ld: int, start: int, coef: FloatArray, z: FloatArray) -> None:
    """`z[i] += sum_j coef[j] x[start + i, j]`: four dot products along four rows at a time."""
    n, k = coef.size, z.size
    whole = n // LANES * LANES
    rest = np.zeros(LANES)  # coefficients of the last lanes, zero where they overlap the ones before
    for j in range(whole if n >= LANES else n, n):
        rest[LANES - n + j] = coef[j]
    i = 0
    while n >= LANES and i + 4 <= k:
        at = (start + i) * ld
        a = b = c = d = lanes.spread(0.0)
        for j in range(0, whole, LANES):
            by = lanes.load(coef, j)
            a = lanes.multiply_add(by, lanes.load(x, at + j), a)
            b = lanes.multiply_add(by, lanes.load(x, at + ld + j), b)
            c = lanes.multiply_add(by, lanes.load(x, at + 2 * ld + j), c)
            d = lanes.multiply_add(by, lanes.load(x, at + 3 * ld + j), d)
        if whole < n:
            by = lanes.load(rest, 0)
            last = at + n - LANES
            a = lanes.multiply_add(by, lanes.load(x, last), a)
            b = lanes.multiply_add(by, lanes.load(x, last + ld), b)
            c = lanes.multiply_add(by, lanes.load(x, last + 2 * ld), c)
            d = lanes.multiply_add(by, lanes.load(x, last + 3 * ld), d)
        lanes.store(z, i, lanes.add(lanes.load(z, i), lanes.sums(a, b, c, d)))
        i += 4
    while i < k:
        row = x[(start + i) * ld : (start + i) * ld + n]
        for j in range(n):
            z[i] += coef[j] * row[j]
        i += 1


@inlined(SUMS)
def gradient_row_major(x: NDArray[Any], ld: int, start: int, d: FloatArray, gradient: FloatArray) -> None:
    """`gradient[j] += sum_i d[i] x[start + i, j]`, four rows at a time."""
    n, k = gradient.size, d.size
    whole = n // LANES * LANES
    rest = lanes.spread(0.0)  # sums of the last lanes, some of which are in the whole ones already
    i = 0
    while n >= LANES and i + 4 <= k:
        at = (start + i) * ld
        d0, d1, d2, d3 = lanes.spread(d[i]), lanes.spread(d[i + 1]), lanes.spread(d[i + 2]), lanes.spread(d[i + 3])
        for j in range(0, whole, LANES):
            a = lanes.multiply_add(d0, lanes.load(x, at + j), lanes.load(gradient, j))
            a = lanes.multiply_add(d1, lanes.load(x, at + ld + j), a)
            a = lanes.multiply_add(d2, lanes.load(x, at + 2 * ld + j), a)
            lanes.store(gradient, j, lanes.multiply_add(d3, lanes.load(x, at + 3 * ld + j), a))
        if whole < n:
            last = at + n - LANES
            rest = lanes.multiply_add(d0, lanes.load(x, last), rest)
            rest = lanes.multiply_add(d1, lanes.load(x, last + ld), rest)
            rest = lanes.multiply_add(d2, lanes.load(x, last + 2 * ld), rest)
            rest = lanes.multiply_add(d3, lanes.load(x, last + 3 * ld), rest)
        i += 4
    sums_of_rest = np.empty(LANES)
    lanes.store(sums_of_rest, 0, rest)
    for j in range(whole if n >= LANES else n, n):
        gradient[j] += sums_of_rest[LANES - n + j]
    while i < k:
        row = x[(start + i) * ld : (start + i) * ld + n]
        for j in range(n):
            gradient[j] += d[i] * row[j]
        i += 1


@inlined(SUMS)
def add_outputs(x: NDArray[Any], ld: int, by_row: bool, start: int, coef: FloatArray, z: FloatArray) -> None:
    """`z[k, i] += sum_j coef[k, j] x[j, start + i]`; row-major, four rows and two outputs at a time."""
    n_outputs, n = coef.shape
    n_rows = z.shape[1]
    flat = coef.reshape(-1)
    whole = n // LANES * LANES
    four = n_rows // 4 * 4 if by_row else 0
    for i in range(0, four, 4):
        at = (start + i) * ld
        for k in range(0, n_outputs, 2):
            other = min(k + 1, n_outputs - 1)
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = lanes.spread(0.0)
            for j in range(0, whole, LANES):
                c, d = lanes.load(flat, k * n + j), lanes.load(flat, other * n + j)
                x0, x1 = lanes.load(x, at + j), lanes.load(x, at + ld + j)
                a0, a1 = lanes.multiply_add(c, x0, a0), lanes.multiply_add(c, x1, a1)
                b0, b1 = lanes.multiply_add(d, x0, b0), lanes.multiply_add(d, x1, b1)
                x2, x3 = lanes.load(x, at + 2 * ld + j), lanes.load(x, at + 3 * ld + j)
                a2, a3 = lanes.multiply_add(c, x2, a2), lanes.multiply_add(c, x3, a3)
                b2, b3 = lanes.multiply_add(d, x2, b2), lanes.multiply_add(d, x3, b3)
            lanes.store(z[k], i, lanes.add(lanes.load(z[k], i), lanes.sums(a0, a1, a2, a3)))
            if other > k:
                lanes.store(z[other], i, lanes.add(lanes.load(z[other], i), lanes.sums(b0, b1, b2, b3)))
    for k in range(n_outputs):
        for i in range(four):
            for j in range(whole, n):
                z[k, i] += coef[k, j] * x[(start + i) * ld + j]
    for k in range(n_outputs):
        if by_row:
            add_row_major(x, ld, start + four, coef[k], z[k, four:])
        else:
            add_stacked(x, ld, start, coef[k], z[k])


@inlined(SUMS)
def gradient_outputs(x: NDArray[Any], ld: int, by_row: bool, start: int, d: FloatArray, gradient: FloatArray) -> None:
    """`gradient[k, j] += sum_i d[k, i] x[j, start + i]`; row-major, four rows and two outputs at a time."""
    n_outputs, n = gradient.shape
    n_rows = d.shape[1]
    flat = gradient.reshape(-1)
    whole = n // LANES * LANES
    four = n_rows // 4 * 4 if by_row else 0
    for i in range(0, four, 4):
        at = (start + i) * ld
        for k in range(0, n_outputs, 2):
            other = min(k + 1, n_outputs - 1)
            one = 1.0 if other > k else 0.0
            a0, a1, a2, a3 = (
                lanes.spread(d[k, i]),
                lanes.spread(d[k, i + 1]),
                lanes.spread(d[k, i + 2]),
                lanes.spread(d[k, i + 3]),
            )
            b0, b1, b2, b3 = (
                lanes.spread(one * d[other, i]),
                lanes.spread(one * d[other, i + 1]),
                lanes.spread(one * d[other, i + 2]),
                lanes.spread(one * d[other, i + 3]),
            )
            for j in range(0, whole, LANES):
                x0, x1 = lanes.load(x, at + j), lanes.load(x, at + ld + j)
                x2, x3 = lanes.load(x, at + 2 * ld + j), lanes.load(x, at + 3 * ld + j)
                a = lanes.multiply_add(a0, x0, lanes.load(flat, k * n + j))
                a = lanes.multiply_add(a1, x1, a)
                a = lanes.multiply_add(a2, x2, a)
                lanes.store(flat, k * n + j, lanes.multiply_add(a3, x3, a))
                b = lanes.multiply_add(b0, x0, lanes.load(flat, other * n + j))
                b = lanes.multiply_add(b1, x1, b)
                b = lanes.multiply_add(b2, x2, b)
                lanes.store(flat, other * n + j, lanes.multiply_add(b3, x3, b))
    for k in range(n_outputs):
        for i in range(four):
            for j in range(whole, n):
                gradient[k, j] += d[k, i] * x[(start + i) * ld + j]
    for k in range(n_outputs):
        if by_row:
            gradient_row_major(x, ld, start + four, d[k, four:], gradient[k])
        else:
            gradient_stacked(x, ld, start, d[k], gradient[k])


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
    whole = n_x // LANES * LANES if by_row and rows >= 2 else 0
    minus, zero = -origin, lanes.spread(0.0)
    for pair in range(0, rows if whole > 0 else 0, 2):
        i = min(pair, rows - 2)
        w0, w1 = lanes.spread(weight[i] if i == pair else 0.0), lanes.spread(weight[i + 1])
        for j in range(0, whole, LANES):
            shift = lanes.load(minus, j)
            u0, u1 = lanes.add(lanes.load(x, i * ld + j), shift), lanes.add(lanes.load(x, (i + 1) * ld + j), shift)
            v0, v1 = lanes.multiply_add(w0, u0, zero), lanes.multiply_add(w1, u1, zero)
            lanes.store(total, j, lanes.add(lanes.add(v0, v1), lanes.load(total, j)))
            squared = lanes.multiply_add(v1, u1, lanes.load(squares, j))
            lanes.store(squares, j, lanes.multiply_add(v0, u0, squared))
    for j in range(whole, n_x):
        first_j = second_j = 0.0
        for i in range(rows):
            u_j = x[np.uint64(i * ld + j if by_row else j * ld + i)] - origin[j]
            first_j += weight[i] * u_j
            second_j += weight[i] * u_j * u_j
        total[j] += first_j
        squares[j] += second_j
