"""What is wrong with a gradient: which of J, dw and db, and how."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.ladder.rungs import two_loops

AGREEMENT = 1e-9  # relative: thousands of float64 roundings, and nothing else
NAMES = ("J", "dw", "db")


def faults(result: Any, X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> list[str]:
    """Return what is wrong with what a function of X, Y, w and b returned, a phrase each; [] where it is right."""
    if not (isinstance(result, tuple | list) and len(result) == 3):
        kind = f"a {type(result).__name__}" if result is not None else "nothing"
        size = f" of {len(result)}" if isinstance(result, tuple | list) else ""
        return [f"it returns {kind}{size}; expected `return J, dw, db`"]
    right = two_loops(X, Y, w, b)
    found = []
    for name, value, expected in zip(NAMES, result, right, strict=True):
        fault = _of_shape(name, value, X) or _of_value(name, np.asarray(value, float), np.asarray(expected), X, Y, w, b)
        if fault:
            found.append(f"{name} {fault}")
    return found


def _of_shape(name: str, value: Any, X: NDArray[Any]) -> str:
    n_x, m = X.shape
    array = np.asarray(value if isinstance(value, np.ndarray | Real) else None)
    if array.dtype.kind not in "biuf":
        return f"is a {type(value).__name__}; expected {'an array (n_x, 1)' if name == 'dw' else 'a number'}"
    if name != "dw":
        if array.ndim == 0:
            return ""
        of_all = {"J": "take the mean over the examples", "db": "sum dZ and divide by m"}[name]
        fix = of_all if array.size == m > 1 else "take .item() of it"
        return f"is an array of shape {array.shape}, not a number: {fix}"
    if array.shape == (n_x, 1):
        return ""
    fix = f"expected that of w, {(n_x, 1)}"
    if array.shape == (1, n_x):
        fix += ": it is transposed, try X @ dZ.T"
    elif array.size == n_x:
        fix += ": try dw.reshape(-1, 1)"
    elif array.shape == (n_x, m):
        fix += ": sum over the examples, X @ dZ.T"
    return f"has shape {array.shape}; {fix}"


def _of_value(
    name: str, value: NDArray[Any], right: NDArray[Any], X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float
) -> str:
    def same(other: NDArray[Any]) -> bool:
        gap = np.max(np.abs(value - other), initial=0)
        return bool(gap <= AGREEMENT * max(1.0, np.max(np.abs(other), initial=0)))

    if same(right):
        return ""
    if not np.all(np.isfinite(value)):
        return f"is {value[~np.isfinite(value)][0]}"
    for other, words in _mistakes(name, right, X, Y, w, b):
        if same(other):
            return words
    ratio = value / np.where(right == 0, 1, right)
    if name == "dw" and value.size > 1 and np.ptp(ratio) <= AGREEMENT * np.max(np.abs(ratio)):
        return f"is {ratio[0, 0]:.6g} times what it should be"
    j = int(np.argmax(np.abs(value - right)))
    row = f" in row {j}" if name == "dw" else ""
    return f"is {value.flat[j]:.10g}{row} where {right.flat[j]:.10g} is right"


def _mistakes(
    name: str, right: NDArray[Any], X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float
) -> Iterator[tuple[NDArray[Any], str]]:
    """Yield what a common mistake would give, and its words."""
    n_x, m = X.shape
    of = NAMES.index(name)
    if name == "J":
        yield -right, "has the wrong sign: log(A) is negative, J is not"
    else:
        yield -right, "has the wrong sign: dZ is A - Y, not Y - A"
        yield -m * right, "has the wrong sign, dZ is A - Y, and is m times too large: divide by m"
    yield m * right, "is m times too large: divide by m"
    yield right / m, "is m times too small: it is divided by m once too often"
    yield m / max(n_x, 1) * right, "is divided by n_x, the rows of X, and not by m, its columns"
    yield np.asarray(two_loops(X, Y, w, 0.0)[of]), "leaves out b: Z is w.T X + b"
    yield np.asarray(two_loops(X, Y, -w, -b)[of]), "is that of sigmoid(-Z): A is 1 / (1 + exp(-Z))"
    Z = w.T @ X + b
    A = (1 + np.tanh(Z / 2)) / 2
    if name == "J":
        with np.errstate(divide="ignore", invalid="ignore"):
            yield np.asarray(-np.sum(Y * np.log(A)) / m), "leaves out (1 - Y) log(1 - A), of the examples with label 0"
            yield np.asarray(-np.sum((1 - Y) * np.log(1 - A)) / m), "leaves out Y log(A), of the examples with label 1"
        yield right / np.log(2), "is in base 2: np.log is the natural logarithm"
        yield right / np.log(10), "is in base 10: np.log is the natural logarithm"
        yield np.asarray(np.mean((A - Y) ** 2)), "is the mean squared error, not the log loss"
        yield np.asarray(np.mean((A - Y) ** 2) / 2), "is half the mean squared error, not the log loss"
        return
    for dZ, words in (
        (A, "is made of A alone: dZ is A - Y"),
        (Z - Y, "is made of Z - Y: dZ is A - Y"),
        ((A - Y) * A * (1 - A), "has a factor A (1 - A) too much: dZ is A - Y"),
    ):
        yield (X @ dZ.T / m if name == "dw" else np.asarray(np.sum(dZ) / m)), words
