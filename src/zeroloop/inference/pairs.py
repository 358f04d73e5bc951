"""Rows as pairs: a row against each class that it does not have. What separation is about, as passes over the rows.

A direction has a margin on a pair: by how much it moves the row's predictor of its own class above that of the other.
A recession direction is one whose margins are all at least 0 (Albert and Anderson, "On the existence of maximum
likelihood estimates in logistic regression models", Biometrika, 1984). Along it the pairs that it moves drop out of the
likelihood, as the other class's probability in that row goes to 0. Pairs that remain are those that no direction moved.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray
from zeroloop.inference.information import symmetric
from zeroloop.inference.statistics import weighted_products, weights_of
from zeroloop.kernels.forms import dense_terms, predictors


@dataclass(frozen=True, slots=True, kw_only=True)
class Recession:
    """A direction that moves no pair that remained before it towards the other class.

    Attributes:
        direction: `(n_outputs, n_coefs)`, about the centre, relative to the first class.
        tolerance: a pair that it moves by no more is not moved: what rounding leaves.

    """

    direction: FloatArray
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where rows are looked at from.

    Attributes:
        centre: `(n_x,)`, of the columns of numbers.
        recessions: what was found so far; see `remaining`.

    """

    centre: FloatArray
    recessions: tuple[Recession, ...] = ()


def margins_of(block: Block, direction: FloatArray, frame: Frame) -> FloatArray:
    """Return a direction's margin on each pair, `(n_classes, rows)`; 0 where the class is the row's own."""
    assert block.y is not None
    z = predictors(block, direction, frame.centre)
    if len(z) == 1:
        second = block.y > 0.5
        return np.stack([np.where(second, z[0], 0.0), np.where(second, 0.0, -z[0])])
    z = np.concatenate([np.zeros_like(z[:1]), z])
    own: FloatArray = z[block.y.astype(np.intp), np.arange(block.n_rows)]
    return np.asarray(own - z)


def remaining(block: Block, frame: Frame, n_outputs: int) -> NDArray[np.bool_]:
    """Return which pairs remain, `(n_classes, rows)`: of rows with weight, those that no recession has moved."""
    assert block.y is not None
    left = np.repeat((weights_of(block) > 0)[np.newaxis], n_outputs + 1, axis=0)
    left[block.y.astype(np.intp), np.arange(block.n_rows)] = False
    for one in frame.recessions:
        left &= margins_of(block, one.direction, frame) <= one.tolerance
    return left


def rows_that_remain(block: Block, frame: Frame, n_outputs: int) -> Block:
    """Return the rows of which a pair remains; one row without weight where there are none, as no block is empty."""
    left = np.flatnonzero(np.any(remaining(block, frame, n_outputs), axis=0))
    if left.size == 0 and block.n_rows > 0:
        return replace(block.take(np.zeros(1, dtype=np.intp)), weight=np.zeros(1))
    return block.take(left)


def _spread(block: Block, frame: Frame, n_outputs: int) -> FloatArray:
    """Return even shares of the classes that remain in each row, its own among them, `(n_classes, rows)`.

    Zeros of a row of which nothing remains.
    """
    assert block.y is not None
    left = remaining(block, frame, n_outputs)
    some = np.any(left, axis=0)
    left[block.y.astype(np.intp), np.arange(block.n_rows)] = some
    return np.asarray(left / np.maximum(np.sum(left, axis=0), 1))


def products_of_pairs(block: Block, frame: Frame, n_outputs: int) -> FloatArray:
    """Return the pairs' products, summed, `(n, n)`, n = n_outputs * n_coefs: its null space is what no pair decides.

    It is the information of the pairs that remain, each row undecided among its classes.
    """
    share = _spread(block, frame, n_outputs)[1:]
    k, n = n_outputs, block.n_coefs
    total = np.zeros((k, n, k, n))
    for a in range(k):
        for b in range(a, k):
            weight = share[a] * ((a == b) - share[b])
            products = symmetric(weighted_products(block, weight, frame.centre))
            total[a, :, b] = products
            total[b, :, a] = products
    return total.reshape(k * n, k * n)


def squares_of_pairs(block: Block, forms: FloatArray, frame: Frame) -> FloatArray:
    """Return the squared length of forms `(k, n_outputs, n_coefs)` over the pairs that remain, `(k,)`."""
    share = _spread(block, frame, forms.shape[1])
    found = []
    for form in forms:
        z = predictors(block, form, frame.centre)
        z = np.concatenate([np.zeros_like(z[:1]), z])
        found.append(np.sum(share * (z - np.sum(share * z, axis=0)) ** 2))
    return np.array(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes:
    """What a direction does to the pairs that remain; combined with `+`.

    Attributes:
        least: the least margin.
        least_moved: the least above the tolerance.
        greatest: the greatest in size.
        n_moved: pairs with a margin above the tolerance.
        n_left: pairs within it.
        n_against: pairs below it.

    """

    least: float
    least_moved: float
    greatest: float
    n_moved: int
    n_left: int
    n_against: int

    def __add__(self, other: Self) -> Extremes:
        return Extremes(
            least=min(self.least, other.least),
            least_moved=min(self.least_moved, other.least_moved),
            greatest=max(self.greatest, other.greatest),
            n_moved=self.n_moved + other.n_moved,
            n_left=self.n_left + other.n_left,
            n_against=self.n_against + other.n_against,
        )


def extremes(block: Block, direction: FloatArray, tolerance: float, frame: Frame) -> Extremes:
    """Return what a direction does to the pairs that remain."""
    margins = margins_of(block, direction, frame)[remaining(block, frame, len(direction))]
    moved, against = margins > tolerance, margins < -tolerance
    return Extremes(
        least=float(np.min(margins, initial=np.inf)),
        least_moved=float(np.min(margins[moved], initial=np.inf)),
        greatest=float(np.max(np.abs(margins), initial=0.0)),
        n_moved=int(np.count_nonzero(moved)),
        n_left=int(np.count_nonzero(~moved & ~against)),
        n_against=int(np.count_nonzero(against)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How many times a recession is to be added, as the greatest over the pairs that it is the first to move."""

    most: float

    def __add__(self, other: Self) -> Lengths:
        return Lengths(most=max(self.most, other.most))


def lengths(block: Block, at: FloatArray, margin: float, last: Recession, frame: Frame) -> Lengths:
    """Return how far to go along the last recession for all pairs that it moves to have a margin.

    Args:
        block: rows.
        at: `(n_outputs, n_coefs)`, about the centre: where from.
        margin: wanted.
        last: the recession; `frame.recessions` are those before it.
        frame: see there.

    """
    step = margins_of(block, last.direction, frame)
    moved = remaining(block, frame, len(at)) & (step > last.tolerance)
    needed = (margin - margins_of(block, at, frame)[moved]) / step[moved]
    return Lengths(most=float(np.max(needed, initial=0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The pairs of the least keys, at most `most` of them; combined with `+`, in row order where keys are equal.

    Attributes:
        keys: `(m,)`, increasing.
        terms: `(m, n_coefs)`, of the pair's row, about the centre.
        own: `(m,)`, the row's class.
        other: `(m,)`, the other class.
        most: pairs to keep.

    """

    keys: FloatArray
    terms: FloatArray
    own: NDArray[np.intp]
    other: NDArray[np.intp]
    most: int = field(default=0)

    def __add__(self, other: Self) -> Pairs:
        keys = np.concatenate([self.keys, other.keys])
        kept = np.argsort(keys, kind="stable")[: self.most]
        return Pairs(
            keys=keys[kept],
            terms=np.concatenate([self.terms, other.terms])[kept],
            own=np.concatenate([self.own, other.own])[kept],
            other=np.concatenate([self.other, other.other])[kept],
            most=self.most,
        )

    def vectors(self, n_outputs: int) -> FloatArray:
        """Return the forms `(m, n_outputs, n_coefs)` that a direction's margins on the pairs are products with."""
        forms = np.zeros((self.keys.size, n_outputs + 1, self.terms.shape[1]))
        rows = np.arange(self.keys.size)
        forms[rows, self.own] = self.terms
        forms[rows, self.other] = -self.terms
        return forms[:, 1:]


def least_pairs(block: Block, direction: FloatArray, below: float, most: int, frame: Frame) -> Pairs:
    """Return the pairs that remain of the least margins, where these are below a limit.

    Args:
        block: rows.
        direction: `(n_outputs, n_coefs)`, about the centre.
        below: the limit; infinity for all.
        most: pairs to keep.
        frame: see there.

    """
    assert block.y is not None
    margins = margins_of(block, direction, frame)
    margins[~remaining(block, frame, len(direction))] = np.inf
    # Class by class within a row, so that equal margins stand in the order of rows.
    flat = margins.T.ravel()
    found = np.flatnonzero(flat < below)
    if found.size > most:  # few of them need sorting
        found = found[flat[found] <= np.partition(flat[found], most - 1)[most - 1]]
    found = found[np.argsort(flat[found], kind="stable")[:most]]
    row, other = np.divmod(found, len(margins))
    rows, place = np.unique(row, return_inverse=True)
    terms = dense_terms(block.take(rows), frame.centre, slice(None)).T[place.ravel()]
    return Pairs(keys=flat[found], terms=terms, own=block.y[row].astype(np.intp), other=other, most=most)
