"""More than two classes: softmax and one against the rest, through every door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.multiclass import OneVsRestClassifier

import dense_sums
import zeroloop
from zeroloop import LogisticRegression
from zeroloop.blocks import Block
from zeroloop.errors import DataError, OptionError
from zeroloop.kernels import statistics
from zeroloop.sources.memory import stacked
from zeroloop.sparse import from_triples

IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[SPECIES]


@pytest.mark.parametrize("labels", [SPECIES, NAMES], ids=["numbers", "text"])
@pytest.mark.parametrize("C", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_softmax_is_scikit_learns(labels: NDArray[Any], C: float, fit_intercept: bool) -> None:
    ours = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-10).fit(IRIS, labels)
    peer = Peer(C=C, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(IRIS, labels)
    assert ours.coef_.shape == (3, 4)
    assert list(ours.classes_) == list(peer.classes_)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ours.predict_proba(IRIS), peer.predict_proba(IRIS), atol=1e-8)
    np.testing.assert_allclose(ours.predict_log_proba(IRIS), peer.predict_log_proba(IRIS), atol=1e-6)
    np.testing.assert_allclose(ours.decision_function(IRIS), peer.decision_function(IRIS), atol=1e-6)
    assert list(ours.predict(IRIS)) == list(peer.predict(IRIS))


def test_one_against_the_rest_is_scikit_learns() -> None:
    ours = LogisticRegression(multi_class="ovr", tol=1e-10).fit(IRIS, NAMES)
    peer = OneVsRestClassifier(Peer(solver="newton-cholesky", tol=1e-12)).fit(IRIS, NAMES)
    np.testing.assert_allclose(ours.coef_, np.concatenate([e.coef_ for e in peer.estimators_]), rtol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(IRIS), peer.predict_proba(IRIS), atol=1e-8)
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(IRIS)), ours.predict_proba(IRIS), rtol=1e-10)
    assert list(ours.predict(IRIS)) == list(peer.predict(IRIS))
    assert ours.n_iter_.shape == (3,)


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "newton-cg", "lbfgs", "proximal-newton"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_solvers_meet_on_larger_data(solver: str, order: Any) -> None:
    rng = np.random.default_rng(0)
    X = np.array(rng.standard_normal((40_000, 7)) + 1, order=order)
    y = np.argmax(X @ rng.standard_normal((7, 4)) + rng.gumbel(size=(40_000, 4)), axis=1)
    weight = rng.uniform(0, 2, len(y))
    ours = LogisticRegression(solver=solver, tol=1e-8).fit(X, y, weight)
    peer = Peer(solver="newton-cholesky", tol=1e-12).fit(X, y, weight)
    assert ours.converged_
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-6)


def test_many_coefficients_of_classes_share_a_hessian() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6_000, 300)) @ rng.standard_normal((300, 300)) / 17
    y = np.argmax(X @ rng.standard_normal((300, 8)) / 8 + rng.gumbel(size=(6_000, 8)), axis=1)
    ours = LogisticRegression(C=0.1).fit(X, y)
    peer = Peer(C=0.1, solver="lbfgs", tol=1e-8, max_iter=5_000).fit(X, y)
    assert ours.converged_
    assert ours.n_passes_ < 60
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-3)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-4)


def mixed_block(m: int, n_classes: int, by_row: bool = True) -> Block:
    """A block of every kind of column at once, weighted."""
    rng = np.random.default_rng(1)
    rows, columns = np.nonzero(rng.random((m, 5)) < 0.4)
    sparse = from_triples(rows, columns, rng.standard_normal(rows.size), m, 5)
    if not by_row:
        from zeroloop.sparse import Sparse

        order = np.lexsort((rows, columns))
        bounds = np.append(0, np.cumsum(np.bincount(columns, minlength=5)))
        values = sparse.values[order]
        sparse = Sparse(
            values=values,
            indices=rows[order].astype(np.int32) + 7,
            start=bounds[:-1],
            stop=bounds[1:],
            n_rows=m,
            n_columns=5,
            by_row=False,
            origin=7,
        )
    codes = rng.integers(9, 12, (1, m)).astype(np.int32)
    codes[0, ::5] = 14
    marked = np.flatnonzero(rng.random(m) < 0.2)
    marks = np.array([marked, 12 + (marked % 2)], np.int32)
    y = rng.integers(0, n_classes, m).astype(np.float32)
    return Block(
        numeric=rng.standard_normal((3, m)),
        codes=codes,
        n_coefs=14,
        y=y,
        weight=rng.uniform(0, 2, m),
        marks=marks,
        sparse=sparse,
    )


@pytest.mark.parametrize("by_row", [True, False])
@pytest.mark.parametrize("n_outputs", [1, 3, 4])
def test_compiled_statistics_are_numpys_for_any_columns_and_outputs(by_row: bool, n_outputs: int) -> None:
    rng = np.random.default_rng(2)
    block = mixed_block(333, max(n_outputs, 2), by_row)
    coef, direction = rng.standard_normal((2, n_outputs, 14)).astype(np.float64) / 3
    centre = np.array([0.5, -1.0, 2.0])
    for order in (0, 1, 2):
        a, b = (kernels.sums(block, coef, centre, order) for kernels in (dense_sums, statistics))
        assert a.loss == pytest.approx(b.loss, rel=1e-12)
        if a.gradient is not None and b.gradient is not None:
            np.testing.assert_allclose(a.gradient, b.gradient, rtol=1e-9, atol=1e-9)
        if a.hessian is not None and b.hessian is not None:
            np.testing.assert_allclose(np.triu(a.hessian), np.triu(b.hessian), rtol=1e-9, atol=1e-9)
            diagonals = [kernels.hessian_diagonal(block, coef, centre) for kernels in (dense_sums, statistics)]
            for found in diagonals:
                np.testing.assert_allclose(found.diagonal.ravel(), np.diag(a.hessian), rtol=1e-9)
            np.testing.assert_allclose(diagonals[0].squares, diagonals[1].squares, rtol=1e-9)
            whole = np.triu(a.hessian) + np.triu(a.hessian, 1).T
            for kernels in (dense_sums, statistics):
                product = kernels.hessian_vector(block, coef, direction, centre).product
                np.testing.assert_allclose(product.ravel(), whole @ direction.ravel(), rtol=1e-8, atol=1e-8)
    z = [kernels.predictor(block, coef, centre) for kernels in (dense_sums, statistics)]
    np.testing.assert_allclose(z[0], z[1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dense_sums.probabilities(z[0]), statistics.probabilities(z[1]), rtol=1e-10)
    largest = [kernels.largest(block).values for kernels in (dense_sums, statistics)]
    np.testing.assert_array_equal(*largest)
    if n_outputs > 1:
        shared = [kernels.shared_hessian(block, coef, centre) for kernels in (dense_sums, statistics)]
        assert shared[0].hessian is not None
        assert shared[1].hessian is not None
        np.testing.assert_allclose(np.triu(shared[0].hessian), np.triu(shared[1].hessian), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(np.asarray(shared[0].gradient), np.asarray(shared[1].gradient), rtol=1e-9)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_gradient_is_the_losss(n_outputs: int) -> None:
    block = mixed_block(50, max(n_outputs, 2))
    coef: NDArray[np.float64] = np.linspace(0.1, 0.2, n_outputs * 14).reshape(n_outputs, 14)
    centre = np.zeros(3)
    at = statistics.sums(block, coef, centre, 1)
    assert at.gradient is not None
    for k, j in np.ndindex(coef.shape):
        step = np.zeros_like(coef)
        step[k, j] = 1e-6
        ahead, behind = (statistics.sums(block, coef + sign * step, centre, 0).loss for sign in (1, -1))
        assert (ahead - behind) / 2e-6 == pytest.approx(at.gradient[k, j], rel=1e-5, abs=1e-6)


def test_sums_together_are_those_one_by_one() -> None:
    rng = np.random.default_rng(0)
    block = mixed_block(300, 2)
    from dataclasses import replace

    masked: NDArray[np.float64] = (rng.random(300) < 0.5).astype(np.float64)
    blocks = [replace(block, weight=weight) for weight in (None, rng.uniform(0, 2, 300), masked)]
    coefs, centre = [rng.standard_normal((1, 14)) for _ in blocks], np.ones(3)
    for kernels in (dense_sums, statistics):
        for found, one, coef in zip(kernels.sums_together(blocks, coefs, centre), blocks, coefs, strict=True):
            wanted = kernels.sums(one, coef, centre, 1)
            assert found.loss == pytest.approx(wanted.loss, rel=1e-12)
            assert found.weight == pytest.approx(wanted.weight)
            np.testing.assert_allclose(found.gradient, wanted.gradient, rtol=1e-10, atol=1e-10)


@given(st.integers(3, 6), st.integers(0, 100))
def test_names_of_classes_and_order_of_rows_do_not_matter(n_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((80, 3)), rng.permutation(np.arange(80) % n_classes)
    coef = LogisticRegression(tol=1e-10).fit(X, y).coef_
    renamed = rng.permutation(n_classes)
    other = LogisticRegression(tol=1e-10).fit(X, renamed[y]).coef_
    np.testing.assert_allclose(other[renamed], coef, rtol=1e-5, atol=1e-8)
    order = rng.permutation(80)
    np.testing.assert_allclose(LogisticRegression(tol=1e-10).fit(X[order], y[order]).coef_, coef, rtol=1e-5, atol=1e-8)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100_000, 5))
    y = np.argmax(X[:, :3] + rng.gumbel(size=(100_000, 3)), axis=1)
    assert len(stacked(X.T).blocks) > 2
    coefs = [LogisticRegression(n_jobs=n).fit(X, y).coef_.tobytes() for n in (1, 2, 5)]
    assert len(set(coefs)) == 1


def a_table(m: int = 600) -> pa.Table:
    rng = np.random.default_rng(0)
    size, colour = rng.standard_normal(m), rng.choice(["red", "green", "blue"], m)
    score = np.column_stack([size, -size, (colour == "red") * 2.0])
    kind = np.array(["a", "b", "c"])[np.argmax(score + rng.gumbel(size=(m, 3)), axis=1)]
    sizes = pa.array(size, mask=rng.random(m) < 0.1)
    return pa.table({"kind": kind, "size": sizes, "colour": colour})


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_a_table_of_three_classes(multi_class: str, tmp_path: Path) -> None:
    table = a_table()
    model = zeroloop.train(table, "kind", multi_class=multi_class, tol=1e-9)
    assert model.coef.shape == (3, len(model.schema.terms))
    assert model.schema.target.levels == ("a", "b", "c")
    terms = model.terms()
    assert terms.column_names[:4] == ["class", "term", "coef", "odds_ratio"]
    assert terms["class"].to_pylist() == [k for k in "abc" for _ in model.schema.terms]
    model.save(tmp_path / "m.json")
    loaded = zeroloop.load(tmp_path / "m.json")
    assert loaded.coef.tobytes() == model.coef.tobytes()
    assert (loaded.schema, loaded.training) == (model.schema, model.training)
    probability = loaded.predict_proba(table)
    np.testing.assert_allclose(np.sum(probability, axis=1), 1, rtol=1e-12)
    assert list(loaded.predict(table)) == list(np.array(["a", "b", "c"])[np.argmax(probability, axis=1)])
    scores = zeroloop.evaluate(model, table)
    y = table["kind"].to_numpy(zero_copy_only=False)
    assert scores["log_loss"] == pytest.approx(log_loss(y, probability), rel=1e-9)
    assert scores["auc"] == pytest.approx(roc_auc_score(y, probability, multi_class="ovr"), rel=1e-9)
    assert scores["brier"] == pytest.approx(np.mean(np.sum((probability - (y[:, None] == ["a", "b", "c"])) ** 2, 1)))
    assert scores["accuracy"] == pytest.approx(model.score(table))
    shares = np.tile(model.training.shares, (len(y), 1))
    assert scores["base_rate"]["log_loss"] == pytest.approx(log_loss(y, shares), rel=1e-9)
    assert scores["log_loss"] < scores["base_rate"]["log_loss"]
    assert zeroloop.predict_file(model, table, tmp_path / "p.parquet", keep=["kind"]) == 600
    written = pq.read_table(tmp_path / "p.parquet")
    assert written.column_names == [
        "kind",
        "probability of a",
        "probability of b",
        "probability of c",
        "prediction",
    ]
    np.testing.assert_allclose(written["probability of b"], probability[:, 1], rtol=1e-15)
    assert written["prediction"].to_pylist() == list(model.predict(table))


def test_rows_that_cannot_be_told_have_no_class(tmp_path: Path) -> None:
    table = a_table()
    model = zeroloop.train(table, "kind", missing="drop", features=["size", "colour"])
    with pytest.warns(zeroloop.ZeroloopWarning, match="have a missing value and get no prediction"):
        predicted = model.predict(table)
    gaps = table["size"].is_null().to_numpy()
    assert all((p is None) == gap for p, gap in zip(predicted, gaps, strict=True))
    with pytest.warns(zeroloop.ZeroloopWarning, match="get no prediction"):
        zeroloop.predict_file(model, table, tmp_path / "p.csv")
    assert pyarrow.csv.read_csv(tmp_path / "p.csv")["probability of c"].null_count == np.sum(gaps)


def test_the_tables_optimum_is_scikit_learns() -> None:
    table = pa.table({"kind": NAMES, **{f"x{j}": IRIS[:, j] for j in range(4)}})
    model = zeroloop.train(table, "kind", test_fraction=0, tol=1e-10)
    scaled = (IRIS - IRIS.mean(axis=0)) / IRIS.std(axis=0)
    peer = Peer(solver="newton-cholesky", tol=1e-12).fit(scaled, NAMES)
    np.testing.assert_allclose(model.coef[:, 1:] * IRIS.std(axis=0), peer.coef_, rtol=1e-6, atol=1e-8)


def test_what_is_wrong_with_classes() -> None:
    table = a_table()
    with pytest.raises(OptionError, match="positive is 'a', but the target 'kind' has 3 values"):
        zeroloop.train(table, "kind", positive="a")
    rare = np.array(["a", "b"] * 300, dtype=object)
    rare[17] = "c"
    lonely = table.set_column(0, "kind", pa.array(list(rare)))
    for seed in range(200):
        held = zeroloop.blocks.hash_rows(17, 1, seed)[0] < np.uint64(0.2 * 2**64)
        if held:
            break
    with pytest.raises(DataError, match="None of the rows used for training has the class 'c'"):
        zeroloop.train(lonely, "kind", seed=seed)
    model = zeroloop.train(table, "kind")
    with pytest.raises(DataError, match="holds 'd'; the model knows 'a', 'b' and 'c'"):
        zeroloop.evaluate(model, pa.table({"kind": ["d"], "size": [1.0], "colour": ["red"]}))


def test_a_class_without_weight_is_never_predicted() -> None:
    fit = LogisticRegression(class_weight={0: 1, 1: 1, 2: 0}).fit(IRIS, SPECIES)
    assert set(fit.predict(IRIS)) == {0, 1}
    assert np.max(fit.predict_proba(IRIS)[:100, 2]) < 1e-3


def test_the_command_line_with_three_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from zeroloop.cli import app

    pq.write_table(a_table(), tmp_path / "t.parquet")

    def run(*arguments: str) -> str:
        app([*arguments], standalone_mode=False)
        return capsys.readouterr().out

    data, model = str(tmp_path / "t.parquet"), str(tmp_path / "m.json")
    printed = run("train", data, "--target", "kind", "--l1-ratio", "1", "--C", "0.1", "-o", model)
    assert "the model gives the probability of each class ('a' " in printed
    assert "l1_ratio = 1" in printed
    said = json.loads(run("summary", model, "--json"))
    assert said["target"]["classes"] == ["a", "b", "c"]
    assert said["terms"][0]["class"] == "a"
    assert "class" in run("summary", model)
    chosen = json.loads(
        run("train", data, "--target", "kind", "--C", "cv-1se", "--multi-class", "ovr", "-o", model, "--json")
    )
    assert chosen["C"] in chosen["cross_validation"]["C"]
    assert len(chosen["cross_validation"]["log_loss"]) == 20
    assert "chosen" in run("summary", model)
