"""The optimum of a quadratic model with an L1 penalty and bounds, by coordinate descent: no pass over rows.

Plain Python, which `zeroloop.kernels.sweep` compiles, and which `zeroloop.kernels.small` runs as it is.
"""

from __future__ import annotations

from zeroloop.blocks import FloatArray


def minimise_quadratic(
    hessian: FloatArray,
    gradient: FloatArray,
    theta: FloatArray,
    l1: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    tol: float,
    most_sweeps: int,
) -> FloatArray:
    """Return the x that minimises `gradient d + 1/2 d' hessian d + sum_j l1[j] |x[j]|`, `d = x - theta`, within bounds.

    Sweeps over all coordinates alternate with sweeps over those off zero, until no coordinate's slope changes by more
    than `tol`. Source: Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via
    coordinate descent", J. Statistical Software, 2010, section 2.

    Args:
        hessian: `(n, n)`, symmetric, positive semi-definite.
        gradient: `(n,)` at theta.
        theta: `(n,)`.
        l1: `(n,)`, at least 0.
        lower: `(n,)`, at most 0.
        upper: `(n,)`, at least 0.
        tol: when to stop.
        most_sweeps: when to stop all the same.

    """
    x = theta.copy()
    slope = gradient.copy()
    whole = True
    for _ in range(most_sweeps):
        change = 0.0
        for j in range(x.size):
            h = hessian[j, j]
            if h <= 0.0 or (not whole and x[j] == 0.0):
                continue
            new = x[j] - slope[j] / h
            threshold = l1[j] / h
            if new > threshold:
                new = min(new - threshold, upper[j])
            elif new < -threshold:
                new = max(new + threshold, lower[j])
            else:
                new = 0.0
            step = new - x[j]
            if step != 0.0:
                slope += step * hessian[j]
                x[j] = new
                change = max(change, abs(step) * h)
        if change <= tol:
            if whole:
                break
            whole = True
        else:
            whole = False
    return x
