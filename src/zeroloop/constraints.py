"""What each parameter of the array door may be: scikit-learn's own checks, in its words, and arrays of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from zeroloop.fit import MAX_ITER
from zeroloop.parameters import RULES, SOLVERS


class _RealInterval(Interval):  # type: ignore[misc]  # scikit-learn has no types
    """An interval of real numbers of every type: scikit-learn's asks NumPy whether a Fraction is NaN."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value is a number of the interval."""
        try:
            return isinstance(val, Real) and float(val) in self
        except OverflowError:  # an int beyond float64
            return False


_STRENGTH = _RealInterval(Real, 0, None, closed="right")
_POSITIVE = _RealInterval(Real, 0, None, closed="neither")
_SHARE = _RealInterval(Real, 0, 1, closed="both")
_COUNT = Interval(Integral, 1, None, closed="left")
_FACTOR = _RealInterval(Real, 0, None, closed="left")
_THREADS = [None, _COUNT, Interval(Integral, None, -1, closed="right")]
_PENALTIES = StrOptions({"l1", "l2", "elasticnet", "deprecated"})

OF_ONE: dict[str, list[Any]] = {
    "penalty": [_PENALTIES, None],
    "C": [_STRENGTH],
    "l1_ratio": [_SHARE, None],  # None beside an old `penalty`, as scikit-learn takes it
    "dual": ["boolean"],
    "tol": [_POSITIVE],
    "fit_intercept": ["boolean"],
    "intercept_scaling": [_POSITIVE],
    "class_weight": [Mapping, StrOptions({"balanced"}), None],
    "random_state": ["random_state"],
    "solver": [StrOptions({"auto", *MAX_ITER, *SOLVERS})],
    "max_iter": [_COUNT],
    "multi_class": [StrOptions({"auto", "multinomial", "ovr"})],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "n_jobs": _THREADS,
    "learning_rate": [_POSITIVE],
    "penalty_factors": ["array-like", _FACTOR, None],
    "bounds": ["array-like", None],
}

OF_MANY: dict[str, list[Any]] = {
    **{name: allowed for name, allowed in OF_ONE.items() if name not in ("C", "l1_ratio", "warm_start")},
    "penalty": [_PENALTIES],
    "Cs": [_COUNT, "array-like"],
    "l1_ratios": ["array-like", None],
    "cv": ["cv_object"],
    "refit": ["boolean"],
    "rule": [StrOptions(set(RULES))],
    "use_legacy_attributes": ["boolean"],
}

OF_PATH: dict[str, list[Any]] = {
    "Cs": [_COUNT, "array-like"],
    "l1_ratio": [_SHARE],
    "fit_intercept": ["boolean"],
    "standardize": ["boolean"],
    "penalty_factors": ["array-like", _FACTOR, None],
    "tol": [_POSITIVE],
    "n_jobs": _THREADS,
}


def check_path_parameters(**parameters: Any) -> None:
    """Raise scikit-learn's InvalidParameterError for a parameter of `logistic_path` that is not what it may be."""
    validate_parameter_constraints(OF_PATH, parameters, "logistic_path")
