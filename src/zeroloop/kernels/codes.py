"""Categorical columns of a tile of rows, as integer codes: gather for the predictor, scatter for the gradient.

A code is the index of a coefficient. The code `n_coefs` stands for no coefficient: there `coef` holds a zero and the
gradient a slot that is thrown away, so that neither loop has a branch on what kind of level it meets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.kernels.compiled import SUMS, compiled


@compiled(SUMS)
def add_codes(codes: NDArray[np.int32], start: int, coef: FloatArray, z: FloatArray) -> None:
    """`z[i] += sum_c coef[codes[c, start + i]]`."""
    for c in range(codes.shape[0]):
        for i in range(z.size):
            z[i] += coef[codes[c, start + i]]


@compiled(SUMS)
def gradient_codes(codes: NDArray[np.int32], start: int, d: FloatArray, gradient: FloatArray) -> None:
    """`gradient[codes[c, start + i]] += d[i]` for every categorical column c."""
    for c in range(codes.shape[0]):
        for i in range(d.size):
            gradient[codes[c, start + i]] += d[i]
