"""The corridor both front doors lead to: a source and options in, a fitted result out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zeroloop.blocks import Block, FloatArray, Source
from zeroloop.errors import DataError, OptionError
from zeroloop.objective import Evaluation, Objective, Solution, hessian_cost
from zeroloop.solvers.gradient_descent import gradient_descent
from zeroloop.solvers.lbfgs import lbfgs
from zeroloop.solvers.newton import newton
from zeroloop.solvers.newton_cg import newton_cg
from zeroloop.solvers.sampled_newton import sample_sizes, sampled_newton
from zeroloop.sources.threads import one_blas_thread

MAX_ITER = {"newton": 100, "sampled-newton": 100, "newton-cg": 100, "lbfgs": 1_000, "gradient-descent": 10_000}
MOST_HESSIAN_COEFS = 4_000
FEWEST_SAMPLED_VALUES = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """How to fit; checked when made.

    Attributes:
        C: inverse strength of the L2 penalty, scikit-learn's; `inf` for none.
        solver: "auto" or a name in `MAX_ITER`.
        tol: stop at `max |gradient of the mean objective| <= tol`, for columns of unit variance.
        max_iter: most iterations; None for the solver's own limit in `MAX_ITER`.
        learning_rate: of gradient descent.

    Raises:
        OptionError: for a value out of its range.

    """

    C: float = 1.0
    solver: str = "auto"
    tol: float = 1e-6
    max_iter: int | None = None
    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        if not self.C > 0:
            raise OptionError(f"C is {self.C}; it must be above 0 (a smaller C is a stronger penalty, inf is none).")
        if not (0 < self.tol < math.inf):
            raise OptionError(f"tol is {self.tol}; it must be a number above 0, such as 1e-6.")
        if self.max_iter is not None and self.max_iter < 1:
            raise OptionError(f"max_iter is {self.max_iter}; it must be at least 1.")
        if not (0 < self.learning_rate < math.inf):
            raise OptionError(f"learning_rate is {self.learning_rate}; it must be a number above 0, such as 0.1.")
        if self.solver not in ("auto", *MAX_ITER):
            raise OptionError(f"solver is {self.solver!r}; it must be one of auto, {', '.join(MAX_ITER)}.")


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model without its columns' names.

    Attributes:
        coef: `(1, n_coefs)`, in the columns' own units.
        solver: the name of the solver used.
        solution: where it stopped and how.
        passes: sweeps over all rows.
        weight: total weight of the rows.
        base_rate: weighted share of label 1.

    """

    coef: FloatArray
    solver: str
    solution: Solution
    passes: int
    weight: float
    base_rate: float

    def not_converged(self, tol: float) -> str:
        """Return the sentence for a solution that is not converged: how far it got and what to change."""
        last = self.solution.last
        return (
            f"Not converged: after {self.passes} passes of {self.solver} "
            f"max |gradient| is {last.gradient_norm:.1e}, above tol = {tol:g}. "
            f"The solver {self.solution.outcome.value}."
        )


def choose_solver(source: Source) -> str:
    """Return what `solver="auto"` means, by the work that each solver needs.

    In passes over all rows, at the upper end of what the benchmark shows: Newton takes 7 with the Hessian, which
    `zeroloop.objective.hessian_cost` prices; sampled-newton 10 plain ones and, where codes have rare levels that a
    sample hardly meets, one with the Hessian; on its sample 2 with the Hessian and 15 plain ones.

    - Above 4,000 coefficients "lbfgs": a Hessian of them is 128 MB and more, and so is what each thread adds up.
    - Below a million stored values "newton": all its passes are done in milliseconds, and end closer to the optimum.
    - Else "newton" or "sampled-newton", whichever is less work.
    """
    values = source.n_rows * (source.n_numeric + source.n_codes)
    if source.n_coefs > MOST_HESSIAN_COEFS:
        return "lbfgs"
    if values < FEWEST_SAMPLED_VALUES:
        return "newton"
    cost = hessian_cost(source)
    sample = sample_sizes(source.n_rows, source.n_coefs)[-1] / source.n_rows
    sampled = 10 + (cost if source.n_codes else 0) + sample * (15 + 2 * cost)
    return "newton" if 7 * cost <= sampled else "sampled-newton"


def fit(
    source: Source,
    options: Options,
    *,
    centre: FloatArray,
    scale: FloatArray,
    penalty_unit: FloatArray,
    fit_intercept: bool = True,
    seed: int = 0,
    start: FloatArray | None = None,
    on_pass: Callable[[int, Evaluation], None] | None = None,
) -> Fit:
    """Fit a logistic regression to a source's rows.

    Args:
        source: rows with labels 0 and 1.
        options: how.
        centre: `(n_x,)` means of the numeric columns.
        scale: `(n_coefs,)` their standard deviations, 1 for the intercept and for codes: the solver's units.
        penalty_unit: `(n_coefs,)`; the penalty is `1/2 ||coef * penalty_unit||^2`: `scale` where it should not
            depend on the columns' units, ones for scikit-learn's objective on the data as they are.
        fit_intercept: False pins the intercept to zero.
        seed: of the rows that sampled-newton samples.
        start: `(1, n_coefs)` to start from; by default zero, with the base rate as intercept.
        on_pass: called after each pass with (number of passes, evaluation).

    Raises:
        DataError: when the rows' weight is zero or lies on one class.

    """
    weight, positive, rows, positive_rows = source.reduce(_label_totals).tolist()
    if weight <= 0:
        raise DataError("The weights of all rows used for training sum to 0; give some rows a positive weight.")
    if not 0 < positive < weight:
        raise DataError(
            "All rows used for training (those with a positive weight) have the same class; "
            "a logistic regression needs rows of both."
        )
    penalty = (penalty_unit / scale) ** 2 / (options.C * weight)
    penalty[0] = 0.0
    middle = centre if fit_intercept else np.zeros_like(centre)
    class_rows = (int(rows - positive_rows), int(positive_rows))
    objective = Objective(source, middle, scale, penalty, class_rows, fit_intercept, on_pass)
    if start is None:
        start = np.zeros((1, source.n_coefs))
        start[0, 0] = math.log(positive / (weight - positive)) if fit_intercept else 0.0
    solver = choose_solver(source) if options.solver == "auto" else options.solver
    theta, tol, max_iter = objective.theta(start), options.tol, options.max_iter or MAX_ITER[solver]
    with one_blas_thread():
        if solver == "newton":
            solution = newton(objective, theta, tol=tol, max_iter=max_iter)
        elif solver == "sampled-newton":
            solution = sampled_newton(objective, theta, tol=tol, max_iter=max_iter, seed=seed)
        elif solver == "newton-cg":
            solution = newton_cg(objective, theta, tol=tol, max_iter=max_iter)
        elif solver == "lbfgs":
            solution = lbfgs(objective, theta, tol=tol, max_iter=max_iter)
        else:
            rate = options.learning_rate
            solution = gradient_descent(objective, theta, tol=tol, max_iter=max_iter, learning_rate=rate)
    return Fit(objective.coef(solution.theta), solver, solution, objective.passes, weight, positive / weight)


def _label_totals(block: Block) -> FloatArray:
    """Return weight, weight of label 1, rows and rows of label 1 of one block."""
    assert block.y is not None
    n, positive = block.y.size, np.sum(block.y, dtype=np.float64)
    if block.weight is None:
        return np.array([n, positive, n, positive])
    return np.array([np.sum(block.weight), np.sum(block.weight * block.y), n, positive])
