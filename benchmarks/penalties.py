"""Penalties, paths, classes, sparse rows, cross-validation: zeroloop and the peers that have the same.

Each contestant runs in a process of its own: `python -m benchmarks.penalties CASE PEER FOLDER` prints a JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from benchmarks.environments import python_of
from benchmarks.penalty_peers import (
    adelie_path,
    celer,
    glmnet,
    glmnet_path,
    intelex,
    scikit_learn,
    scikit_learn_cv,
    skglm,
    snapml,
    torch_lbfgs,
    zeroloop,
    zeroloop_cv,
    zeroloop_path,
    zeroloop_table_cv,
)
from benchmarks.problems import dense, flights, labels

sp: Any = scipy.sparse  # its stubs know less than its arrays can
MOST_SECONDS = 300  # of a contestant's process, importing and loading included
Found = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is fitted.

    Attributes:
        make: returns (X, y).
        C: scikit-learn's; l1_ratio: its share of L1.
        wanted: how many times faster than the fastest peer zeroloop is to be.
        peers: by name, a function from (X, y, C, l1_ratio) to coefficients `(n_outputs, n)` and intercepts, or None
            where only the time is compared; zeroloop first.

    """

    make: Callable[[], tuple[Any, NDArray[Any]]]
    C: float
    l1_ratio: float
    wanted: float
    peers: dict[str, Callable[..., Any]]


def words(m: int = 200_000, n: int = 50_000, a_row: int = 50) -> tuple[Any, NDArray[np.float64]]:
    """Rows of words by Zipf's law, 9.3 million values stored; one word in twenty matters."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, n + 1) ** 0.9
    columns = np.sort(rng.choice(n, size=(m, a_row), p=share / share.sum()).astype(np.int32), axis=1)
    values = np.exp(0.5 * rng.standard_normal(m * a_row))
    X = sp.csr_matrix((values, columns.ravel(), np.arange(0, m * a_row + 1, a_row)), shape=(m, n))
    X.sum_duplicates()
    z = X @ np.where(rng.random(n) < 0.05, rng.standard_normal(n), 0)
    return X, labels(rng, z / z.std() * 2.5 - 0.5)


def images(m: int = 60_000, n_classes: int = 10) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """28 x 28 pixels from 0 to 1: a pattern of 7 x 7 patches a class, patches that vary together, and noise."""
    rng = np.random.default_rng(0)

    def enlarged(patches: NDArray[np.float64]) -> NDArray[np.float64]:
        return patches.reshape(-1, 7, 7).repeat(4, axis=1).repeat(4, axis=2).reshape(-1, 784)

    pattern = enlarged(rng.standard_normal((n_classes, 49)))
    y = rng.integers(0, n_classes, m)
    common = enlarged(rng.standard_normal((m, 49)) @ rng.standard_normal((49, 49)) / 7)
    X = pattern[y] * 0.1 + common * 0.6 + 0.5 * rng.standard_normal((m, 784))
    return np.clip(X * 0.25 + 0.3, 0, 1), y


def of_classes(m: int, n: int, n_classes: int, *, independent: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Normal columns, correlated or not, the labels drawn from a linear model of them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((m, n))
    if not independent:
        X = X @ (rng.standard_normal((n, n)) / np.sqrt(n)) + 0.5
    z = X @ (rng.standard_normal((n, n_classes)) * 2 / np.sqrt(n))
    return X, np.argmax(z + rng.gumbel(size=z.shape), axis=1)


def features(m: int = 100_000, n: int = 768, n_classes: int = 200) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What a network's last layer looks like: few directions that classes lie in, bent, of equal norm a row."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, m)
    inner = rng.standard_normal((n_classes, 64))[y] + 1.3 * rng.standard_normal((m, 64))
    outer = np.tanh(inner @ rng.standard_normal((64, 512)) / 8) @ rng.standard_normal((512, n)) / 20
    outer += 0.3 * rng.standard_normal((m, n))
    outer -= outer.mean(axis=1, keepdims=True)
    return (outer / outer.std(axis=1, keepdims=True)).astype(np.float32), y


def correlated(m: int, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    problem = dense(m, n, 2)
    return problem.X, problem.y


def one_hot_flights() -> tuple[Any, NDArray[np.float64]]:
    problem = flights()
    return problem.X, problem.y


SPARSE_L1: dict[str, Callable[..., Any]] = {
    "zeroloop": zeroloop,
    "snapml": snapml,
    "scikit-learn liblinear": scikit_learn("liblinear"),
    "skglm": skglm,
    "celer, without an intercept": celer,
}
OF_CLASSES: dict[str, Callable[..., Any]] = {
    "zeroloop": zeroloop,
    "scikit-learn lbfgs": scikit_learn("lbfgs"),
    "scikit-learn-intelex": intelex,
}
CASES: dict[str, Case] = {
    "L1, 1,000,000 x 50": Case(
        make=lambda: correlated(1_000_000, 50),
        C=1e-3,
        l1_ratio=1.0,
        wanted=10,
        peers={**SPARSE_L1, "scikit-learn saga": scikit_learn("saga"), "glmnet": glmnet},
    ),
    "L1 path of 100 penalties, 100,000 x 200": Case(
        make=lambda: correlated(100_000, 200),
        C=1.0,
        l1_ratio=1.0,
        wanted=5,
        peers={"zeroloop": zeroloop_path, "glmnet": glmnet_path, "adelie": adelie_path},
    ),
    "L1 path of 100 penalties, sparse 50,000 x 5,000": Case(
        make=lambda: words(50_000, 5_000),
        C=1.0,
        l1_ratio=1.0,
        wanted=4,
        peers={"zeroloop": zeroloop_path, "adelie": adelie_path},
    ),
    "L2, sparse 200,000 x 50,000": Case(
        make=words,
        C=1.0,
        l1_ratio=0.0,
        wanted=3,
        peers={
            "zeroloop": zeroloop,
            "snapml": snapml,
            "scikit-learn lbfgs": scikit_learn("lbfgs"),
            "scikit-learn-intelex": intelex,
            "scikit-learn newton-cg": scikit_learn("newton-cg"),
            "scikit-learn liblinear": scikit_learn("liblinear"),
        },
    ),
    "L1, sparse 200,000 x 50,000": Case(make=words, C=0.1, l1_ratio=1.0, wanted=3, peers=SPARSE_L1),
    "10 classes, 60,000 x 784": Case(
        make=images,
        C=1.0,
        l1_ratio=0.0,
        wanted=4,
        peers={**OF_CLASSES, "snapml": snapml},
    ),
    **{
        f"{n_classes} classes, {m:,} x {n}{', independent' if independent else ''}": Case(
            make=partial(of_classes, m, n, n_classes, independent=independent),
            C=1.0,
            l1_ratio=0.0,
            wanted=wanted,
            peers=OF_CLASSES,
        )
        for m, n, n_classes, wanted in ((40_000, 100, 12, 4), (20_000, 512, 100, 2))
        for independent in (True, False)
    },
    "200 classes, 100,000 x 768 float32": Case(
        make=features, C=1.0, l1_ratio=0.0, wanted=1.5, peers={**OF_CLASSES, "torch L-BFGS": torch_lbfgs}
    ),
    "5 folds x 10 values of C, flights": Case(
        make=one_hot_flights,
        C=1.0,
        l1_ratio=0.0,
        wanted=10,
        peers={
            "zeroloop, the table": zeroloop_table_cv,
            "zeroloop, the one-hot CSR matrix": zeroloop_cv,
            "scikit-learn lbfgs": scikit_learn_cv("lbfgs"),
            "scikit-learn lbfgs, n_jobs=-1": scikit_learn_cv("lbfgs", -1),
            "scikit-learn newton-cholesky": scikit_learn_cv("newton-cholesky"),
        },
    ),
}


def judged(X: Any, y: NDArray[Any], strength: float, l1_ratio: float, coef: Any, intercept: Any) -> tuple[float, float]:
    """Return the mean objective and the violation of its optimality conditions, for columns of unit scale."""
    unit = abs(X).max(axis=0).toarray().ravel() if sp.issparse(X) else X[:20_000].std(axis=0)
    z = np.asarray(X @ coef.T) + intercept
    if len(coef) == 1:
        residual = 0.5 + 0.5 * np.tanh(z / 2) - np.reshape(y, (-1, 1))
        loss = np.mean(np.logaddexp(0, np.where(np.reshape(y, (-1, 1)) > 0, -z, z)))
    else:
        z -= z.max(axis=1, keepdims=True)
        own = z[np.arange(len(y)), y].copy()
        np.exp(z, out=z)
        loss = np.mean(np.log(z.sum(axis=1)) - own)
        residual = z / z.sum(axis=1, keepdims=True)
        residual[np.arange(len(y)), y] -= 1
    residual /= len(y)
    g = np.asarray(X.T @ residual).T + (1 - l1_ratio) * strength * coef
    l1 = l1_ratio * strength
    penalty = l1 * np.sum(np.abs(coef)) + (1 - l1_ratio) * strength * np.sum(coef * coef) / 2
    slope = np.where(coef == 0, np.maximum(np.abs(g) - l1, 0), np.abs(g + l1 * np.sign(coef)))
    violation = max(float(np.max(slope / np.where(unit > 0, unit, 1))), float(np.max(np.abs(residual.sum(axis=0)))))
    return float(loss + penalty), violation


def saved(X: Any, y: NDArray[Any], folder: str) -> None:
    """Write arrays, so that each contestant's process need not make them again."""
    if sp.issparse(X):
        sp.save_npz(f"{folder}/X.npz", X, compressed=False)
    else:
        np.save(f"{folder}/X.npy", X)
    np.save(f"{folder}/y.npy", y)


def saved_arrays(folder: Path) -> tuple[Any, NDArray[Any]]:
    """Return the arrays that were written."""
    sparse = (folder / "X.npz").exists()
    return sp.load_npz(folder / "X.npz").tocsr() if sparse else np.load(folder / "X.npy"), np.load(folder / "y.npy")


def run_one(case: Case, peer: str, folder: Path) -> Found:
    """Fit, twice where that is quick, judge, and return what was found."""
    X, y = saved_arrays(folder)
    taken: list[float] = []
    while not taken or (len(taken) < 3 and sum(taken) < 15):
        start = time.perf_counter()
        found = case.peers[peer](X, y, case.C, case.l1_ratio)
        taken.append(time.perf_counter() - start)
        if isinstance(found, dict) and "seconds" in found:
            taken[-1] = found["seconds"]
    result: Found = {"seconds": min(taken)}
    if isinstance(found, tuple):
        coef, intercept = (np.asarray(part, dtype=np.float64) for part in found)
        objective, violation = judged(X, y, 1 / (case.C * len(y)), case.l1_ratio, coef, intercept)
        return result | {"objective": objective, "violation": violation, "nonzero": int(np.sum(coef != 0))}
    if isinstance(found, dict) and "coef" in found:
        at = range(0, len(found["strengths"]), 7)
        worst = [
            judged(X, y, found["strengths"][i], 1.0, found["coef"][i : i + 1], found["intercept"][i])[1] for i in at
        ]
        result |= {"violation": max(worst), "nonzero": int(np.sum(found["coef"][-1] != 0)), "fits": len(found["coef"])}
    return result


def compare(name: str) -> list[Found]:
    """Return a row for each contestant of a case."""
    case, rows = CASES[name], []
    with tempfile.TemporaryDirectory() as folder:
        saved(*case.make(), folder)
        for peer in case.peers:
            print(f"{name}: {peer} ...", flush=True)
            rows.append({"case": name, "peer": peer, "wanted": case.wanted} | _process(name, peer, folder))
    return rows


def _process(case: str, peer: str, folder: str) -> Found:
    command = [python_of(peer), "-m", "benchmarks.penalties", case, peer, folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired:
        return {"stopped": f"not done within {MOST_SECONDS} s"}
    if done.returncode != 0:
        return {"stopped": (done.stderr.strip().splitlines() or ["killed"])[-1][:120]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(run_one(CASES[sys.argv[1]], sys.argv[2], Path(sys.argv[3]))))
