"""scikit-learn's scorers on folds: told the classes that a fold's rows may lack, and held to one number."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import matmul
from zeroloop.blocks import FloatArray

UNSET = inspect.Parameter.empty


def of_classes(scorer: Any, classes: NDArray[Any]) -> Any:
    """Return a scorer that knows all classes, where its metric asks for them.

    `labels` and `pos_label` that the scorer was made with stay as they are, in `make_scorer` or `functools.partial`.
    As scikit-learn's LogisticRegressionCV does, the positive class of two is the second, also where a metric with
    `labels` has 1 by default; and wherever a metric's default is no class at all, as 1 is none of text labels.
    """
    metric, own = getattr(scorer, "_score_func", None), getattr(scorer, "_kwargs", None)
    if metric is None or own is None:
        return scorer  # any callable
    try:
        known = inspect.signature(metric).parameters
    except (TypeError, ValueError):
        return scorer
    own = {**getattr(metric, "keywords", {}), **own}
    added: dict[str, Any] = {}
    if "labels" in known and "labels" not in own and known["labels"].default in (None, UNSET):
        added["labels"] = classes
    if "pos_label" in known and "pos_label" not in own and len(classes) == 2:
        default = known["pos_label"].default
        average = own.get("average", known["average"].default if "average" in known else "binary")
        is_class = default in classes.tolist()
        if "labels" in known and average != "binary":
            if not is_class:
                added["pos_label"] = None  # not used, but it would be looked at
        elif not is_class or ("labels" in known and default == 1):
            added["pos_label"] = classes[1]
    if not added:
        return scorer
    told = copy.copy(scorer)
    told._kwargs = {**scorer._kwargs, **added}
    return told


def accuracies(coefs: FloatArray, intercepts: FloatArray, X: Any, codes: NDArray[Any], weight: Any) -> FloatArray:
    """Return scikit-learn's accuracy of many models at once: its scorer takes a millisecond for each, mostly to check.

    Args:
        coefs: `(..., n_outputs, n_features)`.
        intercepts: `(..., n_outputs)`.
        X: `(m, n_features)`, dense or sparse.
        codes: `(m,)`, each row's class.
        weight: `(m,)`, or None for ones.

    Returns:
        `(...)`; NaN where no row has weight.

    """
    z = _times(X, coefs.reshape(-1, coefs.shape[-1]).T).reshape(len(codes), *intercepts.shape) + intercepts
    predicted = np.argmax(z, axis=-1) if z.shape[-1] > 1 else z[..., 0] > 0
    weight = np.ones(len(codes)) if weight is None else np.asarray(weight, dtype=np.float64)
    right = np.moveaxis(predicted, 0, -1) == codes
    with np.errstate(invalid="ignore"):
        found: FloatArray = np.asarray(np.sum(right * weight, axis=-1) / np.sum(weight))
    return found


def _times(X: Any, coefs: FloatArray) -> FloatArray:
    """Return `X coefs`; a sparse X has an order of sums of its own, the same everywhere."""
    return np.asarray(X @ coefs if hasattr(X, "tocsr") else matmul(X, coefs))


def score_with(scorer: Any, model: Any, X: Any, y: Any, params: Mapping[str, Any]) -> float:
    """Return a scorer's number.

    Raises:
        ValueError: where it gives anything else, or takes no weights and there are some.

    """
    metric = getattr(scorer, "_score_func", scorer)
    if params.get("sample_weight") is not None and not _takes(metric, "sample_weight"):
        raise ValueError(
            f"scoring={scorer!r} takes no sample_weight, but rows have weights; use a scoring that does, or metadata "
            "routing to leave them out."
        )
    score = scorer(model, X, y, **params)
    if isinstance(score, np.ndarray) and score.ndim == 0:
        score = score[()]
    if not isinstance(score, Real):
        raise ValueError(f"scoring={scorer!r} gave {score!r}; it must give one number.")
    return float(score)


def _takes(function: Any, name: str) -> bool:
    """Return whether a function takes an argument by name, as far as can be told."""
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return name in known or any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known.values())
