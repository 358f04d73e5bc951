"""What X, Y, w and b must be, in the article's words: every rung looks at them before it begins."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.errors import DataError
from zeroloop.plain_text import one_line

Gradient = tuple[float, NDArray[np.float64], float]
Rung = Callable[[NDArray[Any], NDArray[Any], NDArray[Any], float], Gradient]

_UNCHECKED: dict[Rung, Rung] = {}


def checked(rung: Rung) -> Rung:
    """Return a rung that says what is wrong with X, Y, w or b.

    Labels and weights are taken as float64, and so is an X of whole numbers: else small ones would overflow. Values of
    X are looked at only where the result is not finite, because a look costs as much as a gradient.
    """

    @wraps(rung)
    def with_checks(X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> Gradient:
        X, Y, w, b = check(X, Y, w, b)
        with np.errstate(invalid="ignore", over="ignore"):
            J, dw, db = rung(X, Y, w, b)
        if not (np.isfinite(J) and np.all(np.isfinite(dw)) and np.isfinite(db)):
            check_finite("X", X)
            raise DataError(
                "Z = w.T X + b, or what is made of it, is beyond what float64 holds: X or w has too large values."
            )
        return J, dw, db

    _UNCHECKED[with_checks] = rung
    return with_checks


def unchecked(rung: Rung) -> Rung:
    """Return a rung's own lines, without a look at X, Y, w and b; any other function as it is."""
    return _UNCHECKED.get(rung, rung)


def check(X: Any, Y: Any, w: Any, b: Any) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64], float]:
    """Return X, Y, w (zeros where it is None) and b as numbers that a rung computes with.

    Raises:
        DataError: for shapes that do not fit, labels other than 0 and 1, and weights that are not finite.

    """
    for name, value in (("X", X), ("Y", Y), *([("w", w)] if w is not None else [])):
        _check_array(name, value)
    _check_shapes(X, Y, w)
    _check_labels(Y)
    w = np.zeros((len(X), 1)) if w is None else w.astype(np.float64)
    check_finite("w", w)
    kept = X.dtype in (np.float32, np.float64)
    return X if kept else X.astype(np.float64), Y.astype(np.float64, copy=False), w, _number(b)


def check_finite(name: str, value: NDArray[Any]) -> None:
    """Raise DataError where a value of an array is NaN or infinite."""
    wrong = np.argwhere(~np.isfinite(value))
    if len(wrong):
        j, i = map(int, wrong[0])
        where = f"row {j}, column {i}" if name == "X" else f"row {j}"
        raise DataError(f"{name} is {value[j, i]} in {where}, counted from 0; expected finite numbers.")


def _number(b: Any) -> float:
    if np.ndim(b):
        raise DataError(f"b has shape {np.shape(b)}; expected a number, one bias for all examples.")
    try:
        number = float(b) if isinstance(b, Real | np.ndarray) else np.nan
    except (OverflowError, TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise DataError(f"b is {one_line(repr(b))}; expected a finite number, one bias for all examples.")
    return number


def _check_array(name: str, value: Any) -> None:
    # A matrix multiplies where an array takes each by each, and a masked array leaves examples out.
    if not isinstance(value, np.ndarray) or isinstance(value, np.matrix | np.ma.MaskedArray):
        raise DataError(f"{name} is a {type(value).__name__}; expected a NumPy array: np.array({name}).")
    if value.dtype.kind not in "biuf":
        raise DataError(f"{name} holds {value.dtype} values; expected numbers.")
    if value.ndim != 2:
        shape = {"X": "(n_x, m)", "Y": "(1, m)", "w": "(n_x, 1)"}[name]
        fix = {"X": "", "Y": "; try Y.reshape(1, -1)", "w": "; try w.reshape(-1, 1)"}[name]
        raise DataError(f"{name} has shape {value.shape}; expected two dimensions, {shape}{fix if value.ndim else ''}.")


def _check_shapes(X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any] | None) -> None:
    n_x, m = X.shape
    if m == 0:
        raise DataError(f"X has shape {X.shape}: no examples; expected (n_x, m), one example a column.")
    if Y.size == n_x != m and (w is None or w.size == m):
        raise DataError(
            f"X has shape {X.shape} and Y {Y.shape}: one example a row; expected X (n_x, m), one example a column: try "
            "X.T."
        )
    if Y.shape != (1, m):
        fix = ": try Y.T" if Y.shape == (m, 1) else f", a label for each column of X, of which there are {m:,}"
        raise DataError(f"Y has shape {Y.shape}; expected (1, m) = (1, {m}){fix}.")
    if w is not None and w.shape != (n_x, 1):
        fix = ": try w.T" if w.shape == (1, n_x) else f", a weight for each row of X, of which there are {n_x:,}"
        raise DataError(f"w has shape {w.shape}; expected (n_x, 1) = ({n_x}, 1){fix}.")


def _check_labels(Y: NDArray[Any]) -> None:
    right = (Y == 0) | (Y == 1)
    if np.all(right):
        return
    values = np.unique(Y)
    if np.array_equal(values, [-1, 1]) or np.array_equal(values, [-1]):
        raise DataError("Y has the labels -1 and 1; expected 0 and 1: try (Y + 1) / 2.")
    if np.array_equal(values, [1, 2]) or np.array_equal(values, [2]):
        raise DataError("Y has the labels 1 and 2; expected 0 and 1: try Y - 1.")
    i = int(np.argmin(right))
    raise DataError(f"Y is {Y[0, i]:g} in column {i} of {Y.shape[1]:,}, counted from 0; expected labels 0 and 1.")
