"""The Hessian of a tile of rows, `X diag(curvature) X'`, for every pair of kinds: numeric and codes.

Numeric columns are first shifted by their centre into scratch: products of raw columns far from zero (a Unix
time) would lose the variance in the square of the mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.kernels.codes import first_mark
from zeroloop.kernels.compiled import SUMS, inlined


@inlined(SUMS)
def shift(x: NDArray[Any], ld: int, by_row: bool, start: int, centre: FloatArray, v: FloatArray) -> None:
    """`v[0, i] = 1`, `v[1 + j, i] = x[j, start + i] - centre[j]`: the tile's numeric terms, intercept first."""
    k = v.shape[1]
    for i in range(k):
        v[0, i] = 1.0
    for j in range(centre.size):
        for i in range(k):
            at = (start + i) * ld + j if by_row else j * ld + start + i
            v[1 + j, i] = x[at] - centre[j]


@inlined(SUMS)
def hessian_numeric(v: FloatArray, curvature: FloatArray, hessian: FloatArray) -> None:
    """`hessian[j, l] += sum_i curvature[i] v[j, i] v[l, i]` for j <= l; some cells below the diagonal too.

    Two rows of v against four at a time: eight running sums, which is what the vector registers hold. One row
    against four reaches 18 GFLOP/s a core, this 27.
    """
    n, k = v.shape
    scaled = np.empty((2, k))
    for j in range(0, n, 2):
        second = min(j + 1, n - 1)
        for i in range(k):
            scaled[0, i] = curvature[i] * v[j, i]
            scaled[1, i] = curvature[i] * v[second, i]
        s0, s1 = scaled[0], scaled[1]
        m = j
        while m + 4 <= n:
            v0, v1, v2, v3 = v[m], v[m + 1], v[m + 2], v[m + 3]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = 0.0
            for i in range(k):
                a0 += s0[i] * v0[i]
                a1 += s0[i] * v1[i]
                a2 += s0[i] * v2[i]
                a3 += s0[i] * v3[i]
                b0 += s1[i] * v0[i]
                b1 += s1[i] * v1[i]
                b2 += s1[i] * v2[i]
                b3 += s1[i] * v3[i]
            hessian[j, m] += a0
            hessian[j, m + 1] += a1
            hessian[j, m + 2] += a2
            hessian[j, m + 3] += a3
            if second > j:
                hessian[second, m] += b0
                hessian[second, m + 1] += b1
                hessian[second, m + 2] += b2
                hessian[second, m + 3] += b3
            m += 4
        while m < n:
            v0 = v[m]
            a0 = b0 = 0.0
            for i in range(k):
                a0 += s0[i] * v0[i]
                b0 += s1[i] * v0[i]
            hessian[j, m] += a0
            if second > j:
                hessian[second, m] += b0
            m += 1


@inlined(SUMS)
def diagonal_numeric(v: FloatArray, curvature: FloatArray, diagonal: FloatArray) -> None:
    """`diagonal[0, j] += sum_i h[j, i]`, `diagonal[1, j] += sum_i h[j, i]^2`, `h[j, i] = curvature[i] v[j, i]^2`."""
    for j in range(v.shape[0]):
        row = v[j]
        first = second = 0.0
        for i in range(row.size):
            h = curvature[i] * row[i] * row[i]
            first += h
            second += h * h
        diagonal[0, j] += first
        diagonal[1, j] += second


@inlined(SUMS)
def hessian_codes(
    codes: NDArray[np.int32], start: int, v: FloatArray, curvature: FloatArray, hessian: FloatArray
) -> None:
    """Scatter the pairs (numeric, code) and (code, code); the last row and column are of no coefficient."""
    n, k = v.shape
    n_c = codes.shape[0]
    if n_c == 0:
        return
    x = np.empty(n)
    met = np.empty(n_c, np.uint32)
    for i in range(k):
        h = curvature[i]
        for j in range(n):
            x[j] = h * v[j, i]
        for c in range(n_c):
            met[c] = codes[c, start + i]
            row = hessian[met[c]]
            # The transposed cells, in the row of the level: contiguous in j. `move_codes_up` moves them at the end.
            for j in range(n):
                row[j] += x[j]
            for other in range(c):
                hessian[met[other], met[c]] += h
            row[met[c]] += h


@inlined(SUMS)
def hessian_marks(
    codes: NDArray[np.int32],
    marks: NDArray[np.int32],
    start: int,
    v: FloatArray,
    curvature: FloatArray,
    hessian: FloatArray,
) -> None:
    """Scatter the pairs of marks with numeric columns, codes and one another; rows of a lower coefficient first."""
    n, k = v.shape
    last = first_mark(marks, start + k)
    for p in range(first_mark(marks, start), last):
        at, i = marks[1, p], marks[0, p] - start
        h = curvature[i]
        for j in range(n):
            hessian[at, j] += h * v[j, i]
        for c in range(codes.shape[0]):
            code = codes[c, start + i]
            hessian[min(at, code), max(at, code)] += h
        other = p
        while other < last and marks[0, other] == marks[0, p]:
            hessian[min(at, marks[1, other]), max(at, marks[1, other])] += h
            other += 1


@inlined(SUMS)
def move_codes_up(hessian: FloatArray, n: int) -> None:
    """Move the pairs (numeric, code) from below the diagonal, where `hessian_codes` put them, above it."""
    for at in range(n, hessian.shape[0]):
        for j in range(n):
            hessian[j, at] = hessian[at, j]
