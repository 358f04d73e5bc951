"""How sure predictions are: the standard error of each row's predictor."""

from __future__ import annotations

import numpy as np

from zeroloop.blocks import Block, FloatArray
from zeroloop.estimates import Estimates
from zeroloop.kernels.forms import predictors, squared_lengths
from zeroloop.tables.schema import Schema

NO_GROWTH = 1e-6  # of a direction of separation: rows that it moves less have finite predictors


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
        found = np.sqrt(squared_lengths(block, forms, centre, block.n_rows))
    else:
        total = np.zeros_like(share)
        for form in forms:
            of_each = predictors(block, form.reshape(-1, n), centre, block.n_rows)
            mean = np.sum(share[1:] * of_each, axis=0)
            moved = np.concatenate([-mean[np.newaxis], of_each - mean])  # of log p; of the logit 1 / (1 - p) times
            total += moved**2
        found = np.sqrt(total) / (1 - share)
    if estimates.separation is not None:
        direction = np.array(estimates.separation.direction).reshape(-1, n)
        grows = np.abs(predictors(block, direction, np.zeros(centre.size), block.n_rows))
        found[..., np.any(grows > NO_GROWTH * np.max(np.abs(direction)), axis=0)] = np.nan
    return found
