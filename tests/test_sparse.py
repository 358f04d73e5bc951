"""Sparse rows: matrices as they come, odd ones, libsvm files, maps in tables."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import dump_svmlight_file
from sklearn.linear_model import LogisticRegression as Peer

import zeroloop
from zeroloop import LogisticRegression
from zeroloop.blocks import concatenate
from zeroloop.errors import DataError
from zeroloop.sources.memory import sparse_rows
from zeroloop.sparse import concatenate_rows, from_triples

sp: Any = scipy.sparse  # its stubs know less than its arrays can


def made(m: int, n: int, seed: int = 0, density: float = 0.2) -> tuple[Any, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    X = sp.random_array((m, n), density=density, format="csr", rng=rng, data_sampler=rng.standard_normal)
    y = (X @ rng.standard_normal(n) + 0.5 * rng.standard_normal(m) > 0).astype(np.float64)
    y[:2] = 0, 1
    return X, y


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.csr_matrix, sp.csc_matrix, sp.coo_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("wide_indices", [False, True])
def test_every_form_gives_the_dense_fit(form: Any, dtype: type, wide_indices: bool) -> None:
    X, y = made(500, 9)
    dense = LogisticRegression(tol=1e-10).fit(X.toarray().astype(dtype), y)
    given_X = form(X.astype(dtype))
    if wide_indices and given_X.format != "coo":
        given_X.indices, given_X.indptr = given_X.indices.astype(np.int64), given_X.indptr.astype(np.int64)
    fit = LogisticRegression(tol=1e-10).fit(given_X, y)
    np.testing.assert_allclose(fit.coef_, dense.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fit.predict_proba(given_X), dense.predict_proba(X.toarray()), atol=1e-6)


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "newton-cg", "lbfgs"])
def test_solvers_meet_on_several_blocks(form: str, solver: str) -> None:
    X, y = made(90_000, 30, density=0.1)
    assert len(sparse_rows(X.asformat(form)).blocks) > 1
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    fit = LogisticRegression(solver=solver, tol=1e-8, C=0.01).fit(X.asformat(form), y, weight)
    peer = Peer(solver="newton-cholesky", tol=1e-12, C=0.01).fit(X, y, weight)
    assert fit.converged_
    np.testing.assert_allclose(fit.coef_, peer.coef_, atol=1e-5)


def test_values_are_not_copied() -> None:
    X, y = made(50_000, 40)
    for form in ("csr", "csc"):
        given_X = X.asformat(form)
        for block in sparse_rows(given_X, y).blocks:
            assert block.sparse is not None
            assert block.sparse.values is given_X.data
            assert block.sparse.indices is given_X.indices
            half = block.take(np.arange(0, block.n_rows, 2))
            assert half.sparse is not None
            np.testing.assert_array_equal(
                sp.csr_array((half.sparse.triples()[2], half.sparse.triples()[:2]), (half.n_rows, 40)).toarray(),
                X[block.first_row : block.first_row + block.n_rows : 2].toarray(),
            )


def test_rows_put_together_are_the_rows() -> None:
    X, y = made(100, 6)
    weight = np.ones(100)
    for form in ("csr", "csc"):
        block = sparse_rows(X.asformat(form), y, weight).blocks[0]
        parts = [block.take(np.arange(30)), block.take(np.arange(30, 100))]
        whole = concatenate(parts).sparse
        assert whole is not None
        row, column, values = whole.triples()
        np.testing.assert_array_equal(sp.csr_array((values, (row, column)), (100, 6)).toarray(), X.toarray())
    one = from_triples(np.array([0]), np.array([1]), np.array([2.0]), 1, 6)
    assert concatenate_rows([one, one]).n_stored == 2


@given(st.integers(0, 300), st.integers(2, 60), st.integers(1, 8))
def test_laws(seed: int, m: int, n: int) -> None:
    X, y = made(m, n, seed)
    rng = np.random.default_rng(seed)
    coef = LogisticRegression(tol=1e-10).fit(X, y).coef_
    order = rng.permutation(m)
    for other, same_y in ((X[order], y[order]), (sp.csc_array(X), y), (sp.vstack([X, X]).tocsr(), np.append(y, y))):
        weight = np.full(other.shape[0], m / other.shape[0])
        found = LogisticRegression(tol=1e-10).fit(other, same_y, weight).coef_
        np.testing.assert_allclose(found, coef, rtol=1e-5, atol=1e-8)


def test_unsorted_and_repeated_places_are_summed_and_the_matrix_is_left_alone() -> None:
    data, indices = np.array([1.0, 2.0, 3.0, -1.0, 0.5, 4.0]), np.array([2, 0, 2, 1, 0, 0])
    odd = sp.csr_matrix((data, indices, np.array([0, 3, 4, 4, 6])), shape=(4, 3))
    y = np.array([1, 0, 0, 1])
    fit = LogisticRegression(tol=1e-10).fit(odd, y)
    np.testing.assert_allclose(fit.coef_, LogisticRegression(tol=1e-10).fit(odd.toarray(), y).coef_, rtol=1e-7)
    assert odd.nnz == 6
    np.testing.assert_array_equal(odd.indices, indices)


def test_empty_rows_and_columns_are_fine() -> None:
    X, y = made(200, 6)
    X = sp.csr_array(X.toarray() * [1, 0, 1, 1, 0, 1])
    X = sp.vstack([X, sp.csr_array((50, 6))]).tocsr()
    y = np.append(y, np.arange(50) % 2)
    for l1_ratio in (0.0, 1.0):
        fit = LogisticRegression(l1_ratio=l1_ratio, tol=1e-10).fit(X, y)
        dense = LogisticRegression(l1_ratio=l1_ratio, tol=1e-10).fit(X.toarray(), y)
        np.testing.assert_allclose(fit.coef_, dense.coef_, rtol=1e-6, atol=1e-9)
        assert list(fit.coef_[0, [1, 4]]) == [0, 0]
    assert LogisticRegression().fit(sp.csr_array((60, 3)), np.arange(60) % 2).coef_.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda X: X.data.__setitem__(3, np.nan), "Input X contains NaN"),
        (lambda X: X.data.__setitem__(3, -np.inf), "Input X contains infinity"),
        (lambda X: X.data.__setitem__(3, 1e200), "square overflows"),
        (lambda X: X.indices.__setitem__(3, 99), "indices"),
        (lambda X: X.indices.__setitem__(3, -1), "indices"),
    ],
    ids=["nan", "inf", "huge", "index too large", "index below 0"],
)
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_bad_matrices_are_refused(form: str, damage: Any, message: str) -> None:
    X, y = made(60, 5)
    X = X.asformat(form)
    damage(X)
    with pytest.raises(ValueError, match=message):
        LogisticRegression().fit(X, y)
    good = LogisticRegression().fit(*made(60, 5))
    if "overflow" not in message:
        with pytest.raises(ValueError, match=message):
            good.predict(X)


def test_frames_with_sparse_columns() -> None:
    X, y = made(300, 5)
    pandas: Any = pd
    frame = pandas.DataFrame.sparse.from_spmatrix(sp.csr_matrix(X), columns=list("abcde"))
    fit = LogisticRegression(tol=1e-10).fit(frame, y)
    assert list(fit.feature_names_in_) == list("abcde")
    np.testing.assert_allclose(fit.coef_, LogisticRegression(tol=1e-10).fit(X, y).coef_, rtol=1e-8)
    np.testing.assert_allclose(fit.predict_proba(frame), fit.set_params(n_jobs=1).predict_proba(frame))


def test_coefficients_may_be_stored_sparse() -> None:
    X, y = made(300, 20)
    fit = LogisticRegression(l1_ratio=1, C=0.05).fit(X, y)
    z = fit.decision_function(X)
    assert sp.issparse(fit.sparsify().coef_)
    np.testing.assert_array_equal(fit.decision_function(X), z)
    assert isinstance(fit.densify().coef_, np.ndarray)
    np.testing.assert_array_equal(fit.decision_function(X.toarray()) > 0, z > 0)


def test_libsvm_files(tmp_path: Path) -> None:
    X, y = made(800, 7)
    X = sp.csr_matrix(np.round(X.toarray(), 3))
    dump_svmlight_file(X, 2 * y - 1, str(tmp_path / "rows.svm"), zero_based=False)
    text = (tmp_path / "rows.svm").read_bytes()
    with gzip.GzipFile(tmp_path / "rows.libsvm.gz", "wb", mtime=0) as file:
        file.write(text)
    model = zeroloop.train(tmp_path / "rows.svm", "label", test_fraction=0, tol=1e-10)
    zipped = zeroloop.train(tmp_path / "rows.libsvm.gz", "label", test_fraction=0, tol=1e-10)
    assert zipped.coef.tobytes() == model.coef.tobytes()
    assert model.schema.target.levels == (-1, 1)
    assert model.schema.terms[:3] == ("(intercept)", "features[0]", "features[1]")
    scale = np.abs(X).max(axis=0).toarray().ravel()
    peer = Peer(solver="newton-cholesky", tol=1e-12).fit(X.toarray() / scale, y)
    assert model.coef[0, 1] == 0  # no column 0 in a file that counts from 1
    np.testing.assert_allclose(model.coef[0, 2:] * scale, peer.coef_[0], rtol=1e-6)
    model.save(tmp_path / "m.json")
    loaded = zeroloop.load(tmp_path / "m.json")
    assert loaded.schema == model.schema
    np.testing.assert_allclose(
        loaded.predict_proba(tmp_path / "rows.svm"), peer.predict_proba(X.toarray() / scale), atol=1e-8
    )
    deviations = model.schema.deviations(800)[2:]
    np.testing.assert_allclose(deviations, X.toarray().std(axis=0), rtol=1e-9)
    held = zeroloop.train(tmp_path / "rows.svm", "label", l1_ratio=1.0, C="cv")
    assert held.held_out is not None
    assert held.held_out["log_loss"] < held.held_out["base_rate"]["log_loss"]
    assert held.training.cross_validation is not None


def test_large_libsvm_files_are_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = made(3_000, 6)
    dump_svmlight_file(sp.csr_matrix(X), y, str(tmp_path / "rows.svm"), zero_based=False)
    whole = zeroloop.train(tmp_path / "rows.svm", "label")
    monkeypatch.setattr("zeroloop.tables.svmlight.CHUNK_BYTES", 10_000)
    assert zeroloop.train(tmp_path / "rows.svm", "label").coef.tobytes() == whole.coef.tobytes()


@pytest.mark.parametrize("text", ["1 1:2 1:3\n0 a:b\n", "label,x\n1,2\n", "1 3:1 2:1\n"])
def test_files_that_are_no_libsvm(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.svm").write_text(text)
    with pytest.raises(DataError, match="no libsvm file, whose lines are"):
        zeroloop.train(tmp_path / "rows.svm", "label")


def a_table(m: int = 700) -> tuple[pa.Table, NDArray[np.float64], NDArray[np.float64]]:
    """A table of every kind of column, and its dense terms: number, indices 0 to 3, size is missing, two levels."""
    rng = np.random.default_rng(3)
    X, _ = made(m, 4, density=0.5)
    X = X.toarray()
    size, colour, gap = rng.standard_normal(m), rng.choice(["blue", "red"], m), rng.random(m) < 0.1
    y = (size + X @ [1, -1, 0.5, 0] + (colour == "red") + rng.logistic(size=m) > 0.4).astype(np.float64)
    maps = [[(int(j), float(row[j])) for j in rng.permutation(np.flatnonzero(row))] for row in X]
    words = pa.array([pairs or None for pairs in maps], pa.map_(pa.int64(), pa.float64()))
    table = pa.table({"y": y, "size": pa.array(size, mask=gap), "words": words, "colour": colour})
    filled = np.where(gap, size[~gap].mean(), size)
    terms = np.column_stack([filled / filled.std(), X / np.abs(X).max(axis=0), gap, colour == "blue", colour == "red"])
    return table, terms.astype(np.float64), y


@pytest.mark.parametrize("l1_ratio", [0.0, 0.8])
def test_maps_stand_beside_other_columns(l1_ratio: float, tmp_path: Path) -> None:
    table, terms, y = a_table()
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=100)
    model = zeroloop.train(tmp_path / "t.parquet", "y", l1_ratio=l1_ratio, test_fraction=0, tol=1e-10)
    assert [kind for kind in model.schema.terms if kind.startswith("words")] == [f"words[{j}]" for j in range(4)]
    peer = LogisticRegression(l1_ratio=l1_ratio, tol=1e-10).fit(terms, y)
    found = model.coef[0, 1:] * model.schema.scale[1:]
    np.testing.assert_allclose(found, peer.coef_[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.predict_proba(table), peer.predict_proba(terms), atol=1e-7)


def test_indices_that_training_never_met_have_no_effect() -> None:
    table, _, _ = a_table()
    model = zeroloop.train(table, "y")
    maps = pa.MapArray.from_arrays(pa.array([0, 2, 3], pa.int32()), pa.array([1, 9, 1]), pa.array([0.5, 7.0, 0.5]))
    other = pa.table({"size": [0.1, 0.1], "words": maps, "colour": ["red", "red"]})
    with pytest.warns(zeroloop.ZeroloopWarning, match=r"indices of words \(1 row\)"):
        first, second = model.predict_proba(other)[:, 1]
    assert first == second


def test_bad_maps_are_refused() -> None:
    table, _, _ = a_table(40)
    for pairs, message in (
        ([(-1, 2.0)], "'words' holds -1: 2 in row 3"),
        ([(1, float("nan"))], "'words' holds 1: nan in row 3"),
        ([(1, float("inf"))], "'words' holds 1: inf in row 3"),
        ([(2**40, 1.0)], "'words' holds 1099511627776: 1 in row 3; an index must be from 0 to 67,108,863"),
        ([(1, None)], "'words' holds 1: nan in row 3"),
    ):
        maps = table["words"].to_pylist()
        maps[2] = pairs
        bad = table.set_column(2, "words", pa.array(maps, pa.map_(pa.int64(), pa.float64())))
        with pytest.raises(DataError, match=message):
            zeroloop.train(bad, "y")
    with pytest.raises(DataError, match="'words' and 'more' both hold maps"):
        zeroloop.train(table.append_column("more", table["words"]), "y")
    with pytest.raises(DataError, match="holds numbers, but held maps of index to number in training"):
        zeroloop.train(table, "y").predict(table.set_column(2, "words", table["size"]))
