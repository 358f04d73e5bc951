"""What is true of a logistic regression without a penalty, found by other means than ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.special import logsumexp


def is_separated(X: NDArray[Any], y: NDArray[Any], n_classes: int, ways: NDArray[Any] | None = None) -> bool:
    """Judge whether a direction moves no pair of a row and another class towards that class, and one away from it.

    Args:
        X: the columns that pay no penalty, that of the intercept among them.
        y: labels.
        n_classes: of them.
        ways: with two classes, 1 for a coefficient that may only grow, -1 for one that may only fall.

    """
    forms = []
    for row, label in zip(X / np.maximum(np.max(np.abs(X), axis=0), 1e-300), y, strict=True):
        for k in range(n_classes):
            if k != label:
                form = np.zeros((n_classes, X.shape[1]))
                form[label] += row
                form[k] -= row
                forms.append(form[1:].ravel())
    pairs = np.unique(np.array(forms), axis=0)
    free = np.zeros(pairs.shape[1]) if ways is None else ways
    bounds = [(-1.0 if way <= 0 else 0.0, 1.0 if way >= 0 else 0.0) for way in free]
    found = linprog(-np.sum(pairs, axis=0), A_ub=-pairs, b_ub=np.zeros(len(pairs)), bounds=bounds)
    assert found.status == 0
    return bool(np.sum(pairs @ np.asarray(found.x)) > 1e-6)


def least_loss(X: NDArray[Any], y: NDArray[Any], weight: NDArray[Any], n_classes: int) -> float:
    """Return the least mean log loss, by Newton's method in an orthogonal basis of the columns; there is an optimum."""
    left, size, _ = np.linalg.svd(X / np.maximum(np.max(np.abs(X), axis=0), 1e-300), full_matrices=False)
    q = left[:, size > 1e-13 * size[0]] * np.sqrt(len(X))
    k, r = n_classes - 1, q.shape[1]
    theta, truth = np.zeros((k, r)), np.eye(n_classes)[y][:, 1:]

    def at(theta: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        z = np.c_[np.zeros(len(q)), q @ theta.T]
        logs = z - logsumexp(z, axis=1)[:, None]
        return -float(weight @ logs[np.arange(len(q)), y]), np.exp(logs)[:, 1:]

    value, p = at(theta)
    for _ in range(500):
        hessian = np.zeros((k, r, k, r))
        for a in range(k):
            for b in range(k):
                hessian[a, :, b] = (q.T * (weight * p[:, a] * ((a == b) - p[:, b]))) @ q
        gradient = ((p - truth) * weight[:, None]).T @ q
        step = -np.linalg.lstsq(hessian.reshape(k * r, k * r), gradient.ravel(), rcond=1e-15)[0].reshape(k, r)
        share = 1.0
        while at(theta + share * step)[0] > value and share > 1e-9:
            share /= 2
        theta = theta + share * step
        before = value
        value, p = at(theta)
        if before - value < 1e-13 * value:
            break
    return value / float(np.sum(weight))
