"""The loop that stays: gradient descent over iterations, on any rung."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.errors import NotConvergedWarning, OptionError
from zeroloop.ladder.rungs import Rung, vectorized
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
        OptionError: for shapes that do not fit or an alpha that is not a positive number.

    Warns:
        NotConvergedWarning: when alpha is so large that the cost rose; the steps are taken all the same, so
            that the costs can be looked at.

    """
    _check(X, Y, alpha)
    w, b = np.zeros((X.shape[0], 1)), 0.0
    costs: list[float] = []
    for _ in range(num_iterations):
        J, dw, db = rung(X, Y, w, b)
        w -= alpha * dw
        b -= alpha * db
        costs.append(float(J))
    _report_divergence(costs, alpha)
    return w, b, costs


def _check(X: NDArray[Any], Y: NDArray[Any], alpha: float) -> None:
    if X.ndim != 2 or Y.shape != (1, X.shape[-1]):
        raise OptionError(
            f"X has shape {X.shape} and Y {Y.shape}; expected X (n_x, m) with one example a column and Y (1, m)."
        )
    if not (0 < alpha < np.inf):
        raise OptionError(f"alpha is {alpha}; it must be a number above 0, such as 0.1.")


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
