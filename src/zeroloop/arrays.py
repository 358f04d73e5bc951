"""Arrays in, their rows out: checked, cut into blocks where they lie, with the columns' units."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from zeroloop.blocks import FloatArray, TableSource
from zeroloop.errors import DataError, OptionError
from zeroloop.kernels.totals import MOST_WEIGHT
from zeroloop.labels import check_total, class_weights
from zeroloop.objective import Units
from zeroloop.sources.memory import MemorySource, sparse_rows, stacked
from zeroloop.tables.dask_data import is_dask
from zeroloop.units import units_of

BOUND = f"a weight must be a number from 0 to {MOST_WEIGHT:g}."


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedArrays:
    """Arrays checked and cut into blocks.

    Attributes:
        X, y: as arrays that fit each other.
        classes: distinct labels, sorted.
        codes: `(m,)`, each row's index among them.
        weight: `(m,)`, or None for ones.
        source: the rows.
        units: of the columns.
        given_names: `(n_features,)`, the columns', or None where X has none.

    """

    X: Any
    y: NDArray[Any]
    classes: NDArray[Any]
    codes: NDArray[Any]
    weight: FloatArray | None
    source: TableSource
    units: Units
    given_names: NDArray[Any] | None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, or x0, x1, ..."""
        return names_of(self.given_names, self.n_features)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return int(self.X.shape[1])


def prepare(
    X: Any,
    y: Any,
    sample_weight: ArrayLike | None = None,
    class_weight: dict[Any, float] | str | None = None,
    threads: int | None = None,
    estimator: Any = None,
) -> PreparedArrays:
    """Return arrays, checked, as a source with the columns' units.

    Args:
        X: `(m, n_features)`, dense, CSR or CSC, or a frame.
        y: `(m,)`, labels.
        sample_weight: `(m,)`, at least 0; None for ones.
        class_weight: a weight for each class, "balanced", or None.
        threads: number of threads; None for every core.
        estimator: what remembers the number of columns and their names; None where nothing does.

    Raises:
        ValueError: for arrays that do not fit, NaN or infinity, or one class.

    """
    if is_dask(X) or is_dask(y):
        raise OptionError(
            "Dask collections are for LogisticRegression, and for zeroloop.train, which cross-validates too; here give "
            "arrays of this process."
        )
    estimator = BaseEstimator() if estimator is None else estimator
    with as_numpy():
        return _prepare(X, y, sample_weight, class_weight, threads, estimator)


def _prepare(
    X: Any,
    y: Any,
    sample_weight: ArrayLike | None,
    class_weight: dict[Any, float] | str | None,
    threads: int | None,
    estimator: Any,
) -> PreparedArrays:
    X, y = _arrays(estimator, X, y)
    classes, codes = _classes(y)
    if len(classes) < 2:
        raise ValueError(
            "A classifier needs samples of at least 2 classes in the data, "
            f"but the data contains only one class: {classes.tolist()[0]!r}"
        )
    weight = _weight(class_weight, X, codes, classes, sample_weight)
    source = source_of(X, codes, weight, threads)
    names = getattr(estimator, "feature_names_in_", None)
    units = units_of(source, is_sparse(X), partial(name_of, given=names))
    if units is None:
        assert_finite(X)  # a second pass only in this case
        raise ValueError("Input X contains NaN or infinity.")
    return PreparedArrays(
        X=X,
        y=y,
        classes=classes,
        codes=codes,
        weight=weight,
        source=source,
        units=units,
        given_names=names,
    )


def names_of(given: NDArray[Any] | None, n_features: int) -> tuple[str, ...]:
    """Return columns' names, or x0, x1, ..."""
    return tuple(name_of(j, given) for j in range(n_features))


def name_of(j: int, given: NDArray[Any] | None) -> str:
    """Return a column's name, or x and its index."""
    return f"x{j}" if given is None else str(given[j])


def is_sparse(X: Any) -> bool:
    """Return whether X is a SciPy sparse matrix or array."""
    return bool(sparse.issparse(X))


def as_numpy() -> AbstractContextManager[None]:
    """Return a context in which scikit-learn makes NumPy arrays of every library's, whatever its configuration."""
    if get_config()["array_api_dispatch"]:
        return config_context(array_api_dispatch=False)  # type: ignore[no-any-return]
    return nullcontext()


def assert_finite(X: Any) -> None:
    """Raise ValueError, in scikit-learn's words, where X holds NaN or infinity."""
    assert_all_finite(X.data if is_sparse(X) else X, input_name="X")


def source_of(
    X: Any, codes: NDArray[Any] | None = None, weight: FloatArray | None = None, threads: int | None = None
) -> MemorySource:
    """Return a source over an array or a sparse matrix, `(m, n_features)`."""
    if not is_sparse(X):
        return stacked(X.T, codes, weight, threads)
    X.check_format(full_check=True)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return sparse_rows(X, codes, weight, threads)


def _arrays(estimator: Any, X: Any, y: Any) -> tuple[Any, NDArray[Any]]:
    """Return X and y as arrays that fit each other, without looking into X."""
    plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype in (np.float64, np.float32) and X.size > 0
    if plain and type(y) is np.ndarray and y.shape == X.shape[:1] and _is_finite(y):
        # What `validate_data` would find, without its millisecond: ten of them at the first call of a process.
        estimator.n_features_in_ = X.shape[1]
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
        return X, y
    return validate_data(  # type: ignore[no-any-return]
        estimator, X, y, dtype=[np.float64, np.float32], accept_sparse=["csr", "csc"], ensure_all_finite=False
    )


def _weight(
    class_weight: dict[Any, float] | str | None,
    X: Any,
    codes: NDArray[Any],
    classes: NDArray[Any],
    sample_weight: ArrayLike | None,
) -> FloatArray | None:
    if sample_weight is None and class_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if np.max(weight) > MOST_WEIGHT:
        raise DataError(f"sample_weight is {np.max(weight):g} in row {int(np.argmax(weight))}; {BOUND}")
    if class_weight is not None:
        index = codes.astype(np.intp)
        totals: FloatArray = np.bincount(index, weight, len(classes)).astype(np.float64)
        by_class = class_weights(class_weight, classes.tolist(), totals)
        weight = weight * by_class[index]
    check_total(float(np.sum(weight)))
    return weight  # type: ignore[no-any-return]


def _is_finite(y: NDArray[Any]) -> bool:
    return y.dtype.kind in "biu" or (y.dtype.kind == "f" and bool(np.isfinite(np.sum(y))))


def check_classes(y: NDArray[Any]) -> None:
    """Raise ValueError, in scikit-learn's words, where labels are continuous numbers."""
    check_classification_targets(y)


def _classes(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the distinct labels, sorted, and the index of each row's."""
    if y.dtype.kind in "biuf":
        low, high = np.min(y), np.max(y)
        is_high = y == high
        whole = y.dtype.kind != "f" or (float(low).is_integer() and float(high).is_integer())
        if whole and low != high and np.all(is_high | (y == low)):
            return np.array([low, high], dtype=y.dtype), is_high  # a tenth of the time that sorting takes
    check_classes(y)
    classes, codes = np.unique(y, return_inverse=True)
    return classes, codes
