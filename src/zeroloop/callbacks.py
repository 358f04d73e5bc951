"""Callbacks of scikit-learn's (1.9 and newer): a fit is a task, and each of its passes over the rows one within it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

from zeroloop.blocks import FloatArray
from zeroloop.objective import Lowest

F = TypeVar("F", bound=Callable[..., Any])

Fitted = Callable[[FloatArray], dict[str, Any]]
"""Given coefficients `(n_outputs, n_coefs)`, the attributes of an estimator that is fitted to them."""


def with_callbacks(method: F) -> F:
    """Return an estimator's `fit` that ends what callbacks have begun, also where it fails."""

    @wraps(method)
    def fit(*args: Any, **kwargs: Any) -> Any:
        return _managed(method, are_there())(*args, **kwargs)

    return cast("F", fit)


def are_there() -> bool:
    """Return whether there may be callbacks: whoever sets one has scikit-learn's module of them."""
    return "sklearn.callback" in sys.modules


@lru_cache
def _managed(method: Callable[..., Any], callbacks: bool) -> Callable[..., Any]:
    """Return what runs a fit: as many calls deep with callbacks as without, for the warnings of a fit."""
    if callbacks:
        from sklearn.callback import with_callbacks as managed

        return cast("Callable[..., Any]", managed(method))
    return lambda *args, **kwargs: method(*args, **kwargs)


class FitTask:
    """A fit, as it is told to the callbacks of its estimator, if there are any.

    What a hook returns, scikit-learn's request to stop, is not heeded, as in scikit-learn's own logistic regression.

    Args:
        estimator: that is fitted.
        X, y, sample_weight: what to, as they were given.
        fitted: makes an estimator of coefficients; None where a pass has not those of all classes.
        in_passes: whether passes are told.

    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        fitted: Fitted | None = None,
        in_passes: bool = True,
    ) -> None:
        self._task: Any = None
        self._pass: Any = None
        if not (are_there() and hasattr(estimator, "_init_callback_context")):
            return
        weights = None if sample_weight is None else {"sample_weight": sample_weight}
        self._given = {"estimator": estimator, "X": X, "y": y, "metadata": weights}
        self._fitted = fitted
        self._task = estimator._init_callback_context(max_subtasks=None if in_passes else 0)
        self._task.call_on_fit_task_begin(**self._given)
        if in_passes and hasattr(estimator, "_skl_callbacks"):
            self._begin_pass()

    def on_pass(self, lowest: Lowest) -> None:
        """Tell that a pass has ended and the next begins, with an estimator of the lowest objective met so far."""
        if self._pass is not None:
            fitted = self._fitted
            attributes = None if fitted is None else lambda: fitted(lowest())
            self._pass.call_on_fit_task_end(**self._given, reconstruction_attributes=attributes)
            self._begin_pass()

    def end(self) -> None:
        """Tell that the estimator is fitted."""
        if self._task is None:
            return
        if self._pass is not None:  # the pass that was begun and not made
            self._pass.call_on_fit_task_end(estimator=self._given["estimator"])
        self._task.call_on_fit_task_end(**self._given, reconstruction_attributes={})

    def _begin_pass(self) -> None:
        self._pass = self._task.subcontext(task_name="pass").call_on_fit_task_begin(**self._given)
