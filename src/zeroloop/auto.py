"""Which solver "auto" takes: by how many rows, coefficients and classes there are, before anything is fitted."""

from __future__ import annotations

from zeroloop.blocks import Source
from zeroloop.kernels.few import is_small
from zeroloop.objective import hessian_cost
from zeroloop.solvers.sampled_newton import sample_sizes

MOST_HESSIAN_COEFS = 4_000
MOST_HESSIAN_COEFS_OF_CLASSES = 600  # of all classes together: pairs of classes fill a Hessian for each
MOST_PENALISED_COEFS_OF_CLASSES = 1_500  # the same with an L1 penalty, where the alternative is slower
NEWTON_STEPS = 7
DEAREST_NEWTON = 500  # gradient passes that newton may cost; lbfgs takes 100 to 300
FEWEST_SAMPLED_VALUES = 1_000_000
FEWEST_ROWS_A_COEFFICIENT = 20  # to fit a sample first, where passes are limited


def choose_solver(source: Source, n_outputs: int = 1, smooth: bool = True) -> str:
    """Return the name of the solver that "auto" stands for.

    Small data: newton, whose every step is a pass with the Hessian. Tall data: sampled-newton, unless so few columns
    make the Hessian cheap. More coefficients than a Hessian deserves: lbfgs. With an L1 penalty or bounds:
    proximal-newton, which is newton or sampled-newton underneath, or coordinate-descent for the many coefficients, and
    for so few rows that NumPy serves them, where it takes no compiler.

    Costs are in gradient passes, as measured: newton takes about 7 passes with the Hessian; sampled-newton 10 without,
    one with it where there are rare levels, and 15 with two Hessians over its sample.
    """
    if smooth and not deserves_hessian(source, n_outputs, MOST_HESSIAN_COEFS_OF_CLASSES):
        return "lbfgs"
    if smooth:
        return "sampled-newton" if is_tall(source, n_outputs) else "newton"
    small = is_small(source.n_rows, source.n_coefs)
    fits = deserves_hessian(source, n_outputs, MOST_PENALISED_COEFS_OF_CLASSES)
    return "proximal-newton" if fits and not small else "coordinate-descent"


def deserves_hessian(source: Source, n_outputs: int, most_of_classes: int) -> bool:
    """Return whether a Hessian of all coefficients fits into memory, and pays.

    To solve its equations takes some `n_theta^3 / 2` products, ten of them in the time of one value of a gradient pass:
    with fewer rows than columns that is more than lbfgs takes in all, but for some hundreds of them.
    """
    if source.n_coefs > (MOST_HESSIAN_COEFS if n_outputs == 1 else most_of_classes // n_outputs):
        return False
    if is_tall(source, n_outputs):
        return True
    n_theta = n_outputs * source.n_coefs
    solving = n_theta**3 / (20 * max(_values(source), 1) * n_outputs)
    return NEWTON_STEPS * (hessian_cost(source, n_outputs) + solving) <= DEAREST_NEWTON


def _values(source: Source) -> int:
    return source.n_rows * (source.n_numeric + source.n_codes) + source.n_stored


def can_sample(source: Source, n_outputs: int) -> bool:
    """Return whether there are rows enough to fit a sample of them first."""
    return source.n_rows >= FEWEST_ROWS_A_COEFFICIENT * n_outputs * source.n_coefs


def is_tall(source: Source, n_outputs: int) -> bool:
    """Return whether there are so many more rows than coefficients that a sample's Hessian pays."""
    if _values(source) * n_outputs < FEWEST_SAMPLED_VALUES or not can_sample(source, n_outputs):
        return False
    if source.n_rows < 2 * n_outputs * source.n_coefs:  # half of them are fewer than coefficients
        return False
    cost = hessian_cost(source, n_outputs)
    sample = sample_sizes(source.n_rows, n_outputs * source.n_coefs)[-1] / source.n_rows
    sampled = 10 + (cost if source.n_codes else 0) + sample * (15 + 2 * cost)
    return NEWTON_STEPS * cost > sampled


def of_few_passes(solver: str, source: Source, n_outputs: int) -> str:
    """Return the solver that does most with a pass, in place of the one that does with little work."""
    if solver == "newton" and can_sample(source, n_outputs):
        return "sampled-newton"
    if solver == "coordinate-descent" and deserves_hessian(source, n_outputs, MOST_PENALISED_COEFS_OF_CLASSES):
        return "proximal-newton"
    return solver
