"""One gradient of logistic regression, five times: two loops, one, none, one over tiles, and two that are compiled.

Every rung computes the same three things from the same four, in the article's names and shapes:

    X (n_x, m)   examples, one a column        J           cost, the mean log loss
    Y (1, m)     labels, 0 or 1                dw (n_x, 1) derivative of the cost in w
    w (n_x, 1)   weights                       db          derivative of the cost in b
    b            bias
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.ladder.shapes import Gradient, Rung, checked

TILE_BYTES = 2**21  # of X: where a tile is smaller, calls cost more than they save; where larger, it leaves the cache


def sigmoid(z: float) -> float:
    """Return 1 / (1 + exp(-z)), written with tanh, which cannot overflow."""
    return (1 + math.tanh(z / 2)) / 2


def log_loss(z: float, y: float) -> float:
    """Return -(y log(a) + (1 - y) log(1 - a)) for a = sigmoid(z), without the logarithm of a zero."""
    return max(z, 0) - y * z + math.log1p(math.exp(-abs(z)))


@checked
def two_loops(X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> Gradient:
    """Loop over the examples, and for each over its features."""
    n_x, m = X.shape
    J, dw, db = 0.0, np.zeros((n_x, 1)), 0.0
    for i in range(m):
        z = b
        for j in range(n_x):
            z += w[j, 0] * X[j, i]
        a = sigmoid(z)
        J += log_loss(z, Y[0, i])
        dz = a - Y[0, i]
        for j in range(n_x):
            dw[j, 0] += X[j, i] * dz
        db += dz
    return J / m, dw / m, db / m


@checked
def one_loop(X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> Gradient:
    """Loop over the examples; NumPy takes the features of each at once."""
    n_x, m = X.shape
    J, dw, db = 0.0, np.zeros((n_x, 1)), 0.0
    for i in range(m):
        x = X[:, i : i + 1]
        z = (w.T @ x).item() + b
        a = sigmoid(z)
        J += log_loss(z, Y[0, i])
        dz = a - Y[0, i]
        dw += x * dz
        db += dz
    return J / m, dw / m, db / m


@checked
def vectorized(X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> Gradient:
    """No loop: the article's lines, all examples at once."""
    m = X.shape[1]
    Z = w.T @ X + b
    A = (1 + np.tanh(Z / 2)) / 2
    J = np.sum(np.maximum(Z, 0) - Y * Z + np.log1p(np.exp(-np.abs(Z)))) / m
    dZ = A - Y
    dw = X @ dZ.T / m
    db = np.sum(dZ) / m
    return J, dw, db


@checked
def tiled(X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> Gradient:
    """Loop over tiles, as many examples as fit in cache: of each the lines without a loop, while it is there."""
    n_x, m = X.shape
    J, dw, db = 0.0, np.zeros((n_x, 1)), 0.0
    size = max(1, TILE_BYTES // X[:, 0].nbytes) if n_x else m
    for start in range(0, m, size):
        x, y = X[:, start : start + size], Y[:, start : start + size]
        Z = w.T @ x + b
        A = (1 + np.tanh(Z / 2)) / 2
        J += np.sum(np.maximum(Z, 0) - y * Z + np.log1p(np.exp(-np.abs(Z))))
        dZ = A - y
        dw += x @ dZ.T
        db += np.sum(dZ)
    return J / m, dw / m, db / m


@checked
def fused(X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> Gradient:
    """The two loops again, compiled: tile by tile on every core, each tile read from memory once."""
    from zeroloop.kernels.statistics import sums
    from zeroloop.sources.memory import stacked

    coef = np.vstack([[[b]], w]).T
    total = stacked(X, Y[0]).reduce(partial(sums, coef=coef, centre=np.zeros(len(X)), order=1))
    assert total.gradient is not None
    J, gradient = total.loss / total.weight, total.gradient[0] / total.weight
    return J, gradient[1:, np.newaxis], float(gradient[0])


RUNGS: tuple[Rung, ...] = (two_loops, one_loop, vectorized, tiled, fused)


def compiled_functions(rung: Rung) -> list[str]:
    """Return what `fused` does with a tile, as it is written in C++; nothing for other rungs."""
    from zeroloop.ladder.compiled import functions

    return functions() if rung is fused else []
