"""Whether the likelihood has a maximum: a recession direction proves that it has none, a linear program that it has.

Sources: Albert and Anderson, "On the existence of maximum likelihood estimates in logistic regression models",
Biometrika, 1984; Konis, "Linear programming algorithms for detecting separated data in binary logistic regression
models", thesis, Oxford, 2007. The program is made over few pairs of a row and another class; each pass over the rows
adds those that its solution moves the wrong way, until there are none (Kelley, "The cutting-plane method for solving
convex programs", 1960).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import dot, matmul
from zeroloop.blocks import FloatArray, Source
from zeroloop.inference.aliasing import NEGLIGIBLE, REPEATS
from zeroloop.inference.information import eliminate
from zeroloop.inference.pairs import (
    Extremes,
    Frame,
    Pairs,
    Recession,
    extremes,
    least_pairs,
    products_of_pairs,
    squares_of_pairs,
)

SUSPICIOUS = 1e-8  # share of a column's square that others leave over: products of float64 hold some 1e-13 exactly
MOVED = 1e-3  # of directions that move pairs by 1 and more: what is above it is moved, not left over by a solver
ROUNDING = 1e-10  # of the largest coefficient of a direction: what rounding leaves of a margin of 0
MOST_PAIRS = 2_000  # that a pass returns
MOST_VALUES = 200_000  # of pairs, up to which a program over all of them is quicker than to look at directions first
MOST_ROUNDS = 60  # of the program; each adds pairs that the one before moved the wrong way
LP_TOLERANCE = 1e-9  # HiGHS takes 1e-10 and more
MOST_SIGN_PAIRS = 20  # that a pass returns for these: each sign has two programs of its own
MOST_SIGN_ROUNDS = 15  # of each; after them a sign counts as not found
LOWERED = -MOVED * float(np.sqrt(ROUNDING))  # a form, where it is more than what a solver leaves of 0
MOST_SIGNS = 30  # dimensions of what is not decided, up to which the sign of each infinite coefficient is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The parameters that rows decide on: of each class but the first, the coefficients that are not held.

    Attributes:
        free: indices of those coefficients.
        unit: `(n_free,)`, coefficient = parameter * unit.
        n_outputs: classes less one.
        n_coefs: of an output.
        ways: `(n,)`, 1 for a parameter that may only grow, -1 for one that may only fall; None where none is bounded.

    """

    free: NDArray[np.intp]
    unit: FloatArray
    n_outputs: int
    n_coefs: int
    ways: FloatArray | None = None

    def allows(self, flat: FloatArray) -> bool:
        """Return whether a direction `(n,)` may be gone along for ever."""
        return self.ways is None or bool(np.all(self.ways * flat >= 0))

    def forms(self, flat: FloatArray) -> FloatArray:
        """Return directions `(k, n_outputs, n_coefs)` about the centre, given `(k, n)` in parameters."""
        found = np.zeros((len(flat), self.n_outputs, self.n_coefs))
        found[:, :, self.free] = flat.reshape(len(flat), self.n_outputs, -1) * self.unit
        return found

    def form(self, flat: FloatArray) -> FloatArray:
        """Return one direction `(n_outputs, n_coefs)`."""
        return np.asarray(self.forms(flat[np.newaxis])[0])

    def flat(self, forms: FloatArray) -> FloatArray:
        """Return what products of forms `(k, n_outputs, n_coefs)` with directions are in parameters, `(k, n)`."""
        return np.asarray((forms[:, :, self.free] * self.unit).reshape(len(forms), self.n_outputs * self.free.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """What the pairs that remain say nothing about.

    Attributes:
        kept: `(n,)`, parameters that they tell apart, the others given.
        vectors: `(r, n)`, directions that move none of them: each has a parameter of its own that is not kept, at 1.
        squares: `(n,)`, of the parameters over those pairs.

    """

    kept: NDArray[np.bool_]
    vectors: FloatArray
    squares: FloatArray

    def cleaned(self, direction: FloatArray) -> FloatArray:
        """Return the direction that moves none of the pairs, given one that does so up to rounding."""
        return np.asarray(matmul(direction[~self.kept], self.vectors))


def undecided(source: Source, space: Space, frame: Frame) -> Undecided:
    """Return what the pairs that remain say nothing about: two passes at most."""
    products = source.reduce(partial(products_of_pairs, frame=frame, n_outputs=space.n_outputs))
    at = (np.arange(space.n_outputs)[:, np.newaxis] * space.n_coefs + space.free).ravel()
    unit = np.tile(space.unit, space.n_outputs)
    products = products[np.ix_(at, at)] * unit[:, np.newaxis] * unit
    squares = np.diag(products).copy()
    found = eliminate(products, squares, SUSPICIOUS)
    kept = np.ones(squares.size, dtype=bool)
    suspects = np.flatnonzero(~found.kept)
    vectors = np.zeros((suspects.size, squares.size))
    for vector, j in zip(vectors, suspects.tolist(), strict=True):
        vector[:] = -found.on[j]
        vector[np.abs(vector) < NEGLIGIBLE * REPEATS] = 0.0
        vector[j] = 1.0
    if suspects.size > 0:
        left = source.reduce(partial(squares_of_pairs, forms=space.forms(vectors), frame=frame))
        exact = left <= REPEATS**2 * np.maximum(squares[suspects], np.sum(vectors**2 * squares, axis=1))
        vectors, suspects = vectors[exact], suspects[exact]
    kept[suspects] = False
    return Undecided(kept=kept, vectors=vectors, squares=squares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A recession that was proved, and what the pairs that it leaves say nothing about; None where it leaves none."""

    recession: Recession
    rest: Undecided | None


def prove(source: Source, space: Space, frame: Frame, direction: FloatArray) -> Proof | None:
    """Return the recession that a direction is, up to rounding, of the pairs that remain; None where it is none.

    The pairs that it does not move are made not to be moved at all; then each margin is looked at again.

    Args:
        source: the rows.
        space: of the parameters.
        frame: which pairs remain.
        direction: `(n,)`, in parameters; it moves pairs by about 1 and more, or up to rounding not at all.

    """

    def seen(flat: FloatArray, tolerance: float) -> Extremes:
        return source.reduce(partial(extremes, direction=space.form(flat), tolerance=tolerance, frame=frame))

    if not space.allows(direction):
        return None
    first = seen(direction, MOVED)
    if first.n_moved == 0 or first.n_against > 0:
        return None
    if first.n_left == 0:
        return Proof(recession=Recession(direction=space.form(direction), tolerance=0.0), rest=None)
    without = replace(
        frame, recessions=(*frame.recessions, Recession(direction=space.form(direction), tolerance=MOVED))
    )
    rest = undecided(source, space, without)
    cleaned = rest.cleaned(direction)
    if not space.allows(cleaned):
        return None
    tolerance = ROUNDING * float(np.max(np.abs(cleaned), initial=0.0))
    second = seen(cleaned, tolerance)
    if second.n_against > 0 or second.n_moved != first.n_moved:
        return None
    return Proof(recession=Recession(direction=space.form(cleaned), tolerance=tolerance), rest=rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search for a recession found.

    Attributes:
        proof: of the recession; None where there is none.
        sure: whether that there is none is proved.

    """

    proof: Proof | None
    sure: bool


def search(source: Source, space: Space, frame: Frame, candidates: Sequence[FloatArray]) -> Found:
    """Look for a recession of the pairs that remain.

    Args:
        source: the rows.
        space: of the parameters.
        frame: which pairs remain.
        candidates: `(n,)` each, in parameters: directions to try first, and to take the first pairs by.

    """
    n_pairs = source.n_rows * space.n_outputs
    small = n_pairs <= MOST_PAIRS and n_pairs * space.free.size * space.n_outputs <= MOST_VALUES
    for candidate in [] if small else candidates:
        proof = prove(source, space, frame, candidate)
        if proof is not None:
            return Found(proof=proof, sure=True)
    ways = [space.form(one) for one in candidates] or [np.zeros((space.n_outputs, space.n_coefs))]
    met = [_pairs(source, space, frame, way, np.inf) for way in (ways[:1] if small else ways)]
    for _ in range(MOST_ROUNDS):
        vectors = np.unique(np.concatenate(met), axis=0)
        direction = _direction_of(vectors, space.ways)
        if direction is None:
            return Found(proof=None, sure=True)
        against = _pairs(source, space, frame, space.form(direction), -MOVED)
        if len(against) == 0:
            proof = prove(source, space, frame, direction)
            return Found(proof=proof, sure=proof is not None)
        met = [vectors, against]
    return Found(proof=None, sure=False)


def _pairs(
    source: Source, space: Space, frame: Frame, way: FloatArray, below: float, most: int = MOST_PAIRS
) -> FloatArray:
    found: Pairs = source.reduce(partial(least_pairs, direction=way, below=below, most=most, frame=frame))
    return space.flat(found.vectors(space.n_outputs))


def _direction_of(vectors: FloatArray, ways: FloatArray | None) -> FloatArray | None:
    """Return a direction that moves as many of some pairs as any does, by 1 at least, and none the other way.

    None where no direction moves one. It maximises the sum of t, t at most 1 and at most the pair's margin.
    """
    from scipy.optimize import linprog  # here, because only separation needs it
    from scipy.sparse import csr_array

    m, n = vectors.shape
    if m == 0:
        return None
    cost = np.concatenate([np.zeros(n), -np.ones(m)])
    row, column = np.nonzero(vectors)
    each = np.arange(m)
    values = np.concatenate([-vectors[row, column], np.ones(m)])
    places = np.concatenate([row, each]), np.concatenate([column, n + each])
    matrix: Any = csr_array((values, places), shape=(m, n + m))
    free = np.zeros(n) if ways is None else ways
    bounds = [(0.0 if way > 0 else None, 0.0 if way < 0 else None) for way in free] + [(0.0, 1.0)] * m
    found = linprog(
        cost,
        A_ub=matrix,
        b_ub=np.zeros(m),
        bounds=bounds,
        method="highs",
        options={"primal_feasibility_tolerance": LP_TOLERANCE, "dual_feasibility_tolerance": LP_TOLERANCE},
    )
    if found.x is None or not np.any(found.x[n:] > 0.5):
        return None
    return np.asarray(found.x[:n])


def signs(source: Source, space: Space, frame: Frame, vectors: FloatArray, forms: FloatArray) -> NDArray[np.intp]:
    """Return towards which infinity each of some linear forms of the parameters goes, 0 where it may go anywhere.

    Along every sequence of parameters whose likelihood goes to its supremum a form goes to plus infinity if no
    recession lowers it, and one raises it (Farkas: it is a sum of margins, none of them negative).

    Args:
        source: the rows.
        space: of the parameters.
        frame: of all pairs: without recessions.
        vectors: `(r, n)`, that span the recessions.
        forms: `(k, n)`, none of them 0 on all vectors.

    """
    of_vectors = matmul(forms, vectors.T)
    if len(vectors) > MOST_SIGNS:
        return np.zeros(len(forms), dtype=np.intp)
    of_vectors /= np.max(np.abs(of_vectors), axis=1, keepdims=True)
    both = np.concatenate([of_vectors, -of_vectors])
    is_lowered, met = np.zeros(len(both), dtype=bool), np.empty((0, len(vectors)))
    for k, form in enumerate(both):
        if not is_lowered[k]:
            lowest = _lowest(source, space, frame, vectors, form, met)
            met = lowest.met
            is_lowered[k] = lowest.value < LOWERED
            if lowest.recession is not None:  # what lowers this form lowers others too
                is_lowered |= matmul(both, lowest.recession) < LOWERED
    rises, falls = (~is_lowered).reshape(2, -1).astype(np.intp)
    return np.asarray(rises - falls)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lowest:
    """How low recessions bring a form; the one that does, where the rows have shown it to be one; and pairs met."""

    value: float
    recession: FloatArray | None
    met: FloatArray


def _lowest(
    source: Source, space: Space, frame: Frame, vectors: FloatArray, form: FloatArray, met: FloatArray
) -> _Lowest:
    """Return how low recessions, each coordinate of which is at most 1, bring a form."""
    from scipy.optimize import linprog

    value = 0.0
    for _ in range(MOST_SIGN_ROUNDS):
        length = np.max(np.abs(met), axis=1, keepdims=True, initial=0.0)
        kept = met[length[:, 0] > ROUNDING] / length[length[:, 0] > ROUNDING]
        found = linprog(form, A_ub=-kept, b_ub=np.zeros(len(kept)), bounds=[(-1.0, 1.0)] * len(form), method="highs")
        if found.x is None:
            return _Lowest(value=-1.0, recession=None, met=met)
        value = dot(form, found.x)
        if value >= LOWERED:
            return _Lowest(value=value, recession=None, met=met)
        way = space.form(matmul(found.x, vectors))
        against = matmul(_pairs(source, space, frame, way, -LP_TOLERANCE * 100, MOST_SIGN_PAIRS), vectors.T)
        if len(against) == 0:
            return _Lowest(value=value, recession=found.x, met=met)
        met = np.unique(np.concatenate([met, against]), axis=0)
    return _Lowest(value=value, recession=None, met=met)
