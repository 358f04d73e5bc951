"""How sure predictions are: the standard error of each row's predictor."""

from __future__ import annotations

import numpy as np

from zeroloop.algebra import matmul
from zeroloop.blocks import Block, FloatArray
from zeroloop.estimates import Estimates
from zeroloop.kernels.forms import predictors, squared_lengths
from zeroloop.tables.schema import Schema

NO_GROWTH = 1e-7  # of a direction in which the data say nothing: what rounding leaves in rows that it does not move


def row_errors(block: Block, share: FloatArray, estimates: Estimates, schema: Schema, forms: FloatArray) -> FloatArray:
    """Return the standard error of each row's predictor `(rows,)`, or of each class's logit `(K, rows)` (delta method).

    NaN for a row whose predictor has no finite estimate.

    Args:
        block: rows.
        share: the probability of each class, `(K, rows)`.
        estimates: of the coefficients.
        schema: of the columns.
        forms: `error_forms` of the estimates, made once for all rows.

    """
    n, centre = schema.n_coefs, schema.centre
    if len(share) == 2:
        found = np.sqrt(squared_lengths(block, forms, centre))
    else:
        total = np.zeros_like(share)
        for form in forms:
            of_each = predictors(block, form.reshape(-1, n), centre)
            mean = np.sum(share[1:] * of_each, axis=0)
            moved = np.concatenate([-mean[np.newaxis], of_each - mean])  # of log p; of the logit 1 / (1 - p) times
            total += moved**2
        found = np.sqrt(total) / (1 - share)
    if estimates.separation is not None:
        undecided = np.zeros(block.n_rows, dtype=bool)
        for direction in estimates.separation.directions().reshape(-1, estimates.n_outputs, n):
            about = direction.copy()
            about[:, 0] += matmul(about[:, 1 : 1 + centre.size], centre)
            moved = np.max(np.abs(predictors(block, about, centre)), axis=0)
            undecided |= moved > NO_GROWTH * np.max(np.abs(about) * schema.scale)
        found[..., undecided] = np.nan
    return found
