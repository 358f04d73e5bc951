"""Arrays in, their rows out: checked, cut into blocks where they lie, with the columns' units.

What is plain, NumPy's arrays of numbers and SciPy's of the formats that are read where they lie, is checked here;
anything else by scikit-learn, in its words, which is imported for that. Both say the same of what is plain.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zeroloop.blocks import FloatArray, TableSource
from zeroloop.errors import DataError, OptionError
from zeroloop.kernels.totals import MOST_WEIGHT
from zeroloop.labels import check_total, class_weights
from zeroloop.objective import Units
from zeroloop.sklearn_bases import importing
from zeroloop.sources.memory import MemorySource, sparse_rows, stacked
from zeroloop.tables.dask_data import is_dask
from zeroloop.units import units_of

_FLOATS = (np.float64, np.float32)
_ARRAYS = (np.ndarray, np.memmap)
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
    with as_numpy():
        return _prepare(
            X, y, sample_weight, class_weight, threads, SimpleNamespace() if estimator is None else estimator
        )


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
    names = vars(estimator).get("feature_names_in_")
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
    """Return whether X is a SciPy sparse matrix or array; whoever holds one has imported its module."""
    issparse = getattr(sys.modules.get("scipy.sparse"), "issparse", None)  # none while another thread imports it
    return issparse is not None and bool(issparse(X))


def as_numpy() -> AbstractContextManager[None]:
    """Return a context in which scikit-learn makes NumPy arrays of every library's, whatever its configuration."""
    sklearn = sys.modules.get("sklearn")
    get_config = getattr(sklearn, "get_config", None)  # none while another thread imports it
    if sklearn is not None and get_config is not None and get_config()["array_api_dispatch"]:
        return sklearn.config_context(array_api_dispatch=False)  # type: ignore[no-any-return]
    return nullcontext()


def assert_finite(X: Any) -> None:
    """Raise ValueError, in scikit-learn's words, where X holds NaN or infinity."""
    with importing():
        from sklearn.utils import assert_all_finite
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
    plain = _plain(X)
    if plain is not None and type(y) in _ARRAYS and y.shape == X.shape[:1] and _is_finite(y):
        # What `validate_data` would find, without its millisecond: ten of them at the first call of a process.
        estimator.n_features_in_ = X.shape[1]
        vars(estimator).pop("feature_names_in_", None)
        return plain, np.asarray(y)
    return _validated(estimator, X, y)  # type: ignore[no-any-return]


def rows_of(estimator: Any, X: Any) -> Any:
    """Return X as an array of the columns that an estimator was fitted to, without looking into it."""
    plain, fitted = _plain(X), vars(estimator)
    if plain is not None and plain.shape[1] == fitted.get("n_features_in_") and "feature_names_in_" not in fitted:
        return plain
    with as_numpy():
        return _validated(estimator, X, reset=False)


def _validated(estimator: Any, *arrays: Any, **how: Any) -> Any:
    with importing():
        from sklearn.base import BaseEstimator
        from sklearn.utils.validation import validate_data
    if type(estimator) is SimpleNamespace:
        estimator = BaseEstimator()
    return validate_data(
        estimator, *arrays, dtype=[*_FLOATS], accept_sparse=["csr", "csc"], ensure_all_finite=False, **how
    )


def _plain(X: Any) -> Any:
    """Return X where scikit-learn's checks would find nothing, as they return it, else None."""
    if is_sparse(X):
        return X if X.format in ("csr", "csc") and X.ndim == 2 and X.dtype in _FLOATS and min(X.shape) > 0 else None
    if type(X) not in _ARRAYS or X.ndim != 2 or X.size == 0:
        return None
    if X.dtype in _FLOATS:
        return np.asarray(X)
    return X.astype(np.float64) if X.dtype.kind in "biu" else None


def _weight(
    class_weight: dict[Any, float] | str | None,
    X: Any,
    codes: NDArray[Any],
    classes: NDArray[Any],
    sample_weight: ArrayLike | None,
) -> FloatArray | None:
    if sample_weight is None and class_weight is None:
        return None
    weight = _checked_weight(sample_weight, X)
    if np.max(weight) > MOST_WEIGHT:
        raise DataError(f"sample_weight is {np.max(weight):g} in row {int(np.argmax(weight))}; {BOUND}")
    if class_weight is not None:
        index = codes.astype(np.intp)
        totals: FloatArray = np.bincount(index, weight, len(classes)).astype(np.float64)
        by_class = class_weights(class_weight, classes.tolist(), totals)
        weight = weight * by_class[index]
    check_total(float(np.sum(weight)))
    return weight


def _checked_weight(weight: ArrayLike | None, X: Any) -> FloatArray:
    """Return a number for each row, at least 0 and not all 0."""
    if weight is None:
        return np.ones(X.shape[0])
    if type(weight) is np.ndarray and weight.shape == X.shape[:1] and weight.dtype.kind in "biuf":
        with np.errstate(over="ignore"):  # infinity is told below
            as_float = np.ascontiguousarray(weight, dtype=np.float64)
            if np.min(as_float) >= 0 and 0 < np.sum(as_float) < np.inf:
                return as_float
    with importing():
        from sklearn.utils.validation import _check_sample_weight
    checked: FloatArray = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
    return checked


def _is_finite(y: NDArray[Any]) -> bool:
    return y.dtype.kind in "biuU" or (y.dtype.kind == "f" and bool(np.isfinite(np.sum(y))))


def check_classes(y: NDArray[Any]) -> None:
    """Raise ValueError, in scikit-learn's words, where labels are continuous numbers."""
    with importing():
        from sklearn.utils.multiclass import check_classification_targets
    check_classification_targets(y)


def are_labels(*arrays: Any) -> bool:
    """Return whether arrays hold a label a row, of like types: text, or whole numbers."""
    first = arrays[0]
    if not all(type(y) is np.ndarray and y.ndim == 1 and y.shape == first.shape and y.size > 0 for y in arrays):
        return False
    return all(y.dtype.kind == "U" for y in arrays) or all(_are_whole(y) for y in arrays)


def _are_whole(y: NDArray[Any]) -> bool:
    if y.dtype.kind != "f":
        return y.dtype.kind in "biu"
    return bool(np.all((np.trunc(y) == y) & (np.abs(y) < 2**53)))  # all of which int64 can hold


def _classes(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the distinct labels, sorted, and the index of each row's."""
    if y.dtype.kind in "biuf":
        low, high = np.min(y), np.max(y)
        is_high = y == high
        whole = y.dtype.kind != "f" or (float(low).is_integer() and float(high).is_integer())
        if whole and low != high and np.all(is_high | (y == low)):
            return np.array([low, high], dtype=y.dtype), is_high  # a tenth of the time that sorting takes
    known = are_labels(y)
    if not known:
        check_classes(y)
    classes, codes = np.unique(y, return_inverse=True)
    if known and len(classes) > max(2, y.size // 2):
        check_classes(y)  # which warns where there are that many
    return classes, codes
