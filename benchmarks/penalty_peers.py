"""Who fits the cases of `benchmarks.penalties`: functions from X, y, C and l1_ratio to coefficients and intercepts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from benchmarks.problems import flights

sp: Any = scipy.sparse  # its stubs know less than its arrays can


def zeroloop(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    from zeroloop import LogisticRegression

    fit = LogisticRegression(C=C, l1_ratio=l1_ratio).fit(X, y)
    assert fit.converged_
    return fit.coef_, fit.intercept_


def scikit_learn(solver: str) -> Callable[..., Any]:
    def fit(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
        from sklearn.linear_model import LogisticRegression

        found = LogisticRegression(C=C, l1_ratio=l1_ratio, solver=solver).fit(X, y)
        return found.coef_, found.intercept_

    return fit


def intelex(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    from sklearnex.linear_model import LogisticRegression

    found = LogisticRegression(C=C).fit(X, y)
    return found.coef_, found.intercept_


def torch_lbfgs(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    """A linear probe as it is written with torch: cross-entropy, L-BFGS over all rows, scikit-learn's limits."""
    import torch

    rows, labels = torch.from_numpy(X), torch.from_numpy(y)
    weight = torch.zeros(int(y.max()) + 1, X.shape[1], dtype=rows.dtype, requires_grad=True)
    bias = torch.zeros(len(weight), dtype=rows.dtype, requires_grad=True)
    parameters = [weight, bias]
    solver = torch.optim.LBFGS(
        parameters, max_iter=100, history_size=10, tolerance_grad=1e-4, line_search_fn="strong_wolfe"
    )

    def closure() -> Any:
        solver.zero_grad()
        loss = torch.nn.functional.cross_entropy(torch.nn.functional.linear(rows, weight, bias), labels)
        loss = loss + (weight * weight).sum() / (2 * C * len(rows))
        loss.backward()
        return loss

    solver.step(closure)
    return weight.detach().numpy(), bias.detach().numpy()


def snapml(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    from snapml import LogisticRegression

    options = {"penalty": "l1", "dual": False} if l1_ratio else {"dual": False}
    fit = LogisticRegression(regularizer=1 / C, fit_intercept=True, n_jobs=_cores(), **options).fit(X, y)
    return np.atleast_2d(fit.coef_), np.ravel(fit.intercept_)


def celer(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    from celer import LogisticRegression

    fit = LogisticRegression(C=C, fit_intercept=False).fit(_by_column(X), np.where(y > 0, 1, -1))
    return np.atleast_2d(fit.coef_), np.zeros(1)


def skglm(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    from skglm import SparseLogisticRegression

    fit = SparseLogisticRegression(alpha=1 / (C * len(y))).fit(_by_column(X), y)
    return np.atleast_2d(fit.coef_), np.ravel(fit.intercept_)


def _by_column(X: Any) -> Any:
    return X.tocsc() if sp.issparse(X) else np.asfortranarray(X)


def glmnet(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    """One penalty; its clock is R's, without handing the data over."""
    return _in_r(X, y, f"list(glmnet(X, y, family='binomial', alpha={l1_ratio}, lambda={1 / (C * len(y))!r}))")


def glmnet_path(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    return _in_r(X, y, "list(glmnet(X, y, family='binomial', standardize=FALSE))")


def _in_r(X: Any, y: Any, call: str) -> Any:
    if shutil.which("Rscript") is None:
        raise RuntimeError("R is not installed")
    with tempfile.TemporaryDirectory() as folder:
        np.asfortranarray(X).T.tofile(f"{folder}/X")
        np.asarray(y, dtype=np.float64).tofile(f"{folder}/y")
        m, n = X.shape
        script = f"""
        suppressMessages(library(glmnet))
        X <- matrix(readBin("{folder}/X", "double", {m * n}), nrow = {m}); y <- readBin("{folder}/y", "double", {m})
        s <- Sys.time(); f <- {call}[[1]]; seconds <- as.numeric(Sys.time() - s, units = "secs")
        writeBin(c(seconds, length(f$lambda), f$lambda, as.vector(as.matrix(coef(f)))), "{folder}/out")
        """
        subprocess.run(["Rscript", "-e", script], check=True, capture_output=True)
        out = np.fromfile(f"{folder}/out")
    k = int(out[1])
    coef = out[2 + k :].reshape(k, n + 1)
    return {"seconds": out[0], "coef": coef[:, 1:], "intercept": coef[:, 0], "strengths": out[2 : 2 + k]}


def adelie_path(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    """Its clock begins with the rows in the layout that it wants."""
    import adelie

    rows = _by_column(X)
    matrix = adelie.matrix.sparse(rows, n_threads=_cores()) if sp.issparse(X) else rows
    start = time.perf_counter()
    path = adelie.grpnet(
        matrix, adelie.glm.binomial(np.asarray(y, dtype=np.float64)), lmda_path_size=100, min_ratio=1e-4,
        early_exit=False, progress_bar=False, n_threads=_cores(),
    )  # fmt: skip
    seconds = time.perf_counter() - start
    coef = path.betas.toarray() if sp.issparse(path.betas) else np.asarray(path.betas)
    return {"seconds": seconds, "coef": coef, "intercept": path.intercepts, "strengths": path.lmdas}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def zeroloop_path(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    import zeroloop

    path = zeroloop.logistic_path(X, y, standardize=False)
    assert np.all(path.converged)
    strengths = 1 / (path.Cs * len(y))
    return {"coef": path.coef[:, 0], "intercept": path.intercept[:, 0], "strengths": strengths}


def zeroloop_cv(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    from zeroloop import LogisticRegressionCV

    LogisticRegressionCV(scoring="neg_log_loss").fit(X, y)


def zeroloop_table_cv(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
    import zeroloop

    table = flights().table
    start = time.perf_counter()
    zeroloop.train(table, "late", C="cv", Cs=np.logspace(-4, 4, 10).tolist(), test_fraction=0)
    return {"seconds": time.perf_counter() - start}


def scikit_learn_cv(solver: str, n_jobs: int | None = None) -> Callable[..., Any]:
    def fit(X: Any, y: Any, C: float, l1_ratio: float) -> Any:
        from sklearn.linear_model import LogisticRegressionCV

        LogisticRegressionCV(scoring="neg_log_loss", solver=solver, n_jobs=n_jobs).fit(X, y)

    return fit
