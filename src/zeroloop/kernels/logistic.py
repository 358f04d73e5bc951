"""Sigmoid, log loss and derivatives of one linear predictor, at any magnitude.

With `e = exp(-|z|)`, which never overflows::

    log loss    max(z, 0) - y z + log(1 + e)
    sigmoid     1 / (1 + e) for z >= 0, e / (1 + e) below: exact in either tail
    curvature   e / (1 + e)^2

`exp` and `log1p` are written out here, branch-free over the arguments that occur (`exp` at or below 0, `log1p`
at or above), because Numba's calls to the C library keep a loop from being vectorised: 10.7 ns a value against 2.1 with
AVX2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.kernels.compiled import EXACT, SUMS, compiled, inlined

_LOG2_E = 1.4426950408889634
# ln 2 in two parts: the first has 32 trailing zero bits, so its product with k is exact.
_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
# Adding 1.5 * 2^52 rounds to an integer and leaves it in the lowest bits; unlike float-to-int conversion,
# which needs AVX-512, this vectorises everywhere.
_ROUND = 6755399441055744.0
_ROUND_BITS = np.uint64(0x4338000000000000)
_SQRT_HALF_BITS = np.uint64(0x3FE6A09E667F3BCD)
_SMALLEST = -746.0  # exp is 0 in float64 from -745.2 down


@inlined(EXACT)
def exp_nonpositive(x: float) -> float:
    """Return exp(x) for x <= 0 (-inf included), to 1 ulp; Cody and Waite's reduction and Taylor's polynomial.

    The polynomial's remainder on |r| <= ln(2)/2 is r^14/14! = 4e-18, below rounding.
    """
    x = max(x, _SMALLEST)
    shifted = x * _LOG2_E + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LN2_HI) - k * _LN2_LO
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 1.6666666666666666e-01
    p = p * r + 0.5
    p = (p * r) * r + r
    # 2^k in two factors, 2^(k+64) and 2^-64, so that subnormal results are rounded once.
    bits = (np.float64(shifted).view(np.int64) + np.int64(1023 + 64)) << np.int64(52)
    scale = np.int64(bits).view(np.float64)
    return (scale + scale * p) * 5.421010862427522e-20


@inlined(EXACT)
def log1p_nonnegative(t: float) -> float:
    """Return log(1 + t) for finite t >= 0, to 2 ulp.

    `1 + t = 2^k (1 + f)` with `1 + f` in [sqrt(2)/2, sqrt(2)], `f` rounded once; the polynomial is that of log in
    fdlibm (Sun Microsystems, 1993).
    """
    # Unsigned, because AVX2 has no arithmetic shift of 64 bits.
    k = (np.float64(1.0 + t).view(np.uint64) - _SQRT_HALF_BITS) >> np.uint64(52)
    scale = np.uint64((np.uint64(1023) - k) << np.uint64(52)).view(np.float64)
    exponent = np.uint64(k + _ROUND_BITS).view(np.float64) - _ROUND
    f = t * scale + (scale - 1.0)
    s = f / (2.0 + f)
    u = s * s
    r = 1.479819860511658591e-01
    r = r * u + 1.531383769920937332e-01
    r = r * u + 1.818357216161805012e-01
    r = r * u + 2.222219843214978396e-01
    r = r * u + 2.857142874366239149e-01
    r = r * u + 3.999999999940941908e-01
    r = r * u + 6.666666666666735130e-01
    half = 0.5 * f * f
    return exponent * _LN2_HI - ((half - (s * (half + r * u) + exponent * _LN2_LO)) - f)


@inlined(SUMS)
def sum_log1p(e: FloatArray) -> float:
    """Return `sum_i log(1 + e[i])` for 0 <= e <= 1: one logarithm for eight values.

    `(1 + a)(1 + b) = 1 + (a + b + a b)`: products that lose nothing of the smallest values.
    """
    q = e.size // 8
    e0, e1, e2, e3 = e[:q], e[q : 2 * q], e[2 * q : 3 * q], e[3 * q : 4 * q]
    e4, e5, e6, e7 = e[4 * q : 5 * q], e[5 * q : 6 * q], e[6 * q : 7 * q], e[7 * q : 8 * q]
    total = 0.0
    for i in range(q):
        a = e0[i] + e1[i] + e0[i] * e1[i]
        b = e2[i] + e3[i] + e2[i] * e3[i]
        c = e4[i] + e5[i] + e4[i] * e5[i]
        d = e6[i] + e7[i] + e6[i] * e7[i]
        ab = a + b + a * b
        cd = c + d + c * d
        total += log1p_nonnegative(ab + cd + ab * cd)
    for i in range(8 * q, e.size):
        total += log1p_nonnegative(e[i])
    return total


@inlined(SUMS)
def loss_and_residual(
    z: FloatArray, y: NDArray[np.float32], weight: FloatArray, residual: FloatArray, e: FloatArray
) -> float:
    """Return `sum_i weight[i] log_loss(z[i], y[i])`; fill `residual` and `e`; `z` is scratch.

    `residual[i] = weight[i] (a[i] - y[i])` with `a = sigmoid(z)`, the loss's derivative in z, and `e = exp(-|z|)`, or 0
    in a row without weight. An empty `weight` stands for ones.
    """
    loss = 0.0
    for i in range(z.size):
        tail = exp_nonpositive(-abs(z[i]))
        share = 1.0 / (1.0 + tail)
        residual[i] = (share if z[i] >= 0.0 else tail * share) - y[i]
        z[i] = max(z[i], 0.0) - y[i] * z[i]
        e[i] = tail
        loss += z[i]
    if weight.size == 0:
        return loss + sum_log1p(e)
    masked = 0.0  # where all weights are 0 and 1, as in a cross-validation, they only mask
    for i in range(z.size):
        residual[i] *= weight[i]
        masked += abs(weight[i] - weight[i] * weight[i])
    loss = 0.0
    if masked == 0.0:
        for i in range(z.size):
            e[i] *= weight[i]
            loss += weight[i] * z[i]
        return loss + sum_log1p(e)
    for i in range(z.size):
        loss += weight[i] * (z[i] + log1p_nonnegative(e[i]))
    return loss


@inlined(SUMS)
def curvature_of(e: FloatArray, weight: FloatArray) -> None:
    """Replace `e = exp(-|z|)` by `weight a (1 - a)`, the loss's second derivative in z."""
    for i in range(e.size):
        share = 1.0 / (1.0 + e[i])
        e[i] *= share * share
    if weight.size > 0:
        for i in range(e.size):
            e[i] *= weight[i]


@inlined(SUMS)
def curvature_at(z: FloatArray, weight: FloatArray) -> None:
    """Replace the predictor z by `weight a (1 - a)`."""
    for i in range(z.size):
        z[i] = exp_nonpositive(-abs(z[i]))
    curvature_of(z, weight)


@compiled(SUMS)
def sigmoids(z: FloatArray, below: FloatArray, above: FloatArray) -> None:
    """Fill `below` with sigmoid(-z) and `above` with sigmoid(z), each exact in its tail."""
    for i in range(z.size):
        e = exp_nonpositive(-abs(z[i]))
        share = 1.0 / (1.0 + e)
        tail = e * share
        below[i] = tail if z[i] >= 0.0 else share
        above[i] = share if z[i] >= 0.0 else tail
