"""Block, Sums and Source: the three words everyone shares.

A *block* is some consecutive rows, encoded; a *source* is where blocks live; what a pass over a source
returns are *sums*, which can be added. Coefficient order and shapes: see `zeroloop.objective`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from zeroloop import core
from zeroloop.sparse import Sparse, concatenate_rows

FloatArray = NDArray[np.float64]
S = TypeVar("S")

# A block's values: enough to keep Python's cost of a block (some 10 microseconds) below a tenth of its sweep, few
# enough that a million of them are blocks for several threads.
BLOCK_VALUES = 2**21
FEWEST_BLOCK_ROWS, MOST_BLOCK_ROWS = 1_024, 32_768
SHIFTED_VALUES = 250_000  # of a block's numeric columns: up to here a shifted copy costs little
FAR = 30.0  # standard deviations is a column from zero, that is shifted


def block_rows(n_columns: int) -> int:
    """Return the rows of each block but the last: the fixed cut, a power of two, of the number of columns alone.

    Sums are added block by block in order, which no number of threads changes.
    """
    rows = BLOCK_VALUES // max(n_columns, 1)
    return max(FEWEST_BLOCK_ROWS, min(MOST_BLOCK_ROWS, 1 << (rows.bit_length() - 1)))


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some consecutive rows, encoded.

    Attributes:
        numeric: `(n_x, rows)` float32 or float64, the article's stacking: one example a column. Either each
            feature is contiguous (tables) or each example is (a transposed view of a row-major array).
        codes: `(n_c, rows)` int32, C order: for each categorical column the index of the coefficient that
            the row's level has, `n_coefs` where it has none (reference level, level never seen).
        n_coefs: number of coefficients, intercept included.
        y: `(rows,)` float32, labels 0 and 1, or 0 to K - 1 of K classes; None where they are not known.
        weight: `(rows,)` float64, non-negative; None for all ones.
        first_row: index in its source of the first of the rows that it was cut from.
        marks: `(2, n_marks)` int32, C order: terms of 0 and 1 that few rows have (missing-indicators), as pairs of the
            row within the block and the coefficient, sorted by row.
        sparse: further numeric columns of which few values are stored; their coefficients follow those of `numeric`.
        kept: which of the rows from `first_row` on these are, as `bits_of` packs them; None where they follow it.
        rows: `(rows,)` int64, the rows' indices in their source, instead of `first_row`; None where that is known.
        cluster: `(rows,)` int64, tells each row's cluster from all others; None where there are none.

    """

    numeric: NDArray[Any]
    codes: NDArray[np.int32]
    n_coefs: int
    y: NDArray[np.float32] | None = None
    weight: FloatArray | None = None
    first_row: int = 0
    marks: NDArray[np.int32] = field(default_factory=lambda: np.empty((2, 0), np.int32))
    sparse: Sparse | None = None
    kept: NDArray[np.uint8] | None = None
    rows: NDArray[np.int64] | None = None
    cluster: NDArray[np.int64] | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows (examples)."""
        return int(self.numeric.shape[1])

    @property
    def total_weight(self) -> float:
        """Sum of the rows' weights."""
        return float(self.n_rows if self.weight is None else np.sum(self.weight))

    @property
    def n_bytes(self) -> int:
        """Memory that its arrays take."""
        arrays: list[Any] = [self.numeric, self.codes, self.y, self.weight, self.marks, self.kept, self.rows]
        arrays.append(self.cluster)
        arrays += [] if self.sparse is None else self.sparse.arrays
        return sum(array.nbytes for array in arrays if array is not None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("native", "shifted")}

    @property
    def indices(self) -> NDArray[np.int64]:
        """The rows' indices in their source, `(rows,)`."""
        if self.rows is not None:
            return self.rows
        return self.first_row + (np.arange(self.n_rows) if self.kept is None else positions_of(self.kept))

    def hashes(self, seed: int) -> NDArray[np.uint64]:
        """Return a hash of each row's index in its source and the seed, `(rows,)`."""
        if self.rows is not None:
            return hash_of(self.rows, seed)
        return hash_kept(self.first_row, self.n_rows, self.kept, seed)

    @cached_property
    def native(self) -> core.Rows:
        """The rows as the core reads them, their arrays checked once.

        A view that is contiguous along neither examples nor features is copied.
        """
        return core.Rows(
            _along_a_line(self.numeric), self.codes, self.marks, self.n_coefs, self.y, self.weight, self.sparse
        )

    def about(self, centre: FloatArray) -> tuple[core.Rows, FloatArray]:
        """Return the rows as the core reads them, and what is still to be subtracted from their numeric columns.

        The core sums about zero and shifts the sums, which costs columns that are far from zero the digits that their
        values share. A block of few rows, where such digits may decide, is shifted first.

        Args:
            centre: `(n_x,)`.

        """
        if self.numeric.size > SHIFTED_VALUES or self.n_rows >= MOST_BLOCK_ROWS or not centre.any():
            return self.native, centre
        held: tuple[FloatArray, core.Rows, FloatArray] | None = self.__dict__.get("shifted")
        if held is None or not (held[0] is centre or np.array_equal(held[0], centre)):
            held = centre, self.native, centre
            weight, mean, squares = np.zeros((3, len(self.numeric)))
            (self if self.weight is None else replace(self, weight=None)).native.moments(weight, mean, squares)
            if np.any(np.abs(centre) > FAR * np.sqrt(squares / self.n_rows)):
                numeric = np.subtract(self.numeric, centre[:, np.newaxis], dtype=np.float64)
                held = centre, replace(self, numeric=numeric).native, np.zeros_like(centre)
            self.__dict__["shifted"] = held
        return held[1:]

    def take(self, rows: NDArray[np.intp]) -> Block:
        """Return the rows at the increasing positions `rows`, as a block of its own, laid out as this one."""
        if rows.size == self.n_rows:
            return self
        by_row = self.numeric.strides[0] == self.numeric.itemsize
        return Block(
            numeric=self.numeric.T[rows].T if by_row else np.take(self.numeric, rows, axis=1, mode="clip"),
            codes=np.take(self.codes, rows, axis=1, mode="clip"),
            n_coefs=self.n_coefs,
            y=None if self.y is None else self.y[rows],
            weight=None if self.weight is None else self.weight[rows],
            first_row=self.first_row,
            marks=self._marks_of(rows),
            sparse=None if self.sparse is None else self.sparse.take(rows),
            kept=None if self.rows is not None else kept_of(self.kept, rows, self.n_rows),
            rows=None if self.rows is None else self.rows[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
        )

    def _marks_of(self, rows: NDArray[np.intp]) -> NDArray[np.int32]:
        if self.marks.size == 0:
            return self.marks
        position = np.full(self.n_rows, -1, np.int32)
        position[rows] = np.arange(rows.size)
        kept = np.compress(position[self.marks[0]] >= 0, self.marks, axis=1)
        kept[0] = position[kept[0]]
        return kept

    def sample(self, rows: NDArray[np.intp], fractions: Sequence[float]) -> Block:
        """Return rows drawn with probability `fractions[label]`, each weighted by 1 / fraction.

        So weighted, a sum over the sample estimates the sum over all rows, also where one label is rare and kept
        whole (Horvitz and Thompson, 1952).
        """
        chosen = self.take(rows)
        assert chosen.y is not None
        weight = (1 / np.array(fractions))[chosen.y.astype(np.intp)]
        return replace(chosen, weight=weight if chosen.weight is None else weight * chosen.weight)


@dataclass(frozen=True, slots=True)
class Sums:
    """What a pass returns: sums over rows, without a row dimension, addable over blocks.

    Attributes:
        loss: `sum_i weight[i] log_loss(z[i], y[i])`.
        weight: `sum_i weight[i]`.
        gradient: `(n_outputs, n_coefs)`, derivative of `loss` in the coefficients; None below order 1.
        hessian: `(n_outputs * n_coefs,) * 2`, second derivative, its **upper triangle** (the rest is
            unspecified); None below order 2.

    """

    loss: float
    weight: float
    gradient: FloatArray | None = None
    hessian: FloatArray | None = None

    def __add__(self, other: Self) -> Sums:
        return Sums(
            self.loss + other.loss,
            self.weight + other.weight,
            _add(self.gradient, other.gradient),
            _add(self.hessian, other.hessian),
        )


def _add(a: FloatArray | None, b: FloatArray | None) -> FloatArray | None:
    return None if a is None or b is None else a + b


class Source(Protocol):
    """Rows, wherever they live, seen as blocks in a fixed order."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def n_coefs(self) -> int:
        """Number of coefficients of one output, intercept included."""

    @property
    def n_numeric(self) -> int:
        """Number of numeric columns."""

    @property
    def n_codes(self) -> int:
        """Number of columns of codes."""

    @property
    def n_stored(self) -> int:
        """Number of values stored in sparse columns."""

    def reduce(self, statistic: Callable[[Block], S]) -> S:
        """Sum `statistic(block)` over all blocks, in block order; `S` supports `+`."""

    def sample(self, fractions: Sequence[float], seed: int) -> Source:
        """Return a source in memory over some rows, drawn by a hash of their index, weighted as `Block.sample` does."""


@runtime_checkable
class TableSource(Source, Protocol):
    """A source that can be looked at in several ways at once: what cross-validation needs."""

    @property
    def threads(self) -> int:
        """Number of threads that sweep it."""

    def viewed(self, view: Callable[[Block], Block]) -> Self:
        """Return a source over `view(block)` of each block."""

    def reduce_together(self, sources: Sequence[Any], statistic: Callable[[list[Block]], S]) -> S:
        """Sum `statistic` of the blocks that several views of one source have for the same rows, in block order."""


def concatenate(blocks: Sequence[Block]) -> Block:
    """Return the rows of several weighted blocks as one."""
    first = blocks[0]
    starts = np.cumsum([0, *(block.n_rows for block in blocks)])
    return Block(
        numeric=np.concatenate([block.numeric for block in blocks], axis=1),
        codes=np.concatenate([block.codes for block in blocks], axis=1),
        n_coefs=first.n_coefs,
        y=np.concatenate([block.y for block in blocks if block.y is not None]),
        weight=np.concatenate([block.weight for block in blocks if block.weight is not None]),
        first_row=first.first_row,
        marks=np.concatenate(
            [block.marks + np.array([[start], [0]], np.int32) for block, start in zip(blocks, starts, strict=False)],
            axis=1,
        ),
        sparse=None if first.sparse is None else concatenate_rows([b.sparse for b in blocks if b.sparse is not None]),
        rows=np.concatenate([block.indices for block in blocks]),
    )


def _along_a_line(numeric: NDArray[Any]) -> NDArray[Any]:
    """Return columns of which each feature is contiguous, or each example: the same, else a copy."""
    size = numeric.itemsize
    along = [stride == size or length < 2 for stride, length in zip(numeric.strides, numeric.shape, strict=True)]
    whole = all(stride % size == 0 for stride in numeric.strides)
    return numeric if whole and any(along) else np.ascontiguousarray(numeric)


def bits_of(positions: NDArray[np.intp], n: int) -> NDArray[np.uint8]:
    """Return which of n rows are at some positions, a bit for each, `(ceil(n / 8),)`."""
    kept = np.zeros(n, dtype=bool)
    kept[positions] = True
    return np.packbits(kept)


def positions_of(bits: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return the positions that `bits_of` packed."""
    return np.flatnonzero(np.unpackbits(bits))


def kept_of(kept: NDArray[np.uint8] | None, rows: NDArray[np.intp], n_rows: int) -> NDArray[np.uint8]:
    """Return what is kept where, of n rows of which some are kept already, only those at `rows` are."""
    return bits_of(rows, n_rows) if kept is None else bits_of(positions_of(kept)[rows], 8 * kept.size)


def hash_kept(first_row: int, n_rows: int, kept: NDArray[np.uint8] | None, seed: int) -> NDArray[np.uint64]:
    """Return the hash of each of some rows' indices and the seed, made by `hash_rows`."""
    if kept is None:
        return hash_rows(first_row, n_rows, seed)
    return hash_rows(first_row, 8 * kept.size, seed)[positions_of(kept)]


def hash_rows(first_row: int, n_rows: int, seed: int) -> NDArray[np.uint64]:
    """Return a hash of each row's index and the seed, `(n_rows,)`, uniform over 64 bits.

    The same row gets the same hash in any block of any source, so a split or a sample by hash is the same
    wherever the rows live. SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014), started at a mixed seed.
    """
    hashes = np.empty(n_rows, np.uint64)
    core.hash_rows(int(mixed(seed)[0]), first_row, hashes)
    return hashes


def hash_of(rows: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return a hash of each of some rows' indices and the seed; see `hash_rows`."""
    hashes: NDArray[np.uint64] = splitmix(mixed(seed) + rows.astype(np.uint64) * STRIDE)
    return hashes


SAMPLING = 2**63  # added to the seed of a sample, so that its hash is not one that rows were held out or folded by
STRIDE = np.uint64(0x9E3779B97F4A7C15)


def mixed(seed: int) -> NDArray[np.uint64]:
    """Return the state that rows' hashes start from, `(1,)`: row i's is `splitmix(mixed(seed) + i * STRIDE)`."""
    state: NDArray[np.uint64] = splitmix(np.array([seed], dtype=np.uint64))
    return state


def splitmix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the hash of uint64 states."""
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
