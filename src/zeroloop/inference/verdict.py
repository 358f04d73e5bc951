"""What is said of a likelihood that has no maximum: which coefficients have no estimate, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray, TableSource
from zeroloop.estimates import Separation
from zeroloop.inference.basis import Basis
from zeroloop.inference.causes import causes_of
from zeroloop.inference.limit import Limit
from zeroloop.inference.separation import signs
from zeroloop.tables.schema import Schema

NOTHING = 1e-8  # of the largest coefficient of a direction, each in its column's unit: what rounding leaves of 0


def verdict(limit: Limit, basis: Basis, source: TableSource, schema: Schema) -> tuple[Separation, NDArray[np.bool_]]:
    """Return what separates the rows, and which coefficients have no estimate, `(n_outputs * n_coefs,)`.

    A coefficient has one if no direction that leaves all remaining pairs where they are changes it: if its unit vector
    lies in the row space of these pairs.

    Args:
        limit: where the likelihood goes.
        basis: in which that was found.
        source: the rows, in no basis.
        schema: of their columns.

    """
    n = limit.kept.size
    vectors = np.eye(n) if limit.rest is None else limit.rest.vectors
    scale, centre = schema.scale, schema.centre
    forms = _without_rounding(basis.own_units(limit.space.forms(vectors)), scale, centre)
    direction = _without_rounding(basis.own_units(limit.direction()[np.newaxis]), scale, centre)[0]
    none = np.any(forms != 0, axis=0).ravel()
    # Each infinite coefficient as a form of the parameters: what a unit of each parameter makes of it.
    every = basis.own_units(limit.space.forms(np.eye(n))).reshape(n, -1).T
    found = np.zeros(none.size, dtype=np.intp)
    at = np.flatnonzero(none)
    found[at] = signs(limit.whole, limit.space, replace(limit.frame, recessions=()), vectors, every[at])
    separation = Separation(
        kind="complete" if limit.is_complete else "quasi-complete",
        causes=causes_of(source, schema, direction),
        direction=tuple(direction.ravel().tolist()),
        undecided=() if limit.is_complete else tuple(_sparse(form.ravel()) for form in forms),
        signs=tuple(found.tolist()),
    )
    return separation, none


def _without_rounding(forms: FloatArray, scale: FloatArray, centre: FloatArray) -> FloatArray:
    """Return directions `(k, n_outputs, n_coefs)` in own units with what rounding left of a 0 taken away."""
    size = np.abs(forms) * scale
    least = NOTHING * np.max(size[:, :, 1:], axis=(1, 2), initial=0.0)
    # An intercept at 0 is one at the centre less what the columns' coefficients make of it.
    shift = NOTHING * (np.sum(np.abs(forms[:, :, 1 : 1 + centre.size]) * np.abs(centre), axis=2))
    limits = np.repeat(np.repeat(least[:, np.newaxis, np.newaxis], size.shape[1], 1), size.shape[2], 2)
    limits[:, :, 0] = np.maximum(limits[:, :, 0], shift)
    return np.where(size > limits, forms, 0.0)


def _sparse(form: FloatArray) -> tuple[tuple[int, ...], tuple[float, ...]]:
    at = np.flatnonzero(form)
    return tuple(at.tolist()), tuple(form[at].tolist())
