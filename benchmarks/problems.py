"""What is fitted: data by name, made once a case, and the objective that everyone's coefficients are judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

C = 1.0  # scikit-learn's inverse penalty, in every case


@dataclass(frozen=True)
class Problem:
    """One data set.

    Attributes:
        X: `(m, n)`, dense or CSR.
        y: `(m,)`, 0 and 1.
        table: the same rows as a table, where the case is one; its columns of 0 and 1 keep their unit.

    """

    X: Any
    y: NDArray[np.float64]
    table: pa.Table | None = None

    @property
    def n_bytes(self) -> int:
        """Size of X."""
        return int(self.X.data.nbytes)

    def save(self, folder: Path) -> None:
        """Write the problem, so that each peer's process need not make it again."""
        np.save(folder / "y.npy", self.y)
        if self.table is None:
            np.save(folder / "X.npy", self.X)
        else:
            scipy.sparse.save_npz(folder / "X.npz", self.X, compressed=False)
            import pyarrow.parquet as pq

            pq.write_table(self.table, folder / "table.parquet")


def load(folder: Path) -> Problem:
    """Return a problem that was saved."""
    y = np.load(folder / "y.npy")
    if (folder / "X.npy").exists():
        return Problem(np.load(folder / "X.npy"), y)
    import pyarrow.parquet as pq

    return Problem(scipy.sparse.load_npz(folder / "X.npz"), y, pq.read_table(folder / "table.parquet"))


def flights() -> Problem:
    """The embedded flights, all columns: 9 numeric, 6 of them with gaps, and 130 levels."""
    import pyarrow.parquet as pq
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pq.read_table(str(files("zeroloop") / "data" / "flights.parquet"))
    frame = table.to_pandas()
    text = ["weekday", "carrier", "origin", "dest"]
    numeric = [name for name in frame if name not in (*text, "late")]
    gaps = [name for name in numeric if frame[name].isna().any()]
    frame[numeric] = frame[numeric].astype(str).astype(float)
    X = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numeric),
        (SimpleImputer(strategy="constant", fill_value=0, add_indicator=True), gaps),
        (OneHotEncoder(), text),
        sparse_threshold=1.0,
    ).fit_transform(frame)
    n = len(numeric)
    keep = [j for j in range(X.shape[1]) if not n <= j < n + len(gaps)]
    return Problem(X.tocsr()[:, keep], frame["late"].to_numpy(float), table)


def dense(m: int, n: int, strength: float, dtype: type = np.float64, *, independent: bool = False) -> Problem:
    """Normal columns off centre, correlated or not; `strength` is how far classes are apart (14: nearly separable)."""
    rng = np.random.default_rng(0)
    mix = np.eye(n) if independent else rng.standard_normal((n, n)) / np.sqrt(n)
    X: NDArray[Any] = np.empty((m, n), dtype)
    for rows in range(0, m, 100_000):
        part = X[rows : rows + 100_000]
        part[:] = rng.standard_normal(part.shape) @ mix + 0.5
    z = X @ (rng.standard_normal(n) * strength / np.sqrt(n)).astype(dtype) - 1
    return Problem(X, labels(rng, z))


def heavy_tails(m: int = 1_000_000) -> Problem:
    """20 columns with heavy tails (Student's t, 2.5 degrees) and 40 indicators of 10% down to 0.003% of the rows."""
    rng = np.random.default_rng(0)
    rare = rng.random((m, 40)) < 10.0 ** -np.linspace(1, 4.5, 40)
    X = np.concatenate([rng.standard_t(2.5, (m, 20)), rare], axis=1)
    return Problem(X, labels(rng, X @ (rng.standard_normal(60) * 0.7) - 2))


def labels(rng: np.random.Generator, z: NDArray[Any]) -> NDArray[np.float64]:
    """Return labels drawn with log-odds z."""
    return (rng.random(len(z)) < 0.5 + 0.5 * np.tanh(z / 2)).astype(np.float64)


def breast_cancer() -> Problem:
    """569 x 30, standardised."""
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return Problem((X - X.mean(axis=0)) / X.std(axis=0), y.astype(np.float64))


INDEPENDENT: list[tuple[int, int, type]] = [
    (1_000_000, 50, np.float64),
    (1_000_000, 50, np.float32),
    (4_000_000, 20, np.float64),
    (4_000_000, 20, np.float32),
    (300_000, 200, np.float64),
    (500_000, 200, np.float64),
]
PROBLEMS: dict[str, Callable[[], Problem]] = {
    "flights": flights,
    "1,000,000 x 50": lambda: dense(1_000_000, 50, 2),
    "1,000,000 x 50 float32": lambda: dense(1_000_000, 50, 2, np.float32),
    "4,000,000 x 20": lambda: dense(4_000_000, 20, 2),
    "4,000,000 x 20 float32": lambda: dense(4_000_000, 20, 2, np.float32),
    "500,000 x 200": lambda: dense(500_000, 200, 2),
    "nearly separable 500,000 x 200": lambda: dense(500_000, 200, 14),
    "heavy tails 1,000,000 x 60": heavy_tails,
    **{
        f"{m:,} x {n} independent{' float32' if dtype == np.float32 else ''}": partial(
            dense, m, n, 2, dtype, independent=True
        )
        for m, n, dtype in INDEPENDENT
    },
    "300,000 x 200": lambda: dense(300_000, 200, 2),
    "100,000 x 1,000": lambda: dense(100_000, 1_000, 2),
    "10,000 x 20": lambda: dense(10_000, 20, 2),
    "breast cancer 569 x 30": breast_cancer,
    "150 x 4": lambda: dense(150, 4, 2),
}


def judge(problem: Problem, coef: NDArray[np.float64], intercept: float) -> tuple[float, float]:
    """Return (objective, max |gradient| for columns of unit variance) at someone's coefficients, in plain NumPy."""
    X, m = problem.X, len(problem.y)
    z = X @ coef + intercept
    a = 0.5 + 0.5 * np.tanh(z / 2)
    loss = float(np.mean(np.maximum(z, 0) - problem.y * z + np.log1p(np.exp(-np.abs(z)))))
    residual = (a - problem.y) / m
    ones = np.ones(m)
    if problem.table is None:
        mean = X.T @ ones / m
        unit = np.sqrt(np.einsum("ij,ij->j", X, X, dtype=np.float64) / m - mean**2)
    else:
        mean, square = X.T @ ones / m, X.power(2).T @ ones / m
        is_level = (mean >= 0) & (np.abs(mean - square) < 1e-12)
        unit = np.where(is_level, 1.0, np.sqrt(np.maximum(square - mean**2, 0.0)))
        mean = np.where(is_level, 0.0, mean)
    slope = (X.T @ residual - mean * np.sum(residual) + coef / (C * m)) / unit
    gradient_norm = max(float(np.max(np.abs(slope))), abs(float(np.sum(residual))))
    return loss + float(coef @ coef) / (2 * C * m), gradient_norm
