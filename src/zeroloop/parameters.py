"""What each parameter of the array door may be, as far as it can be told without scikit-learn's checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from zeroloop.errors import OptionError
from zeroloop.fit import MAX_ITER

# scikit-learn's solvers that zeroloop has no like of: whatever suits the data finds the same optimum.
SOLVERS = {"newton-cholesky": "newton", "liblinear": "auto", "sag": "auto", "saga": "auto"}
RULES = ("min", "1se")


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and value < 2**63)


def _is_strength(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_positive(value: Any) -> bool:
    return _is_strength(value) and value < inf


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_flag(value: Any) -> bool:
    return type(value) is bool


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_one_of(value: Any, *names: str) -> bool:
    return type(value) is str and value in names


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "penalty": lambda value: _is_one_of(value, "deprecated"),
    "C": _is_strength,
    "l1_ratio": _is_share,
    "dual": _is_flag,
    "tol": _is_positive,
    "fit_intercept": _is_flag,
    "intercept_scaling": _is_positive,
    "class_weight": lambda value: value is None or type(value) is dict or _is_one_of(value, "balanced"),
    "random_state": lambda value: value is None or (type(value) is int and 0 <= value < 2**32),
    "solver": lambda value: _is_one_of(value, "auto", *MAX_ITER, *SOLVERS),
    "max_iter": _is_count,
    "multi_class": lambda value: _is_one_of(value, "auto", "multinomial", "ovr"),
    "verbose": lambda value: _is_flag(value) or (type(value) is int and value >= 0),
    "warm_start": _is_flag,
    "n_jobs": lambda value: value is None or (type(value) is int and value != 0),
    "learning_rate": _is_positive,
    "penalty_factors": lambda value: value is None,
    "bounds": lambda value: value is None,
}


def are_plain(parameters: Mapping[str, Any]) -> bool:
    """Return whether all parameters of one model are what they may be, and of the types that they mostly are.

    scikit-learn's own checks, which `zeroloop.constraints` has, say the same of them; where this says no, they decide.
    """
    return all(name in parameters and is_plain(parameters[name]) for name, is_plain in _PLAIN.items())


def threads_of(n_jobs: int | None, every: int) -> int:
    """Return the number of threads that scikit-learn's `n_jobs` means where there are `every` cores."""
    if n_jobs is None:
        return every
    if n_jobs == 0:
        raise OptionError("n_jobs is 0; it must be at least 1, or -1 for every core.")
    return int(n_jobs) if n_jobs > 0 else max(1, every + 1 + int(n_jobs))
