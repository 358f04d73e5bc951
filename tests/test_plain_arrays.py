"""What is checked without scikit-learn: that scikit-learn says the same of it, with neither an error nor a word."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import _check_sample_weight

from zeroloop import LogisticRegression, arrays
from zeroloop.constraints import OF_ONE
from zeroloop.parameters import are_plain

NUMBERS = [0, 1, 2, -1, 2**31, 2**32 - 1, 2**32, 2**63, 10**400, 0.0, -0.0, 0.5, 1.0, 1e-300, -1.0, 1.5, 1e308, 1j]
OTHER_NUMBERS = [np.inf, -np.inf, np.nan, np.float64(0.5), np.float32(0.5), np.int64(3), np.bool_(True), Fraction(1, 3)]
WORDS = ["", "l2", "deprecated", "balanced", "auto", "ovr", "multinomial", "newton", "saga", "newton-cholesky", "none"]
OBJECTS = [None, True, False, {}, {0: 1.0}, [], [0.5], (0, 1), np.ones(3), np.array(0.5), np.array(["auto"]), object]
VALUES: list[Any] = [*NUMBERS, *OTHER_NUMBERS, *WORDS, *OBJECTS, np.random.RandomState(0), np.random.default_rng(0)]


@pytest.mark.parametrize("name", OF_ONE)
def test_plain_parameters_are_what_scikit_learn_takes(name: str) -> None:
    default = LogisticRegression().get_params()
    assert are_plain(default)
    for value in VALUES:
        parameters = default | {name: value}
        if are_plain(parameters):
            validate_parameter_constraints(OF_ONE, parameters, "LogisticRegression")
    assert not are_plain({one: value for one, value in default.items() if one != name})


def _rows() -> list[Any]:
    X = np.random.default_rng(8).normal(size=(30, 4))
    kinds: list[Any] = [X, X.T.copy().T, X[::-1, ::2], X.astype(np.float32), X.astype(">f8"), X.astype(np.float16)]
    kinds += [X.astype(np.longdouble), (9 * X).astype(np.int8), np.abs(9 * X).astype(np.uint64), X > 0]
    kinds += [X.astype(object), X.astype(complex), X.astype(str), X[:0], X[:, :0], X[0], X[np.newaxis]]
    kinds += [np.ma.array(X), X.tolist(), X.view(np.recarray)]
    for kind in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array, sparse.dia_array, sparse.bsr_array):
        kinds += [kind(X), kind(X > 0), kind(X.astype(np.float32))]
    return [*kinds, sparse.csr_array((0, 4)), sparse.csr_array(X[0])]


@pytest.mark.parametrize("number", range(len(_rows())))
def test_plain_rows_are_what_scikit_learn_makes_of_them(number: int) -> None:
    X = _rows()[number]
    plain = arrays._plain(X)
    if plain is None:
        assert type(X) is not np.ndarray or X.dtype not in (np.float64, np.float32) or X.ndim != 2 or not X.size
        return
    theirs = arrays._validated(LogisticRegression(), X)
    assert type(plain) is type(theirs)
    assert plain.dtype == theirs.dtype
    assert np.array_equal(plain.toarray(), theirs.toarray()) if sparse.issparse(X) else np.array_equal(plain, theirs)


def _labels() -> list[NDArray[Any]]:
    rng = np.random.default_rng(9)
    few, many = rng.integers(3, size=60), rng.permutation(60)
    text = np.array(["a", "bb", "c"])[few]
    found: list[NDArray[Any]] = [few, few > 0, few - 1, few.astype(float), few + 0.5, few.astype(np.float32)]
    found += [few * 1e300, text, many, many / 2, many.astype(str), text.astype(object), text.astype("S"), few * 1j]
    found += [few[:, np.newaxis], few[:0], np.where(few > 1, np.nan, few), np.where(few > 1, np.inf, few)]
    return [*found, few.astype(object), few.astype(np.longdouble), few.astype("M8[s]"), np.ma.array(few)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", range(len(_labels())))
def test_plain_labels_are_what_scikit_learn_takes(number: int) -> None:
    y = _labels()[number]
    X = np.random.default_rng(10).normal(size=(len(y), 2))
    if not arrays.are_labels(y):
        return
    assert accuracy_score(y, y) == 1
    if len(np.unique(y)) <= max(2, y.size // 2):
        arrays.check_classes(y)
    if arrays._is_finite(y):
        _, theirs = arrays._validated(LogisticRegression(), X, y)
        assert np.array_equal(theirs, y)
        assert theirs.dtype == y.dtype


def test_plain_weights_are_what_scikit_learn_takes() -> None:
    X, rng = np.ones((20, 2)), np.random.default_rng(11)
    weights: list[Any] = [rng.random(20), rng.integers(3, size=20), rng.random(20) > 0.5, None, rng.random(40)[::2]]
    weights += [rng.random(20).astype(np.float32), rng.random(20).astype(np.longdouble), np.full(20, 1e308)]
    for weight in weights:
        ours = arrays._checked_weight(weight, X)
        theirs = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
        assert ours.dtype == theirs.dtype
        assert ours.flags.c_contiguous
        assert np.array_equal(ours, theirs)
    for wrong in (-np.ones(20), np.zeros(20), np.full(20, np.nan), np.full(20, np.inf), np.ones(19), np.ones((20, 1))):
        with pytest.raises(ValueError, match="weight"):
            arrays._checked_weight(wrong, X)
