"""Rows in memory: blocks that are views or were encoded once, swept by a pool of threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray, block_rows, concatenate
from zeroloop.kernels import statistics
from zeroloop.kernels.columns import split_columns
from zeroloop.sources.threads import map_all, sum_all, thread_count
from zeroloop.sparse import Sparse

S = TypeVar("S")

SAMPLE_BLOCK_ROWS = 2_048
# Below this many stored values a pass is too short for a second thread to be worth waking.
FEWEST_VALUES = 200_000


class MemorySource:
    """Blocks held in memory.

    Whatever thread sweeps a block, the blocks' sums are added in order: the same bits for any number of threads.
    """

    def __init__(self, blocks: Sequence[Block], threads: int | None = None) -> None:
        self.blocks = [block for block in blocks if block.n_rows > 0] or list(blocks[:1])
        self.threads = thread_count(threads)
        self.n_rows = sum(block.n_rows for block in self.blocks)
        self.n_coefs = self.blocks[0].n_coefs
        self.n_numeric = len(self.blocks[0].numeric)
        self.n_codes = len(self.blocks[0].codes)
        self.n_stored = sum(block.sparse.n_stored for block in self.blocks if block.sparse is not None)

    def reduce(self, statistic: Callable[[Block], S]) -> S:
        """Sum `statistic(block)` over all blocks, in block order, on all threads."""
        return sum_all(statistic, self.blocks, self._threads_worth_waking())

    def sample(self, fractions: Sequence[float], seed: int) -> MemorySource:
        """Return a source over some rows, drawn by a hash of their index, weighted as `Block.sample` does, copied."""
        draw = statistics.draw

        def drawn(block: Block) -> Block:
            return block.sample(draw(block, fractions, seed), fractions)

        return cut_sample(map_all(drawn, self.blocks, self.threads), self.threads)

    def viewed(self, view: Callable[[Block], Block]) -> MemorySource:
        """Return a source over `view(block)` of each block, made once."""
        return MemorySource([view(block) for block in self.blocks], self.threads)

    def reduce_together(self, sources: Sequence[MemorySource], statistic: Callable[[list[Block]], S]) -> S:
        """Sum `statistic` of the blocks that several sources have for the same rows, in block order."""
        at = range(len(self.blocks))
        return sum_all(lambda i: statistic([source.blocks[i] for source in sources]), at, self.threads)

    def concatenate(self, values: Callable[[Block], FloatArray], lines: tuple[int, ...] = ()) -> FloatArray:
        """Return `values(block)`, `(*lines, rows)`, for all rows in order, `(*lines, n_rows)`."""
        joined = np.empty((*lines, self.n_rows))
        starts = accumulate((block.n_rows for block in self.blocks), initial=0)

        def fill(numbered: tuple[int, Block]) -> None:
            start, block = numbered
            joined[..., start : start + block.n_rows] = values(block)

        map_all(fill, list(zip(starts, self.blocks, strict=False)), self._threads_worth_waking())
        return joined

    def _threads_worth_waking(self) -> int:
        values = self.n_rows * (self.n_numeric + self.n_codes) + self.n_stored
        return self.threads if values >= FEWEST_VALUES else 1


def cut_sample(parts: Sequence[Block], threads: int) -> MemorySource:
    """Return what was drawn of each block as blocks of their own.

    They are small enough that every thread gets some of a sample of 20,000 rows; the cut depends on no thread.
    """
    blocks: list[Block] = []
    pending: list[Block] = []
    for part in parts:
        pending.append(part)
        if sum(block.n_rows for block in pending) >= SAMPLE_BLOCK_ROWS:
            blocks.append(concatenate(pending))
            pending = []
    if pending:
        blocks.append(concatenate(pending))
    return MemorySource(blocks, threads)


def stacked(
    X: NDArray[Any],
    y: NDArray[Any] | None = None,
    weight: FloatArray | None = None,
    threads: int | None = None,
) -> MemorySource:
    """Return a source over an array, without a copy.

    Args:
        X: `(n_x, m)` float32 or float64, one example a column. The transposed view of a row-major `(m, n_x)`
            array is fine.
        y: `(m,)` labels 0 and 1.
        weight: `(m,)` non-negative weights; None for ones.
        threads: number of threads; None for every core.

    """
    n_x, m = X.shape
    return MemorySource(
        [
            Block(numeric=X[:, rows], n_coefs=1 + n_x, codes=np.empty((0, rows.stop - rows.start), np.int32), **shared)
            for rows, shared in _cut(m, block_rows(n_x), y, weight)
        ],
        threads,
    )


def sparse_rows(
    X: Any,
    y: NDArray[Any] | None = None,
    weight: FloatArray | None = None,
    threads: int | None = None,
) -> MemorySource:
    """Return a source over a SciPy CSR or CSC matrix or array `(m, n)`, without a copy of its values.

    Args:
        X: in canonical format (no place stored twice, indices sorted); float32 or float64.
        y: `(m,)` labels from 0 on.
        weight: `(m,)` non-negative weights; None for ones.
        threads: number of threads; None for every core.

    """
    m, n = X.shape
    by_row = X.format == "csr"
    indptr = X.indptr.astype(np.int64, copy=False)
    step = block_rows(max(1, X.nnz // max(m, 1)))
    cuts = _cut(m, step, y, weight)
    bounds = np.array([*(rows.start for rows, _ in cuts), m])
    if not by_row and len(cuts) > 1:
        places = split_columns(X.indices, indptr, bounds)
    blocks = []
    for b, (rows, shared) in enumerate(cuts):
        if by_row:
            start, stop = indptr[rows.start : rows.stop], indptr[rows.start + 1 : rows.stop + 1]
        else:
            start, stop = (indptr[:-1], indptr[1:]) if len(cuts) == 1 else (places[b], places[b + 1])
        k = rows.stop - rows.start
        sparse = Sparse(
            values=X.data,
            indices=X.indices,
            start=start,
            stop=stop,
            n_rows=k,
            n_columns=n,
            by_row=by_row,
            origin=0 if by_row else rows.start,
        )
        empty = np.empty((0, k))
        blocks.append(Block(numeric=empty, codes=empty.astype(np.int32), n_coefs=1 + n, sparse=sparse, **shared))
    return MemorySource(blocks, threads)


def _cut(m: int, step: int, y: NDArray[Any] | None, weight: FloatArray | None) -> list[tuple[slice, dict[str, Any]]]:
    """Return the rows of each block, with what a block has whatever its columns are stored as."""
    labels = None if y is None else np.asarray(y, dtype=np.float32)
    all_rows = [slice(first, min(first + step, m)) for first in range(0, max(m, 1), step)]
    return [
        (
            rows,
            {
                "y": None if labels is None else labels[rows],
                "weight": None if weight is None else weight[rows],
                "first_row": rows.start,
            },
        )
        for rows in all_rows
    ]
