"""Where the likelihood goes: to its maximum, or, where rows can be told apart without doubt, to its supremum.

At the supremum the pairs of a row and a class that some recession direction moves have dropped out. What remains has a
maximum in the parameters that it tells apart; these are estimated as if there were no other rows, and the others are
not estimated at all.

Whether there is a maximum costs nothing where there is one. A direction d that is a recession has d'g = -sum w (1 - p)
d'x over the rows it moves, and d'Hd = sum w p (1 - p) (d'x)^2; so Newton's step s, with Hs = -g, has
sum w p (1 - p) d'x s'x = sum w (1 - p) d'x, which is possible only if s'x is 1 at least in some row. A step that moves
no row's predictor by as much proves that there is a maximum, unless rounding has hidden what the Hessian says of d.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray, S, Source, TableSource
from zeroloop.inference.information import Inverse, inverse
from zeroloop.inference.pairs import Frame, extremes, lengths, rows_that_remain
from zeroloop.inference.refine import Refined, decided, refine
from zeroloop.inference.separation import Space, Undecided, search
from zeroloop.inference.statistics import row_totals
from zeroloop.objective import Objective, Solution, Units

FEW_STEPS = 6
MANY_STEPS = 200
STILL = 0.5  # of a predictor: a step that moves none by more proves a maximum; one of separation moves some by 1
HIDDEN = 1e10  # times less information than undecided rows would give: rounding leaves 1e-6 of a step with it
SURE = 45.0  # predictor of what is predicted without doubt: the rest of 1 is less than rounding
MOST_ROUNDS = 20  # of taking rows out and looking again; each takes a dimension away at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Where a likelihood goes.

    Attributes:
        theta: `(n_theta,)`, so far along the recessions that what is told without doubt has probability 1.
        at: what was found there, of the rows that remain.
        weight: theirs.
        inverse: of the information of the parameters `kept`; None where it is not positive definite.
        kept: `(n,)`, which parameters the rows that remain tell apart.
        whole: all rows.
        source: the rows that remain.
        log_likelihood: at the supremum.
        space: of the parameters.
        frame: which pairs remain.
        rest: what these say nothing about; None where there is a maximum, or nothing remains.
        settled: whether that is the optimum.
        sure: whether it was proved that there is a maximum, or none.
        passes: over the rows.

    """

    theta: FloatArray
    at: Refined
    weight: float
    inverse: Inverse | None
    kept: NDArray[np.bool_]
    whole: TableSource
    source: TableSource
    log_likelihood: float
    space: Space
    frame: Frame
    rest: Undecided | None
    settled: bool
    sure: bool
    passes: int

    @property
    def is_separated(self) -> bool:
        """Whether there is no maximum."""
        return bool(self.frame.recessions)

    @property
    def is_complete(self) -> bool:
        """Whether no pair remains."""
        return self.is_separated and self.rest is None

    def direction(self) -> FloatArray:
        """Return where the likelihood goes, `(n_outputs, n_coefs)`, about the centre."""
        return np.asarray(sum(one.direction for one in self.frame.recessions))


class Counted:
    """A source whose passes are counted."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.n_rows, self.n_coefs = source.n_rows, source.n_coefs
        self.n_numeric, self.n_codes, self.n_stored = source.n_numeric, source.n_codes, source.n_stored
        self.passes = 0
        self.sample = source.sample

    def reduce(self, statistic: Callable[[Block], S]) -> S:
        """Sum a statistic over the rows."""
        self.passes += 1
        return self._source.reduce(statistic)


def settle(
    source: TableSource,
    objective_over: Callable[[TableSource, float], Objective],
    *,
    centre: FloatArray,
    unit: FloatArray,
    squares: FloatArray,
    totals: FloatArray,
    theta: FloatArray,
) -> Limit:
    """Return where the likelihood goes, from a point near it.

    Args:
        source: the rows.
        objective_over: makes the objective of some of them, given how much of the weight these have.
        centre: `(n_x,)`, of the columns of numbers.
        unit: `(n_coefs,)`, coefficient = parameter * unit.
        squares: `(n_coefs,)`, weighted sum of each column's squares, in those units.
        totals: of the rows, see `row_totals`.
        theta: `(n_theta,)`, where to start.

    """
    objective = objective_over(source, 1.0)
    n_outputs = max(objective.n_outputs - 1, 1)
    space = Space(free=objective.free, unit=unit[objective.free], n_outputs=n_outputs, n_coefs=source.n_coefs)
    frame = Frame(centre=centre)
    part = decided(objective)
    counted = Counted(source)
    reach = float(np.sqrt(totals[1] * totals[3]))
    kept = np.ones(part.size, dtype=bool)
    mean_squares = np.tile(squares[objective.free], n_outputs) / totals[1]
    rest: Undecided | None = None
    remaining, weight = source, float(totals[1])
    refined, passes, sure, settled = refine(objective, theta, part, FEW_STEPS), 0, True, True
    inverted = None
    for _ in range(MOST_ROUNDS):
        theta = refined.theta
        inverted = inverse(refined.at.hessian[np.ix_(part[kept], part[kept])] * weight)
        if refined.settled and _is_proved(inverted, mean_squares[kept] * weight):
            if float(np.sum(np.abs(refined.last))) * reach < STILL:
                break
            step = space.form(refined.last[part])
            if counted.reduce(partial(extremes, direction=step, tolerance=0.0, frame=frame)).greatest < STILL:
                break
        found = search(counted, space, frame, _candidates(objective, refined, part, first=not frame.recessions))
        if found.proof is None:
            sure = found.sure
            if sure and not refined.settled:
                refined = refine(objective, theta, part[kept], MANY_STEPS, patient=True)
                theta = refined.theta
                inverted = inverse(refined.at.hessian[np.ix_(part[kept], part[kept])] * weight)
            settled = refined.settled and sure
            break
        frame = replace(frame, recessions=(*frame.recessions, found.proof.recession))
        rest = found.proof.rest
        theta = _pushed(counted, objective, theta, part, space, frame)
        passes += objective.passes
        if rest is None:
            kept = np.zeros(part.size, dtype=bool)
            objective.passes = 0
            weight, inverted = 0.0, inverse(np.empty((0, 0)))
            break
        kept = rest.kept
        remaining = source.viewed(partial(rows_that_remain, frame=frame, n_outputs=n_outputs))
        left = counted.reduce(partial(_totals_of_rest, frame=frame, n_outputs=n_outputs))
        weight = float(left[1])
        objective = objective_over(remaining, weight / float(totals[1]))
        mean_squares = rest.squares / left[0]
        refined = refine(objective, theta, part[kept], FEW_STEPS + MANY_STEPS, patient=n_outputs > 1)
        if n_outputs > 1:  # the fit of what remains may have taken from what is told without doubt
            theta = _pushed(counted, objective, refined.theta, part, space, frame)
            refined = refine(objective, theta, part[kept], FEW_STEPS)
    else:
        settled = sure = False
    return Limit(
        theta=_pushed(counted, objective, theta, part, space, frame) if frame.recessions else theta,
        at=refined,
        weight=weight,
        inverse=inverted,
        kept=kept,
        whole=source,
        source=remaining,
        log_likelihood=-refined.at.loss * weight if weight > 0 else 0.0,
        space=space,
        frame=frame,
        rest=rest,
        settled=settled,
        sure=sure,
        passes=passes + objective.passes + counted.passes,
    )


def settled_at(source: TableSource, objective: Objective, solution: Solution, units: Units, weight: float) -> Limit:
    """Return what Firth's solution is: a point with estimates of all parameters, whatever the likelihood does."""
    part = decided(objective)
    nothing = np.zeros_like(solution.theta)
    unit = 1 / units.scale[objective.free]
    return Limit(
        theta=solution.theta,
        at=Refined(theta=solution.theta, at=solution.last, last=nothing, moved=nothing, settled=solution.converged),
        weight=weight,
        inverse=inverse(solution.last.hessian[np.ix_(part, part)] * weight),
        kept=np.ones(part.size, dtype=bool),
        whole=source,
        source=source,
        log_likelihood=-solution.last.loss * weight,
        space=Space(free=objective.free, unit=unit, n_outputs=1, n_coefs=source.n_coefs),
        frame=Frame(centre=units.centre),
        rest=None,
        settled=solution.converged,
        sure=True,
        passes=0,
    )


def _is_proved(inverted: Inverse | None, squares: FloatArray) -> bool:
    """Return whether an information is nowhere so small that rounding may hide a recession in it."""
    return inverted is not None and float(np.sum(np.diag(inverted.matrix) * squares)) < HIDDEN


def _candidates(objective: Objective, refined: Refined, part: NDArray[np.intp], *, first: bool) -> list[FloatArray]:
    """Return directions that may be recessions, `(n,)` each: where the fit is, and where its steps go."""
    by_output = refined.theta.reshape(objective.n_outputs, -1)
    at = (by_output if len(by_output) == 1 else by_output[1:] - by_output[0]).ravel()
    moved = refined.moved[part]
    found = [moved, at] if first else [moved]
    return [one for one in found if np.any(one)]


def _totals_of_rest(block: Block, frame: Frame, n_outputs: int) -> FloatArray:
    return row_totals(rows_that_remain(block, frame, n_outputs))


def _pushed(
    source: Source, objective: Objective, theta: FloatArray, part: NDArray[np.intp], space: Space, frame: Frame
) -> FloatArray:
    """Return a point so far along the recessions that all pairs that they move are told without doubt."""
    theta = theta.copy()
    recessions = frame.recessions
    for place in range(len(recessions) - 1, -1, -1):
        about = objective.about_centre(theta)
        about = about if len(about) == 1 else about[1:] - about[0]
        one, before = recessions[place], replace(frame, recessions=recessions[:place])
        needed = source.reduce(partial(lengths, at=about, margin=SURE, last=one, frame=before)).most
        theta[part] += needed * (one.direction[:, space.free] / space.unit).ravel()
    return theta
