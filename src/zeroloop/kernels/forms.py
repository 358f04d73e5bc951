"""Linear forms of rows: several coefficients at once, and the lengths that they give each row."""

from __future__ import annotations

import numpy as np

from zeroloop.blocks import Block, FloatArray
from zeroloop.kernels.select import statistics

AT_ONCE = 32  # forms of a block that are held at a time


def predictors(block: Block, coef: FloatArray, centre: FloatArray, n_rows: int) -> FloatArray:
    """Return the linear predictor of each output and row, `(n_outputs, rows)`.

    Args:
        block: rows.
        coef: `(n_outputs, n_coefs)`, about the centre.
        centre: `(n_x,)`.
        n_rows: of the block's source.

    """
    z: FloatArray = statistics(n_rows, block.n_coefs).predictor(block, coef, centre)
    return z.reshape(len(coef), -1)


def squared_lengths(block: Block, forms: FloatArray, centre: FloatArray, n_rows: int) -> FloatArray:
    """Return `sum_k (forms[k] . x_i)^2` of each row, `(rows,)`; `forms` `(k, n_coefs)` is about the centre."""
    total = np.zeros(block.n_rows)
    for start in range(0, len(forms), AT_ONCE):
        z = predictors(block, forms[start : start + AT_ONCE], centre, n_rows)
        total += np.einsum("ki,ki->i", z, z)
    return total
