"""Hessians as they come: columns of any scale, some without curvature, some that repeat others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import eigh, matmul, solve_scaled
from zeroloop.blocks import FloatArray

# Below this part of the largest curvature (or of 1, which only a penalty passes) is the rounding of a column of one
# value.
NO_CURVATURE = 1e-26
DISTINCT = 1e-10  # share of its curvature that others leave each coefficient: above it no direction is near rounding
FEWEST = 32  # so many coefficients' worth of rounding, as sums over many rows have, however few there are


def least_curvature(diagonal: FloatArray) -> float:
    """Return what a value of a Hessian's diagonal must be above to be more than rounding."""
    return NO_CURVATURE * min(float(diagonal.max()) if diagonal.size else 0.0, 1.0)


def is_curved(diagonal: FloatArray) -> NDArray[np.bool_]:
    """Return which values of a Hessian's diagonal are more than rounding."""
    return diagonal > least_curvature(diagonal)


def curvatures(diagonal: FloatArray) -> FloatArray:
    """Return a Hessian's diagonal with 1 where there is no curvature."""
    return np.where(is_curved(diagonal), diagonal, 1.0)


def to_ones(hessian: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a Hessian brought to ones on its diagonal, and the factors; rows without curvature become zero."""
    diagonal = np.diag(hessian)
    curved = is_curved(diagonal)
    unit = np.where(curved, 1 / np.sqrt(np.where(curved, diagonal, 1.0)), 0.0)
    scaled: FloatArray = hessian * unit[:, np.newaxis]
    scaled *= unit
    return scaled, unit


def shortest_step(hessian: FloatArray, gradient: FloatArray) -> FloatArray:
    """Return `hessian^-1 gradient`; where the Hessian is singular, 0 along what it does not curve.

    That is the shortest of all steps to the quadratic model's optimum, measured in columns brought to one curvature:
    repeated columns share their coefficient evenly. A direction counts as not curved where rounding could have made
    its curvature: below `n eps` of the largest. Source: Golub and Van Loan, "Matrix Computations", 4th ed., section
    5.5.
    """
    step = solve_scaled(hessian, gradient, least_curvature(hessian.diagonal()), DISTINCT)
    if step is not None:
        return step
    scaled, unit = to_ones(hessian)
    right = gradient * unit
    flat = unit == 0.0
    scaled[flat, flat] = 1.0
    values, vectors = eigh(scaled)
    size = float(np.max(values, initial=0.0))
    kept = values > max(len(values), FEWEST) * np.finfo(np.float64).eps * size
    along = vectors[:, kept]
    return np.asarray(unit * matmul(along, matmul(along.T, right) / values[kept]))
