"""Dense algebra, exp and log whose bits are the same on every processor: all that leads to a coefficient uses these.

What NumPy computes does not depend on the processor where it is one IEEE operation a value (`+ - * /`, `np.sqrt`,
comparisons, casts), a sum (`np.sum`, `np.mean`, `np.average`, `np.cumsum`, `np.bincount`, `np.add.reduceat`: one order,
whatever the registers), a stable sort, or made of those. It does depend on it, in the last bits, in `np.exp`, `np.log`,
`np.power` and their kin, which are compiled for several processors or come from the C library, and in `@`, `np.dot`,
`np.einsum` and `np.linalg`, whose sums OpenBLAS takes in an order that suits the processor and the threads. So does
`math.exp`, `math.log` and `**` of floats. Those are here, from the core, whose order of sums is its source's, at every
size: LAPACK is called nowhere on the way to a coefficient, a covariance or a prediction. Up to some thousands of rows
it was not faster, on one thread.

A matrix that has to be positive definite and is not gives None.
"""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
from numpy.typing import NDArray

from zeroloop.core import (
    cholesky,
    dot,
    eigh,
    exp,
    gram,
    invert_lower,
    invert_positive,
    log,
    log1p,
    matmul,
    mirrored,
    norm,
    solve_lower,
    solve_positive,
    solve_scaled,
)

__all__ = [
    "cholesky",
    "dot",
    "eigh",
    "exp",
    "gram",
    "invert_lower",
    "invert_positive",
    "log",
    "log1p",
    "matmul",
    "mirrored",
    "norm",
    "powers_of_ten",
    "softplus",
    "solve_lower",
    "solve_positive",
    "solve_scaled",
]

DIGITS = Context(prec=40)  # of which float64 keeps 17: rounded once


def powers_of_ten(exponents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 10 to the power of each of a few exponents."""
    return np.array([float(DIGITS.power(Decimal(10), Decimal(one))) for one in exponents.tolist()])


def softplus(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `log(1 + exp(z))`, at any magnitude."""
    return np.maximum(z, 0.0) + log1p(exp(-np.abs(z)))
