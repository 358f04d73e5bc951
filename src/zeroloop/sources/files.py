"""Rows of files larger than memory: encoded when first swept, then held in memory, spilled, or decoded again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, Literal, TypeVar

import numpy as np

from zeroloop.blocks import Block
from zeroloop.kernels import small
from zeroloop.kernels.select import statistics
from zeroloop.sources.memory import MemorySource, cut_sample
from zeroloop.sources.spill import SpilledBlock, SpillFile
from zeroloop.sources.threads import map_in_order, read_ahead
from zeroloop.tables.formats import Piece

S = TypeVar("S")
T = TypeVar("T")

Part = Literal["training", "held_out"]
View = Callable[[Block], Block]
OnBlock = Callable[[int, int], None]
"""Called after each batch of a sweep with the rows and bytes done so far."""

AHEAD = 2  # batches read before they are wanted, beside those that are being swept


@dataclass(frozen=True, slots=True)
class Pair:
    """A batch of the table, encoded: its rows to train on and its rows held out; `n_rows` are those of the batch."""

    training: Block | SpilledBlock
    held_out: Block | SpilledBlock
    n_rows: int

    def load(self, part: Part) -> Block:
        """Return one of the two, in memory."""
        block: Block | SpilledBlock = getattr(self, part)
        return block.load() if isinstance(block, SpilledBlock) else block


@dataclass(frozen=True, slots=True)
class Reader:
    """How a table's batches are read and encoded.

    Attributes:
        first: batches from the table's start that are held in memory already, taken out as they are encoded.
        rest: yields the batches from a row on, with the bytes read so far.
        encode: makes blocks of a batch and the index of its first row.

    """

    first: deque[Any]
    rest: Callable[[int], Iterator[Piece]]
    encode: Callable[[int, Any], Pair]


class Store:
    """A table's blocks, kept as they are made: in memory up to a budget, then in a spill file, then not at all."""

    def __init__(self, reader: Reader, budget: int, spill: SpillFile | None, threads: int) -> None:
        self._reader = reader
        self._budget = budget
        self._spill = spill
        self._threads = threads
        self._pairs: list[Pair] = []
        self._rows_kept = 0  # of the table, from its start on
        self._keeping = True
        self.on_block: OnBlock = lambda rows, n_bytes: None

    def sweep(self, part: Part, function: Callable[[Block], T]) -> Iterator[T]:
        """Yield `function(block)` for each block that has rows, in order, computed on several threads."""

        def of_kept(pair: Pair) -> tuple[T | None, Pair, bool, int]:
            return of_pair(pair), pair, False, 0

        def of_fresh(at: tuple[int, Piece]) -> tuple[T | None, Pair, bool, int]:
            first_row, piece = at
            pair = self._reader.encode(first_row, piece.batch)
            return of_pair(pair), pair, True, piece.n_bytes

        def of_pair(pair: Pair) -> T | None:
            block = pair.load(part)
            return function(block) if block.n_rows > 0 else None

        kept = [partial(of_kept, pair) for pair in self._pairs]
        fresh = (partial(of_fresh, at) for at in self._fresh())
        rows = 0
        for value, pair, is_fresh, n_bytes in map_in_order(_call, chain(kept, fresh), self._threads):
            if is_fresh and self._keeping:
                self._keep(pair)
            rows += pair.n_rows
            self.on_block(rows, n_bytes)
            if value is not None:
                yield value

    def _fresh(self) -> Iterator[tuple[int, Piece]]:
        """Yield the batches that are not kept, with the index of their first row."""
        first_row = self._rows_kept
        while self._keeping and self._reader.first:
            batch = self._reader.first.popleft()
            self._budget += batch.nbytes
            yield first_row, Piece(batch, 0)
            first_row += batch.num_rows
        for piece in read_ahead(self._reader.rest(first_row), AHEAD):
            yield first_row, piece
            first_row += piece.batch.num_rows

    def _keep(self, pair: Pair) -> None:
        n_bytes = sum(block.n_bytes for block in (pair.training, pair.held_out) if isinstance(block, Block))
        if n_bytes <= self._budget:
            self._budget -= n_bytes
        elif self._spill is not None:
            self._budget = 0  # what follows is spilled too, so that blocks in memory are those at the start
            assert isinstance(pair.training, Block)
            assert isinstance(pair.held_out, Block)
            pair = Pair(self._spill.write(pair.training), self._spill.write(pair.held_out), pair.n_rows)
        else:
            self._keeping = False
            return
        self._pairs.append(pair)
        self._rows_kept += pair.n_rows


def _call(work: Callable[[], T]) -> T:
    return work()


@dataclass(frozen=True, slots=True)
class Size:
    """What a solver is chosen by; known from the scan."""

    n_rows: int
    n_coefs: int
    n_numeric: int
    n_codes: int
    n_stored: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """Training rows that samples are drawn from without a pass.

    Attributes:
        block: the rows, with their indices.
        fractions: which share of each class's rows it has: those whose hash by `seed` is least.
        starts: first row of each block of the source.
        seed: of the hash.

    """

    block: Block
    fractions: tuple[float, ...]
    starts: tuple[int, ...]
    seed: int


def _as_it_is(block: Block) -> Block:
    return block


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Training rows, or rows held out, of a table's store."""

    store: Store
    part: Part
    size: Size
    threads: int
    sampled: Sampled | None = None
    view: View = _as_it_is

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.size.n_rows

    @property
    def n_coefs(self) -> int:
        """Number of coefficients, intercept included."""
        return self.size.n_coefs

    @property
    def n_numeric(self) -> int:
        """Number of numeric columns."""
        return self.size.n_numeric

    @property
    def n_codes(self) -> int:
        """Number of columns of codes."""
        return self.size.n_codes

    @property
    def n_stored(self) -> int:
        """Number of values stored in sparse columns."""
        return self.size.n_stored

    def reduce(self, statistic: Callable[[Block], S]) -> S:
        """Sum `statistic(block)` over all blocks, in block order."""
        total: S = _added(self.store.sweep(self.part, lambda block: statistic(self.view(block))))
        return total

    def reduce_together(self, sources: Sequence[FilesSource], statistic: Callable[[list[Block]], S]) -> S:
        """Sum `statistic` of the blocks that several views of this source have for the same rows, in block order."""
        views = [source.view for source in sources]
        total: S = _added(self.store.sweep(self.part, lambda block: statistic([view(block) for view in views])))
        return total

    def viewed(self, view: View) -> FilesSource:
        """Return a source over `view(block)` of each block."""
        return replace(self, view=view)

    def sample(self, fractions: Sequence[float], seed: int) -> MemorySource:
        """Return a source in memory over some rows, drawn by a hash of their index; without a pass where it can."""
        kept = self.sampled
        if kept is not None and kept.seed == seed and all(map(float.__le__, map(float, fractions), kept.fractions)):
            return self._sample_of(kept, fractions)
        draw = statistics(self.n_rows, self.n_coefs).draw

        def drawn(block: Block) -> Block:
            block = self.view(block)
            return block.sample(draw(block, fractions, seed), fractions)

        return cut_sample(list(self.store.sweep(self.part, drawn)), self.threads)

    def _sample_of(self, kept: Sampled, fractions: Sequence[float]) -> MemorySource:
        block = self.view(kept.block)
        assert block.rows is not None
        chosen = small.draw(block, fractions, kept.seed)
        drawn = block.sample(chosen, fractions)
        # Where each block's rows end among them: the sample is cut as if it had been drawn block by block.
        ends = np.append(np.searchsorted(block.rows[chosen], kept.starts[1:]), chosen.size)
        begins = np.append(0, ends[:-1])
        parts = [
            replace(drawn.take(np.arange(begin, end)), first_row=start, rows=None)
            for begin, end, start in zip(begins.tolist(), ends.tolist(), kept.starts, strict=True)
        ]
        return cut_sample(parts, self.threads)


def _added(values: Iterator[Any]) -> Any:
    total = None
    for value in values:
        total = value if total is None else total + value
    assert total is not None
    return total
