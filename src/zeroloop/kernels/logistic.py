"""Sigmoid, log loss and derivatives of one linear predictor, at any magnitude.

With `e = exp(-|z|)`, which never overflows::

    log loss    max(z, 0) - y z + log(1 + e)
    sigmoid     1 / (1 + e) for z >= 0, e / (1 + e) below: exact in either tail
    curvature   e / (1 + e)^2

`exp` and `log1p` are written out here, branch-free over the arguments that occur (`exp` at or below 0, `log1p`
on [0, 1]), because Numba's calls to the C library keep a loop from being vectorised: 10.7 ns a value against 2.1 with
AVX2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.kernels.compiled import EXACT, SUMS, compiled

_LOG2_E = 1.4426950408889634
# ln 2 in two parts: the first has 32 trailing zero bits, so its product with k is exact.
_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
# Adding 1.5 * 2^52 rounds to an integer and leaves it in the lowest bits; unlike float-to-int conversion,
# which needs AVX-512, this vectorises everywhere.
_ROUND = 6755399441055744.0
_SMALLEST = -746.0  # exp is 0 in float64 from -745.2 down


@compiled(EXACT)
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


@compiled(EXACT)
def log1p_unit(e: float) -> float:
    """Return log(1 + e) for 0 <= e <= 1, to 2 ulp.

    The polynomial is that of log in fdlibm (Sun Microsystems, 1993) on [sqrt(2)/2, sqrt(2)].
    """
    big = e > 0.4142135623730950
    f = (e - 1.0) * 0.5 if big else e
    s = f / (2.0 + f)
    t = s * s
    r = 1.479819860511658591e-01
    r = r * t + 1.531383769920937332e-01
    r = r * t + 1.818357216161805012e-01
    r = r * t + 2.222219843214978396e-01
    r = r * t + 2.857142874366239149e-01
    r = r * t + 3.999999999940941908e-01
    r = r * t + 6.666666666666735130e-01
    half = 0.5 * f * f
    high = _LN2_HI if big else 0.0
    low = _LN2_LO if big else 0.0
    return high - ((half - (s * (half + r * t) + low)) - f)


@compiled(SUMS)
def loss_and_derivatives(
    z: FloatArray,
    y: NDArray[np.float32],
    weight: FloatArray,
    residual: FloatArray,
    curvature: FloatArray,
    e: FloatArray,
) -> float:
    """Return `sum_i weight[i] log_loss(z[i], y[i])` and fill its derivatives in z, `z` and `e` being scratch.

    `residual[i] = weight[i] (a[i] - y[i])`, `curvature[i] = weight[i] a[i] (1 - a[i])`, with
    `a = sigmoid(z)`. An empty `weight` stands for ones.
    """
    # Two loops: in one, the polynomials of exp and log1p together run out of vector registers (5.0 ns, not 4.0).
    for i in range(z.size):
        tail = exp_nonpositive(-abs(z[i]))
        share = 1.0 / (1.0 + tail)
        residual[i] = (share if z[i] >= 0.0 else tail * share) - y[i]
        curvature[i] = tail * share * share
        z[i] = max(z[i], 0.0) - y[i] * z[i]
        e[i] = tail
    loss = 0.0
    if weight.size == 0:
        for i in range(z.size):
            loss += z[i] + log1p_unit(e[i])
    else:
        for i in range(z.size):
            loss += weight[i] * (z[i] + log1p_unit(e[i]))
            residual[i] *= weight[i]
            curvature[i] *= weight[i]
    return loss


@compiled(SUMS)
def sigmoid(z: FloatArray) -> None:
    """Replace each z by `1 / (1 + exp(-z))`, exact in either tail."""
    for i in range(z.size):
        e = exp_nonpositive(-abs(z[i]))
        share = 1.0 / (1.0 + e)
        z[i] = share if z[i] >= 0.0 else e * share
