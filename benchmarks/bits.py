"""The same bits on every processor: `make bits`, or `python -m benchmarks.bits [--cores NAME=FOLDER ...]`.

Thirteen fits, each in a process for every kind of processor that this machine can stand in for: every level of the core
that it runs (`ZEROLOOP_CPU`), with OpenBLAS for another processor (`OPENBLAS_CORETYPE`), NumPy without its wider
registers (`NPY_DISABLE_CPU_FEATURES`), and the C library without fused multiply-add (`GLIBC_TUNABLES`). `--cores` adds
other builds of the core, each a folder with a `core` module in it: of another compiler, say. `--pythons NAME=COMMAND`
adds other Pythons that have zeroloop: one for ARM under qemu, which `tools/arm64.sh` makes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 6_000, 12
WIDE_ROWS, WIDE_COLUMNS = 60, 200
SHORT = 12  # digits of a hash that are shown

Bits = dict[str, list[NDArray[Any]]]


def data(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return X `(m, n)`, some columns alike, and a score of each row."""
    rng = np.random.default_rng(seed)
    X = bell(rng, (ROWS, COLUMNS))
    X[:, 1] += 2 * X[:, 0]
    score = np.sum(X * np.linspace(-1, 1, COLUMNS), axis=1) / 2 + bell(rng, (ROWS,))
    return X * np.linspace(1, 50, COLUMNS) + 3, score


def bell(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return about normal values, by sums alone: NumPy's own draws take a logarithm now and then."""
    return np.asarray(np.sum(rng.random((12, *shape)), axis=0) - 6)


def estimated(X: Any, y: Any, **options: Any) -> list[NDArray[Any]]:
    """Return coefficients, intercepts, probabilities and predictors of an estimator's fit."""
    from zeroloop import LogisticRegression

    fit = LogisticRegression(max_iter=1000, **options).fit(X, y)
    return [fit.coef_, fit.intercept_, fit.predict_proba(X), fit.decision_function(X)]


def trained(data: Any, **options: Any) -> list[NDArray[Any]]:
    """Return coefficients, covariance, probabilities and their intervals of a model of a table."""
    import zeroloop

    model = zeroloop.train(data, "y", **options)
    estimates = model.estimates
    found = [model.coef, model.predict_proba(data)]
    if estimates is not None:
        found.append(estimates.covariance)
    return found


def table() -> Any:
    """Return a table of numbers and levels, with gaps."""
    import pyarrow as pa

    X, score = data(1)
    rng = np.random.default_rng(2)
    level = rng.choice(np.array(["a", "b", "c", "d"]), ROWS)
    score += np.where(level == "b", 1.0, 0.0)
    columns: dict[str, Any] = {f"x{j}": pa.array(X[:, j], mask=rng.random(ROWS) < 0.01) for j in range(4)}
    columns |= {"level": level, "other": rng.integers(0, 30, ROWS).astype(str), "y": score > 0}
    return pa.table(columns)


def of_files(folder: str) -> list[NDArray[Any]]:
    """Return a fit over files."""
    import pyarrow.parquet as pq

    rows = table()
    for i in range(3):
        pq.write_table(rows.slice(i * 2_000, 2_000), f"{folder}/{i}.parquet", row_group_size=700)
    return trained(f"{folder}/*.parquet", C=1.0)


def wide(_: str) -> list[NDArray[Any]]:
    """Return a fit of fewer rows than columns."""
    rng = np.random.default_rng(4)
    X = bell(rng, (WIDE_ROWS, WIDE_COLUMNS))
    return estimated(X, X[:, 0] + X[:, 1] > 0.1)


def of_sparse(_: str) -> list[NDArray[Any]]:
    """Return a fit of sparse columns."""
    from scipy import sparse

    rng = np.random.default_rng(5)
    X = sparse.csr_array(
        (rng.random(40_000), (rng.integers(0, 5_000, 40_000), rng.integers(0, 300, 40_000))), (5_000, 300)
    )
    return estimated(X, np.asarray(X[:, [0, 1, 2, 3]].sum(axis=1)).ravel() + rng.logistic(size=5_000) > 0.3)


def classes(_: str) -> list[NDArray[Any]]:
    """Return a fit of three classes."""
    X, score = data()
    return estimated(X, (score > -0.5).astype(int) + (score > 0.8))


def clustered(_: str) -> list[NDArray[Any]]:
    """Return a fit without a penalty, its covariance that of clusters."""
    import pyarrow as pa

    X, score = data()
    columns = {f"x{j}": X[:, j] for j in range(5)} | {"who": np.arange(ROWS) // 20, "y": score > 0}
    return trained(pa.table(columns), C=float("inf"), cluster="who")


def firth(_: str) -> list[NDArray[Any]]:
    """Return a bias-reduced fit of few rows."""
    import pyarrow as pa

    X, score = data()
    columns = {f"x{j}": X[:90, j] for j in range(3)} | {"y": score[:90] > 1.5}
    return trained(pa.table(columns), C=float("inf"), method="firth")


def dense(dtype: type, order: Literal["C", "F"], **options: Any) -> Callable[[str], list[NDArray[Any]]]:
    """Return a fit of numbers in one layout and precision."""

    def fitted(_: str) -> list[NDArray[Any]]:
        X, score = data()
        return estimated(np.asarray(X, dtype=dtype, order=order), score > 0, **options)

    return fitted


FITS: dict[str, Callable[[str], list[NDArray[Any]]]] = {
    "dense": dense(np.float64, "C"),
    "dense, stacked": dense(np.float64, "F"),
    "dense, float32": dense(np.float32, "C"),
    "dense, float32, stacked": dense(np.float32, "F"),
    "few rows": lambda _: estimated(data()[0][:150, :4], data()[1][:150] > 0),
    "levels": lambda _: trained(table(), C=float("inf")),
    "files": of_files,
    "sparse": of_sparse,
    "three classes": classes,
    "L1": dense(np.float64, "C", l1_ratio=1.0, C=0.05),
    "wide": wide,
    "clusters": clustered,
    "Firth": firth,
}


def fit_all(names: list[str]) -> dict[str, str]:
    """Return a hash of all bits of each fit."""
    found = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            parts = FITS[name](folder)
        whole = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
        found[name] = hashlib.sha256(whole).hexdigest()[:SHORT]
    return found


def processors(levels: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Return the environment of each kind of processor that this machine can stand in for; the first is its own."""
    found: dict[str, dict[str, str]] = {"as it is": {}}
    found |= {f"core {level}": {"ZEROLOOP_CPU": level} for level in levels}
    if platform.machine() in ("x86_64", "AMD64"):
        kinds = ("SkylakeX", "Haswell", "Zen", "Nehalem", "Prescott")
        found |= {f"OpenBLAS {kind}": {"OPENBLAS_CORETYPE": kind} for kind in kinds}
        wide, all_of_them = "X86_V4 AVX512_ICL AVX512_SPR", "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"
        found["NumPy v3"] = {"NPY_DISABLE_CPU_FEATURES": wide}
        found["NumPy v2"] = {"NPY_DISABLE_CPU_FEATURES": all_of_them}
        if sys.platform == "linux":
            found["C library v2"] = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F"}
        found["all of it"] = {name: value for one in found.values() for name, value in one.items()}
    return found


def run(environment: dict[str, str], names: list[str], python: str = shlex.quote(sys.executable)) -> dict[str, str]:
    """Return the hashes that a process in an environment finds."""
    command = [*shlex.split(python), "-W", "ignore", "-m", "benchmarks.bits", "--fit", *names]
    ran = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"Fits failed in {environment}:\n{ran.stderr}")
    found: dict[str, str] = json.loads(ran.stdout)
    return found


def compare(names: list[str], cores: dict[str, str], pythons: dict[str, str] | None = None) -> tuple[str, bool]:
    """Return a table of hashes, a row for each kind of processor, and whether every column is one."""
    from zeroloop import core

    rows = {kind: run(environment, names) for kind, environment in processors(core.levels).items()}
    for build, folder in cores.items():
        for level in core.levels:
            rows[f"{build} {level}"] = run({"ZEROLOOP_CPU": level, "ZEROLOOP_BITS_CORE": folder}, names)
    rows |= {name: run({}, names, python) for name, python in (pythons or {}).items()}
    own = rows["as it is"]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    for kind, found in rows.items():
        cells = [found[name] + ("" if found[name] == own[name] else " **differs**") for name in names]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines), all(found == own for found in rows.values())


def take_core(folder: str) -> None:
    """Let `zeroloop.core` be that of another build."""
    file = next(
        path for path in Path(folder).iterdir() if path.name.startswith("core.") and path.suffix in (".so", ".pyd")
    )
    spec = importlib.util.spec_from_file_location("zeroloop.core", file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["zeroloop.core"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def main() -> None:
    """Compare, and fail where a bit differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fit", nargs="+", choices=FITS, help="print the hashes of these fits in this process")
    parser.add_argument("--only", nargs="+", choices=FITS, default=list(FITS), help="compare these fits")
    parser.add_argument("--cores", nargs="*", default=[], metavar="NAME=FOLDER", help="other builds of the core")
    parser.add_argument("--pythons", nargs="*", default=[], metavar="NAME=COMMAND", help="other Pythons")
    given = parser.parse_args()
    if given.fit:
        if "ZEROLOOP_BITS_CORE" in os.environ:
            take_core(os.environ["ZEROLOOP_BITS_CORE"])
        print(json.dumps(fit_all(given.fit)))
        return
    cores, pythons = (dict(one.split("=", 1) for one in words) for words in (given.cores, given.pythons))
    shown, same = compare(given.only, cores, pythons)
    print(shown)
    raise SystemExit(0 if same else "Some bits differ.")


if __name__ == "__main__":
    main()
