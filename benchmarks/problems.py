"""What is fitted: data a name, and the objective that everyone's coefficients are judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray


@dataclass(frozen=True)
class Problem:
    """One data set and its penalty.

    Attributes:
        name: of the case.
        X: `(m, n)`, dense or CSR, columns of unit variance or 0/1.
        y: `(m,)`, 0 and 1.
        C: scikit-learn's inverse penalty.
        table: the same rows as a table, where the case is one.
    """

    name: str
    X: Any
    y: NDArray[np.float64]
    C: float
    table: pa.Table | None = None


def flights() -> Problem:
    """The embedded flights, all columns: 9 numeric, 6 of them with gaps, and 130 levels."""
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
    return Problem("flights", X.tocsr()[:, keep], frame["late"].to_numpy(float), 1.0, table)


PROBLEMS: dict[str, Callable[[], Problem]] = {"flights": flights}


def judge(problem: Problem, coef: NDArray[np.float64], intercept: float) -> tuple[float, float]:
    """Return (objective, max |gradient|) of the mean loss + penalty at someone's coefficients, in plain NumPy."""
    m = len(problem.y)
    z = problem.X @ coef + intercept
    a = (1 + np.tanh(z / 2)) / 2
    loss = float(np.mean(np.maximum(z, 0) - problem.y * z + np.log1p(np.exp(-np.abs(z)))))
    slope = problem.X.T @ (a - problem.y) / m + coef / (problem.C * m)
    gradient_norm = max(float(np.max(np.abs(slope))), abs(float(np.mean(a - problem.y))))
    return loss + float(coef @ coef) / (2 * problem.C * m), gradient_norm
