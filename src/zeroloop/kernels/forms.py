"""Linear forms of rows: several coefficients at once, and the lengths that they give each row."""

from __future__ import annotations

import numpy as np

from zeroloop.blocks import Block, FloatArray
from zeroloop.kernels import statistics

AT_ONCE = 32  # forms of a block that are held at a time


def predictors(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the linear predictor of each output and row, `(n_outputs, rows)`.

    Args:
        block: rows.
        coef: `(n_outputs, n_coefs)`, about the centre.
        centre: `(n_x,)`.

    """
    z: FloatArray = statistics.predictor(block, coef, centre)
    return z.reshape(len(coef), -1)


def exact_predictors(block: Block, forms: FloatArray, centre: FloatArray) -> FloatArray:
    """Return forms of each row, `(k, rows)`, of which columns of numbers are summed in twice the digits of float64.

    What is left of a column once others are taken from it is a millionth of its terms; rounded where these are, rows
    that lie on one plane would lie on it no more.

    Source: Dekker, "A floating-point technique for extending the available precision", Numerische Mathematik, 1971.

    Args:
        block: rows.
        forms: `(k, n_coefs)`, about the centre.
        centre: `(n_x,)`.

    """
    rest = forms.copy()
    rest[:, 1 : 1 + centre.size] = 0.0
    found = predictors(block, rest, centre) if np.any(rest) else np.zeros((len(forms), block.n_rows))
    for total, form in zip(found, forms[:, 1 : 1 + centre.size], strict=True):
        low = np.zeros(block.n_rows)
        for j in np.flatnonzero(form).tolist():
            x, x_low = _exact_sum(block.numeric[j].astype(np.float64), -centre[j])
            term, term_low = _exact_product(x, form[j])
            total[:], sum_low = _exact_sum(total, term)
            low += term_low + form[j] * x_low + sum_low
        total += low
    return found


def _exact_sum(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def _exact_product(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    shifted = 134_217_729.0 * a  # 2^27 + 1
    high = shifted - (shifted - a)
    return high, a - high


def squared_lengths(block: Block, forms: FloatArray, centre: FloatArray) -> FloatArray:
    """Return `sum_k (forms[k] . x_i)^2` of each row, `(rows,)`; `forms` `(k, n_coefs)` is about the centre."""
    total = np.zeros(block.n_rows)
    for start in range(0, len(forms), AT_ONCE):
        z = predictors(block, forms[start : start + AT_ONCE], centre)
        total += np.sum(z * z, axis=0)
    return total


def dense_terms(block: Block, centre: FloatArray, rows: slice) -> FloatArray:
    """Return the terms of some rows `(n_coefs, rows)`: ones, shifted numeric columns, 0/1 for each level."""
    numeric, all_codes = block.numeric[:, rows], block.codes[:, rows]
    n_x, n_rows = numeric.shape
    terms = np.empty((block.n_coefs + 1, n_rows))  # one term after the other, so that NumPy's inner loops are long
    terms[0] = 1.0
    np.subtract(numeric, centre[:, np.newaxis], out=terms[1 : 1 + n_x])
    terms[1 + n_x :] = 0.0
    for codes in all_codes:
        terms[codes, np.arange(n_rows)] = 1.0
    if block.sparse is not None:
        place, column, values = block.sparse.triples()
        place = place - (rows.start or 0)
        met = (place >= 0) & (place < n_rows)
        terms[1 + n_x + column[met], place[met]] = values[met]
    if block.marks.size > 0:
        row = block.marks[0] - (rows.start or 0)
        here = (row >= 0) & (row < n_rows)
        terms[block.marks[1, here], row[here]] = 1.0
    return terms[:-1]
