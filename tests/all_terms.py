"""A block of every kind of terms, and the same terms as one dense matrix, for tests of the core."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from zeroloop import core
from zeroloop.sparse import Sparse

N_X, N_SPARSE, LEVELS, N_MARKED = 2, 13, (2, 5, 1), 4
OWN = 1 + N_X + N_SPARSE
N_COEFS = OWN + sum(LEVELS) + N_MARKED
CENTRE = np.array([0.5, -2.0])
SHAPES = [
    pytest.param({"by_row": by_row, "values": values, "indices": indices}, id=f"{by_row}-{values}-{indices}")
    for by_row in (True, False)
    for values in ("float32", "float64")
    for indices in ("int32", "int64")
]


class Made:
    """A block of all kinds of terms, and its terms as a dense matrix, numeric ones about the centre."""

    def __init__(
        self,
        n_rows: int,
        n_classes: int = 2,
        by_row: bool = True,
        values: str = "float64",
        indices: str = "int32",
        weighted: bool = True,
        seed: int = 5,
    ) -> None:
        rng = np.random.default_rng(seed)
        numeric = rng.normal(size=(N_X, n_rows))
        stored: Any = sparse.random(n_rows + 3, N_SPARSE, 0.3, format="csr", random_state=rng, dtype=np.float64)
        stored.data = rng.normal(size=stored.nnz).astype(values)
        codes = np.empty((len(LEVELS), n_rows), np.int32)
        first = OWN
        for c, n_levels in enumerate(LEVELS):
            codes[c] = first + rng.integers(0, n_levels, n_rows)
            codes[c, rng.random(n_rows) < 0.1] = N_COEFS
            first += n_levels
        marked = np.argwhere(rng.random((n_rows, N_MARKED)) < 0.05)
        marks = np.ascontiguousarray(np.stack([marked[:, 0], first + marked[:, 1]]).astype(np.int32))
        self.y = rng.integers(0, n_classes, n_rows).astype(np.float32)
        self.weight = rng.random(n_rows) if weighted else None
        self.sparse = _lines(stored, 3, by_row, indices)
        self.rows = core.Rows(numeric, codes, marks, N_COEFS, self.y, self.weight, self.sparse)
        v = np.zeros((n_rows, N_COEFS + 1), np.longdouble)
        v[:, 0] = 1
        v[:, 1 : 1 + N_X] = numeric.T - CENTRE
        v[:, 1 + N_X : OWN] = stored[3:].toarray()
        for column in codes:
            v[np.arange(n_rows), column] += 1
        np.add.at(v, tuple(marks), 1)
        self.v = v[:, :-1]

    def w(self) -> NDArray[np.longdouble]:
        """Weights."""
        return np.asarray(np.ones(len(self.v)) if self.weight is None else self.weight, np.longdouble)

    def probabilities(self, coef: NDArray[np.float64]) -> Any:
        """Of each output and row: the sigmoid of one output, the softmax of several."""
        z = coef.astype(np.longdouble) @ self.v.T
        if len(coef) == 1:
            return 1 / (1 + np.exp(-z))
        e = np.exp(z - np.max(z, axis=0))
        return e / np.sum(e, axis=0)

    def residual(self, coef: NDArray[np.float64]) -> Any:
        """The derivative of each row's weighted loss in its predictors."""
        k = np.arange(len(coef))[:, np.newaxis] if len(coef) > 1 else 1
        return self.w() * (self.probabilities(coef) - (self.y == k))

    def hessian(self, coef: NDArray[np.float64]) -> NDArray[np.longdouble]:
        """The Hessian over (output, coefficient)."""
        p = self.probabilities(coef)
        k = len(coef)
        found = np.empty((k, N_COEFS, k, N_COEFS), np.longdouble)
        for a in range(k):
            for b in range(k):
                curvature = p[a] * ((1 if a == b else 0) - (p[b] if k > 1 else p[a]))
                found[a, :, b] = (self.v * (self.w() * curvature)[:, np.newaxis]).T @ self.v
        return found.reshape(k * N_COEFS, k * N_COEFS)


def _lines(stored: Any, skipped: int, by_row: bool, indices: str) -> Sparse:
    """The rows of a matrix after the first few, as a block that begins there has them."""
    n_rows, n_columns = stored.shape
    lines = stored.tocsr() if by_row else stored.tocsc()
    lines.sort_indices()
    start, stop = lines.indptr[:-1].astype(np.int64), lines.indptr[1:].astype(np.int64)
    if by_row:
        start, stop = start[skipped:], stop[skipped:]
    else:
        start = start + np.array([np.sum(lines[:skipped, [j]].toarray() != 0) for j in range(n_columns)])
    return Sparse(
        values=lines.data,
        indices=lines.indices.astype(indices),
        start=start,
        stop=stop,
        n_rows=n_rows - skipped,
        n_columns=n_columns,
        by_row=by_row,
        origin=0 if by_row else skipped,
    )
