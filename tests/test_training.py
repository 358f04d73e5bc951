"""The main job against R and scikit-learn, on the embedded flights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import zeroloop
from conftest import r_coefficients
from zeroloop.blocks import hash_rows
from zeroloop.errors import NotConvergedWarning
from zeroloop.scoring import score_rows

SMALL = ["month", "hour", "distance", "origin", "temp", "humid"]
FREE: dict[str, Any] = {"C": math.inf, "missing": "drop", "test_fraction": 0, "tol": 1e-10}


def test_r_small(flights: str) -> None:
    model = zeroloop.train(pq.read_table(flights).drop_null(), "late", features=SMALL, **FREE)
    found = dict(zip(model.schema.terms, model.coef[0], strict=True))
    renamed = {"(Intercept)": "(intercept)", "originJFK": "origin=JFK", "originLGA": "origin=LGA"}
    reference = {renamed.get(term, term): coef for term, coef in r_coefficients("flights_glm_small_terms.csv").items()}
    assert found.keys() == reference.keys()
    for term, coef in reference.items():
        assert found[term] == pytest.approx(coef, rel=1e-8, abs=0), term
    assert model.training.rows == 291_140
    assert -model.training.loss * model.training.rows == pytest.approx(-145269.06227019284, rel=1e-14)


def sklearn_matrix(table: pa.Table, model: zeroloop.Model) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the standardised one-hot matrix `(m, n_coefs - 1)` as scikit-learn makes it, and the labels."""
    numeric = [column.name for column in model.schema.numeric]
    gaps = [column.name for column in model.schema.numeric if column.missing]
    text = [column.name for column in model.schema.categorical]
    frame = table.to_pandas()
    frame[numeric] = frame[numeric].astype(str).astype(float)  # the decimals that float32 stands for
    matrix = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numeric),
        (make_pipeline(SimpleImputer(strategy="constant", fill_value=0, add_indicator=True)), gaps),
        (OneHotEncoder(sparse_output=False), text),
        sparse_threshold=0,
    ).fit_transform(frame)
    n = len(numeric)
    return np.delete(matrix, np.s_[n : n + len(gaps)], axis=1), frame["late"].to_numpy()


def test_scikit_learn_with_a_penalty(flights: str) -> None:
    table = pq.read_table(flights).slice(0, 60_000)
    model = zeroloop.train(table, "late", C=1, test_fraction=0)
    X, y = sklearn_matrix(table, model)
    peer = LogisticRegression(C=1, solver="newton-cholesky", tol=1e-10).fit(X, y)
    scaled = (model.coef[0] * model.schema.scale)[1:]
    np.testing.assert_allclose(scaled, peer.coef_[0], rtol=1e-6, atol=1e-6)
    n = len(model.schema.numeric)
    centre = model.coef[0, 1 : 1 + n] @ model.schema.centre
    assert model.coef[0, 0] + centre == pytest.approx(peer.intercept_[0], abs=1e-6)

    def objective(coef: NDArray[np.float64], intercept: float) -> float:
        z = X @ coef + intercept
        return float(np.sum(np.logaddexp(0, z) - y * z) + 0.5 * coef @ coef)

    ours = model.training.objective * model.training.rows
    assert ours == pytest.approx(objective(peer.coef_[0], peer.intercept_[0]), rel=1e-12)
    assert ours == pytest.approx(objective(scaled, model.coef[0, 0] + centre), rel=1e-12)
    np.testing.assert_allclose(model.predict_proba(table), peer.predict_proba(X), atol=1e-6)


@pytest.mark.filterwarnings("ignore:Levels never seen in training")
def test_held_out_rows_are_chosen_by_hash_and_scored_honestly(flights: str) -> None:
    table = pq.read_table(flights).slice(0, 50_000)
    model = zeroloop.train(table, "late", test_fraction=0.3, seed=5)
    test = hash_rows(0, 50_000, 5) < np.uint64(int(0.3 * 2**64))
    assert 0.29 < test.mean() < 0.31
    held_out = table.filter(pa.array(test))
    by_hand = zeroloop.evaluate(model, held_out)
    assert model.held_out is not None
    assert model.held_out["rows"] == len(held_out) == model.training.held_out_rows
    for score in ("log_loss", "auc", "brier", "accuracy"):
        assert model.held_out[score] == pytest.approx(by_hand[score], rel=1e-12)
    y, p = held_out["late"].to_numpy(), model.predict_proba(held_out)[:, 1]
    assert model.held_out["log_loss"] == pytest.approx(log_loss(y, p), rel=1e-10)
    assert model.held_out["auc"] == pytest.approx(roc_auc_score(y, p), rel=1e-10)
    assert model.held_out["brier"] == pytest.approx(brier_score_loss(y, p), rel=1e-10)
    assert model.held_out["accuracy"] == pytest.approx(model.score(held_out), rel=1e-12)
    base = np.full(len(y), model.training.shares[1])
    assert model.held_out["base_rate"]["log_loss"] == pytest.approx(log_loss(y, base), rel=1e-10)
    assert model.held_out["base_rate"]["auc"] == 0.5
    # The rows held out teach nothing: a model of the others alone is the same.
    others = zeroloop.train(table.filter(pa.array(~test)), "late", test_fraction=0)
    assert others.schema.terms == model.schema.terms
    np.testing.assert_allclose(others.coef, model.coef, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("ties", [1, 5, 1000])
def test_scores_are_scikit_learns(ties: int) -> None:
    rng = np.random.default_rng(ties)
    z = rng.standard_normal(900).round(3 if ties == 1 else 0) * 3
    y, weight = (rng.random(900) < 1 / (1 + np.exp(-z))).astype(np.float64), rng.uniform(0, 2, 900)
    p = 1 / (1 + np.exp(-z))
    scores = score_rows(y, z, weight)
    assert scores.log_loss == pytest.approx(log_loss(y, p, sample_weight=weight), rel=1e-10)
    assert scores.auc == pytest.approx(roc_auc_score(y, p, sample_weight=weight), rel=1e-10)
    assert scores.brier == pytest.approx(brier_score_loss(y, p, sample_weight=weight), rel=1e-10)
    assert score_rows(np.ones(3), np.zeros(3)).auc is None


def test_any_number_of_threads_gives_the_same_model(flights: str) -> None:
    one, two, seven = (zeroloop.train(flights, "late", threads=threads) for threads in (1, 2, 7))
    assert one.coef.tobytes() == two.coef.tobytes() == seven.coef.tobytes()
    assert one.held_out == two.held_out == seven.held_out


def test_gradient_descent_gets_there(flights: str) -> None:
    table = pq.read_table(flights, columns=["late", "hour", "humid"])
    newton = zeroloop.train(table, "late")
    descent = zeroloop.train(table, "late", solver="gradient-descent", learning_rate=2, tol=1e-5)
    np.testing.assert_allclose(descent.coef[0, :3], newton.coef[0, :3], rtol=1e-2)  # the rest is missing-indicators
    assert descent.training.passes > 3 * newton.training.passes
    with pytest.warns(NotConvergedWarning, match="after 4 passes of gradient-descent"):
        stopped = zeroloop.train(table, "late", solver="gradient-descent", max_iter=3)
    assert not stopped.training.converged
    assert stopped.training.outcome.startswith("reached the limit")


def test_progress_is_told(flights: str) -> None:
    told: list[tuple[str, int]] = []
    table = pq.read_table(flights).slice(0, 40_000)
    model = zeroloop.train(table, "late", progress=lambda work: told.append((work.doing, work.rows)))
    assert ("scanning", 40_000) in told
    passes = [doing.split()[1].rstrip(",") for doing, _ in told if doing.startswith("pass ")]
    assert passes == [str(n) for n in range(1, model.training.passes + 2)]
    assert told[-1][0] == "scoring"
