"""The loop that stays: gradient descent over iterations, on any rung."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.errors import NotConvergedWarning, OptionError
from zeroloop.ladder.rungs import vectorized
from zeroloop.ladder.shapes import Rung, check, check_finite, unchecked
from zeroloop.plain_text import number_of


def gradient_descent(
    X: NDArray[Any], Y: NDArray[Any], alpha: float, num_iterations: int, rung: Rung = vectorized
) -> tuple[NDArray[np.float64], float, list[float]]:
    """Minimise the cost by `w -= alpha dw`, `b -= alpha db`, from zero.

    Args:
        X: `(n_x, m)` examples, one a column.
        Y: `(1, m)` labels, 0 or 1.
        alpha: learning rate, above 0.
        num_iterations: number of steps.
        rung: the function that computes cost and gradient.

    Returns:
        `w` `(n_x, 1)`, `b`, and the cost before each step (`num_iterations` of them).

    Raises:
        DataError: for shapes that do not fit and labels other than 0 and 1.
        OptionError: for an alpha that is not a positive number, or a number of steps that is none.

    Warns:
        NotConvergedWarning: when alpha is so large that the cost rose; the steps are taken all the same, so
            that the costs can be looked at.

    """
    _check(alpha, num_iterations)
    X, Y, w, b = check(X, Y, None, 0.0)
    check_finite("X", X)
    gradient = unchecked(rung)  # X and Y have been looked at, and where alpha is too large w becomes infinite
    costs: list[float] = []
    for _ in range(num_iterations):
        J, dw, db = gradient(X, Y, w, b)
        w -= alpha * dw
        b -= alpha * db
        costs.append(float(J))
    _report_divergence(costs, alpha)
    return w, b, costs


def _check(alpha: float, num_iterations: int) -> None:
    if not (0 < alpha < np.inf):
        raise OptionError(f"alpha is {alpha}; it must be a number above 0, such as 0.1.")
    if not (hasattr(num_iterations, "__index__") and num_iterations >= 0):
        raise OptionError(f"num_iterations is {num_iterations!r}; it must be a whole number, such as 100.")


def _report_divergence(costs: list[float], alpha: float) -> None:
    # With a small enough alpha every step lowers the cost; a rise beyond rounding means that alpha is not.
    rises = [k for k in range(1, len(costs)) if not costs[k] <= costs[k - 1] * (1 + 1e-12)]
    if rises:
        k = rises[0]
        warnings.warn(
            f"alpha = {alpha:g} is too large: gradient descent diverges, the cost rose in {len(rises)} of "
            f"{number_of(len(costs), 'iteration')}, first from {costs[k - 1]:.4g} to {costs[k]:.4g} in iteration {k}. "
            f"Try alpha = {alpha / 10:g}.",
            NotConvergedWarning,
            stacklevel=3,
        )
