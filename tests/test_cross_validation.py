"""Cross-validation: folds that share rows and passes, scikit-learn's attributes, glmnet's rule."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV as Peer
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

import zeroloop
from conftest import made
from zeroloop import LogisticRegression, LogisticRegressionCV
from zeroloop.errors import OptionError
from zeroloop.fit import Options, plain_shape
from zeroloop.grid import Grid, choose, cross_validate, hashed_folds
from zeroloop.kernels.statistics import moments
from zeroloop.objective import Units
from zeroloop.sources.memory import stacked
from zeroloop.sources.together import Together

IRIS, SPECIES = load_iris(return_X_y=True)
CS = [0.01, 0.1, 1.0, 10.0]


@pytest.mark.parametrize("y", [SPECIES, SPECIES == 1], ids=["three", "two"])
@pytest.mark.parametrize("sparse", [False, True])
def test_scores_and_coefficients_are_scikit_learns(y: Any, sparse: bool) -> None:
    X = sp.csr_array(IRIS) if sparse else IRIS
    ours = LogisticRegressionCV(Cs=CS, scoring="neg_log_loss", tol=1e-10, use_legacy_attributes=False).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = Peer(
            Cs=CS,
            scoring="neg_log_loss",
            tol=1e-12,
            solver="newton-cholesky",
            use_legacy_attributes=False,
            l1_ratios=(0.0,),
        ).fit(IRIS, y)
    np.testing.assert_allclose(ours.scores_, peer.scores_, rtol=1e-6)
    np.testing.assert_allclose(ours.coefs_paths_, peer.coefs_paths_, rtol=1e-5, atol=1e-6)
    assert ours.C_ == peer.C_
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, rtol=1e-6, atol=1e-7)
    assert ours.score(X, y) == pytest.approx(peer.score(IRIS, y), rel=1e-8)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("l1_ratios", [[0.0, 1.0], [0.5]])
def test_attributes_as_they_were(refit: bool, l1_ratios: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = LogisticRegressionCV(
            Cs=CS[1:3], l1_ratios=l1_ratios, cv=3, refit=refit, scoring="neg_log_loss", tol=1e-9
        )
        ours.fit(IRIS, SPECIES)
        saga: dict[str, Any] = {"solver": "saga", "tol": 1e-7, "max_iter": 50_000, "scoring": "neg_log_loss"}
        peer = Peer(Cs=CS[1:3], l1_ratios=np.array(l1_ratios), cv=3, refit=refit, **saga)
        peer.fit(IRIS, SPECIES)
    assert ours.scores_.keys() == peer.scores_.keys()
    for name in peer.classes_:
        assert ours.scores_[name].shape == peer.scores_[name].shape
        assert ours.coefs_paths_[name].shape == peer.coefs_paths_[name].shape
        np.testing.assert_allclose(ours.scores_[name], peer.scores_[name], atol=2e-3)  # saga stops early
    assert ours.n_iter_.shape == peer.n_iter_.shape
    assert ours.C_.shape == peer.C_.shape
    assert ours.l1_ratio_.shape == peer.l1_ratio_.shape
    assert np.all(np.isin(ours.C_, CS)) or not refit
    assert ours.coef_.shape == (3, 4)


def test_folds_are_those_of_single_fits_in_any_order_of_c() -> None:
    X, y = made(900, 4)
    cv = KFold(3, shuffle=True, random_state=0)
    Cs = [1.0, 0.01, 100.0]
    ours = LogisticRegressionCV(Cs=Cs, cv=cv, l1_ratios=[1.0], tol=1e-10, use_legacy_attributes=False).fit(X, y)
    for f, (train, _) in enumerate(cv.split(X, y)):
        for c, C in enumerate(Cs):
            single = LogisticRegression(C=C, l1_ratio=1, tol=1e-10).fit(X[train], y[train])
            np.testing.assert_allclose(ours.coefs_paths_[f, 0, c, :, :-1], single.coef_, rtol=1e-4, atol=1e-7)
    scores = [cross_val_score(LogisticRegression(C=C, l1_ratio=1, tol=1e-10), X, y, cv=cv) for C in Cs]
    np.testing.assert_allclose(ours.scores_[:, 0].T, scores)
    # Passes are shared: three folds need hardly more than one would.
    assert ours.n_passes_ < 3 * 3 * 4


def test_the_rule_of_one_standard_error() -> None:
    assert choose(np.array([5.0, 3.0, 2.1, 2.0, 2.05]), np.full(5, 0.2), "min") == 3
    assert choose(np.array([5.0, 3.0, 2.1, 2.0, 2.05]), np.full(5, 0.2), "1se") == 2
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 20))
    y = (X[:, 0] + rng.logistic(size=400) > 0).astype(int)
    options: dict[str, Any] = {"Cs": np.logspace(-3, 2, 12), "l1_ratios": [1.0], "scoring": "neg_log_loss", "cv": 5}
    best = LogisticRegressionCV(**options, use_legacy_attributes=False).fit(X, y)
    plain = LogisticRegressionCV(**options, rule="1se", use_legacy_attributes=False).fit(X, y)
    mean = best.scores_.mean(axis=0)[0]
    error = best.scores_.std(axis=0, ddof=1)[0] / np.sqrt(5)
    assert options["Cs"][np.argmax(mean)] == best.C_
    within = mean >= mean.max() - error[np.argmax(mean)]
    assert plain.C_ == options["Cs"][np.argmax(within)] <= best.C_
    assert np.sum(plain.coef_ != 0) <= np.sum(best.coef_ != 0)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_fold_may_lack_a_class(classes: int) -> None:
    X, y = IRIS[: 50 * classes], SPECIES[: 50 * classes]
    ours = LogisticRegressionCV(
        Cs=[1e-3, 1.0], cv=KFold(classes), scoring="neg_log_loss", use_legacy_attributes=False
    ).fit(X, y)
    assert np.all(np.isfinite(ours.scores_))
    assert np.all(ours.scores_ < -3)  # each fold's rows are of the class that its model never met
    assert ours.C_ == 1e-3


def test_weights_and_threads() -> None:
    X, y = made(600, 4)
    weight = np.random.default_rng(0).integers(0, 3, 600).astype(float)
    a = LogisticRegressionCV(cv=KFold(3), use_legacy_attributes=False).fit(X, y, weight)
    b = LogisticRegressionCV(cv=KFold(3), use_legacy_attributes=False, n_jobs=1).fit(X, y, weight)
    assert a.coefs_paths_.tobytes() == b.coefs_paths_.tobytes()
    assert a.scores_.tobytes() == b.scores_.tobytes()


def test_fits_that_stop_short_are_said() -> None:
    X, y = made(400, 4)
    with (
        pytest.warns(ConvergenceWarning, match="^Not converged: after 2 passes"),
        pytest.warns(ConvergenceWarning, match=r"of 15 fits to folds are not converged; the worst: Not converged"),
    ):
        LogisticRegressionCV(Cs=[0.1, 10.0, 1000.0], max_iter=1).fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "2se"}, "The 'rule' parameter of LogisticRegressionCV must be a str among .* Got '2se' instead"),
        ({"Cs": [0, 1]}, r"Cs is \[0"),
        ({"l1_ratios": [2]}, r"l1_ratios is \[2\]; it must hold numbers from 0"),
        ({"l1_ratios": []}, r"l1_ratios is \[\]"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogisticRegressionCV(**options).fit(*made(40, 2))


def test_all_folds_share_passes_and_the_table_s_door_chooses_by_them() -> None:
    X, y = made(2_000, 3)
    source = stacked(X.T, y)
    columns = source.reduce(moments)
    scale = np.append(1.0, columns.deviation())
    grid = Grid(options=Options(tol=1e-9), units=Units(columns.mean, scale), shape=plain_shape(scale))
    Cs = np.logspace(-3, 1, 5)
    found = cross_validate(source, grid, Cs, lambda block: hashed_folds(block, 4, 0), 4, "min")
    assert found.passes < 5 * 4 * 4
    folds = hashed_folds(source.blocks[0], 4, 0)
    scaled = (X - columns.mean) / columns.deviation()
    for fold in range(4):
        inside = folds == fold
        for c, C in enumerate(Cs):
            fit = LogisticRegression(C=C, tol=1e-10).fit(scaled[~inside], y[~inside])
            p = fit.predict_proba(scaled[inside])[np.arange(np.sum(inside)), y[inside].astype(int)]
            assert found.losses[fold, c] == pytest.approx(-np.mean(np.log(p)), rel=1e-6)
    assert found.weights.sum() == 2_000
    model = zeroloop.train(_frame(X, y), "y", C="cv", Cs=list(Cs), test_fraction=0)
    record = model.training.cross_validation
    assert record is not None
    assert record["C"][int(np.argmin(record["log_loss"]))] == model.training.C
    assert record["folds"] == 5
    with pytest.raises(OptionError, match="C is 'best'; it must be a number above 0, or one of cv, cv-1se"):
        zeroloop.train(_frame(X, y), "y", C="best")


def _frame(X: Any, y: Any) -> Any:
    import pyarrow as pa

    return pa.table({"y": y, **{f"x{j}": X[:, j] for j in range(X.shape[1])}})


def test_an_error_in_one_fit_reaches_the_caller() -> None:
    X, y = made(200, 2)
    source = stacked(X.T, y)

    def work(k: int, rows: Any) -> int:
        total: int = rows.reduce(lambda block: block.n_rows)
        if k == 1:
            raise ValueError("this one fails")
        return total + int(rows.reduce(lambda block: block.n_rows))

    with pytest.raises(ValueError, match="this one fails"):
        Together([source] * 3).run(work)

    def broken(block: Any) -> int:
        raise RuntimeError("no pass")

    with pytest.raises(RuntimeError, match="no pass"):
        Together([source] * 2).run(lambda k, rows: rows.reduce(broken))
    assert Together([source] * 3).run(lambda k, rows: rows.reduce(lambda block: block.n_rows)) == [200] * 3


def test_stratified_folds_by_default() -> None:
    X, y = made(300, 3)
    a = LogisticRegressionCV(Cs=2, use_legacy_attributes=False).fit(X, y)
    b = LogisticRegressionCV(Cs=2, cv=StratifiedKFold(5), use_legacy_attributes=False).fit(X, y)
    np.testing.assert_array_equal(a.scores_, b.scores_)
    assert list(a.Cs_) == [1e-4, 1e4]
