"""Rows of files larger than memory: in memory up to a budget, then in a spill file, then decoded again in each pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from zeroloop.blocks import Block
from zeroloop.disks import has_room
from zeroloop.kernels import statistics
from zeroloop.sources.budget import Budget, size_text
from zeroloop.sources.memory import MemorySource, cut_sample
from zeroloop.sources.spill import Spilled, SpillFile
from zeroloop.sources.threads import beside_reading, map_all, map_in_order, read_ahead
from zeroloop.tables.draft import Draft
from zeroloop.tables.raw import Batch
from zeroloop.tree import Tree

S = TypeVar("S")
T = TypeVar("T")

Part = Literal["training", "held_out"]
View = Callable[[Block], Block]
UNDER_WAY = 12  # blocks: read ahead, being encoded, kept to sample from; they come out of the budget too
AHEAD = 4  # batches read before they are wanted: as many as Parquet's are decoded at once, which need not wait for them


@dataclass(frozen=True, slots=True)
class SpilledDraft:
    """A draft whose arrays are in a spill file."""

    outline: Draft
    arrays: Spilled

    def load(self) -> Draft:
        """Return the draft, its arrays mapped."""
        return self.outline.with_arrays(self.arrays.load())


@dataclass(slots=True)
class Pair:
    """A batch of a table: its rows to train on and its rows held out; `n_rows` are those of the batch."""

    training: Draft | SpilledDraft | Block
    held_out: Draft | SpilledDraft | Block
    n_rows: int


@dataclass(frozen=True, slots=True)
class Reader:
    """How the rows that a store has not kept are had.

    Attributes:
        batches: yields the table's batches, but for the first so many, which have so many rows.
        encode: makes a block of one part of a batch.
        finish: makes a block of a draft.

    """

    batches: Callable[[int, int], Iterator[Batch]]
    encode: Callable[[Batch, Part], Block]
    finish: Callable[[Draft], Block]


class Store:
    """A table's batches, as far as there is room for them.

    Args:
        budget: bytes of memory, perhaps shared with other stores.
        folder: where to spill what is beyond them; None for nowhere.

    """

    _reader: Reader
    _threads: int

    def __init__(self, budget: Budget, folder: Path | None) -> None:
        self.complete = True  # every batch seen is kept
        self._rows_kept = 0  # of the table, from its start on
        self._taken, self._under_way = budget.lease(), budget.lease()
        self._in_memory = True  # whether what comes next is kept there
        self.on_block: Callable[[int, int], None] = lambda rows, n_bytes: None  # told rows and bytes done of a sweep
        self._folder = folder
        self._spill: SpillFile | None = None
        self._pairs: list[Pair] = []

    def keep(self, training: Draft, held_out: Draft, n_rows: int) -> None:
        """Keep the next batch, if all before it are kept and there is room."""
        if not self.complete:
            return
        n_bytes = training.n_bytes + held_out.n_bytes
        if not self._pairs:
            self._in_memory = self._under_way.take(UNDER_WAY * n_bytes)
        if self._in_memory and self._taken.take(n_bytes):
            pair = Pair(training, held_out, n_rows)
        elif self._folder is not None and has_room(self._folder, n_bytes):
            self._in_memory = False  # what follows is spilled too, so that what is in memory is the table's start
            if self._spill is None:
                self._spill = SpillFile(self._folder)
            pair = Pair(self._spilled(training), self._spilled(held_out), n_rows)
        else:
            self._in_memory = self.complete = False
            return
        self._pairs.append(pair)
        self._rows_kept += n_rows

    def _spilled(self, draft: Draft) -> SpilledDraft:
        assert self._spill is not None
        arrays = self._spill.write(draft.arrays)
        # Not slices, which would hold the whole arrays.
        empty = {name: np.empty((*array.shape[:-1], 0), array.dtype) for name, array in draft.arrays.items()}
        return SpilledDraft(draft.with_arrays(empty), arrays)

    @property
    def n_bytes(self) -> int:
        """Memory that the rows kept take."""
        return self._taken.n_bytes

    @property
    def n_spilled(self) -> int:
        """Bytes in the spill file."""
        return 0 if self._spill is None else self._spill.n_bytes

    def in_words(self) -> str:
        """Say where the rows are."""
        parts = [f"{size_text(self.n_bytes)} in memory"] if self.n_bytes else []
        if self.n_spilled:
            parts.append(f"{size_text(self.n_spilled)} in a spill file in {self._folder}")
        if not self.complete:
            reason = "" if self._folder is None else f", as {self._folder} has no room for them"
            parts.append(f"{'the rest' if parts else 'all'} decoded again in each pass{reason}")
        return ", ".join(parts)

    def finish(self, reader: Reader, threads: int) -> None:
        """Make blocks of the drafts in memory, and know how to make those of the others."""
        self._reader = reader
        self._threads = threads

        def finished(pair: Pair) -> None:
            if isinstance(pair.training, Draft):
                pair.training = reader.finish(pair.training)
            if isinstance(pair.held_out, Draft):
                pair.held_out = reader.finish(pair.held_out)

        map_all(finished, self._pairs, threads)
        if self.complete:
            self._under_way.give_back()

    def in_memory(self) -> tuple[MemorySource, MemorySource] | None:
        """Return the rows to train on and those held out, where all of them are in memory."""
        if not self.complete or self._spill is not None:
            return None
        blocks = [(pair.training, pair.held_out) for pair in self._pairs]
        training = [block for block, _ in blocks if isinstance(block, Block)]
        held_out = [block for _, block in blocks if isinstance(block, Block)]
        return MemorySource(training, self._threads), MemorySource(held_out, self._threads)

    def sweep(self, part: Part, function: Callable[[Block], T]) -> Iterator[T]:
        """Yield `function(block)` for each block that has rows, in order, computed on several threads."""

        def of_kept(pair: Pair) -> tuple[T | None, int, int]:
            found: Block | Draft | SpilledDraft = getattr(pair, part)
            if isinstance(found, SpilledDraft):
                found = self._reader.finish(found.load())
            assert isinstance(found, Block)
            return of_block(found), pair.n_rows, 0

        def of_fresh(batch: Batch) -> tuple[T | None, int, int]:
            return of_block(self._reader.encode(batch, part)), batch.rows.num_rows, batch.n_bytes

        def of_block(block: Block) -> T | None:
            return function(block) if block.n_rows > 0 else None

        kept = (partial(of_kept, pair) for pair in self._pairs)
        rest = () if self.complete else self._reader.batches(len(self._pairs), self._rows_kept)
        threads = self._threads if self.complete else beside_reading(self._threads)
        rows = 0
        with closing(read_ahead(rest, AHEAD)) as batches:
            fresh = (partial(of_fresh, batch) for batch in batches)
            for value, n_rows, n_bytes in map_in_order(_call, chain(kept, fresh), threads):
                rows += n_rows
                self.on_block(rows, n_bytes)
                if value is not None:
                    yield value


def _call(work: Callable[[], T]) -> T:
    return work()


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


def as_it_is(block: Block) -> Block:
    """Return the block: the view that is none."""
    return block


def followed(first: View, then: View) -> View:
    """Return one view of another."""
    return then if first is as_it_is else partial(_both, first=first, then=then)


def _both(block: Block, first: View, then: View) -> Block:
    return then(first(block))


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSource:
    """Training rows, or rows held out, of a table's store; their numbers are known from its scan."""

    store: Store
    part: Part
    n_rows: int
    n_coefs: int
    n_numeric: int
    n_codes: int
    n_stored: int
    threads: int
    sampled: Sampled | None = None
    view: View = as_it_is

    def reduce(self, statistic: Callable[[Block], S]) -> S:
        """Sum `statistic(block)` over all blocks, in block order."""
        return tree_of(self.store.sweep(self.part, lambda block: statistic(self.view(block)))).total()

    def reduce_together(self, sources: Sequence[FilesSource], statistic: Callable[[list[Block]], S]) -> S:
        """Sum `statistic` of the blocks that several views of this source have for the same rows, in block order."""
        views = [source.view for source in sources]
        return tree_of(self.store.sweep(self.part, lambda block: statistic([view(block) for view in views]))).total()

    def viewed(self, view: View) -> FilesSource:
        """Return a source over `view(block)` of each block, as this one has them."""
        return replace(self, view=followed(self.view, view))

    def sample(self, fractions: Sequence[float], seed: int) -> MemorySource:
        """Return a source in memory over some rows, drawn by a hash of their index; without a pass where it can."""
        kept = self.sampled
        if kept is not None and kept.seed == seed and all(map(float.__le__, map(float, fractions), kept.fractions)):
            return self._sample_of(kept, fractions)
        draw = statistics.draw

        def drawn(block: Block) -> Block:
            block = self.view(block)
            return block.sample(draw(block, fractions, seed), fractions)

        return cut_sample(list(self.store.sweep(self.part, drawn)), self.threads)

    def _sample_of(self, kept: Sampled, fractions: Sequence[float]) -> MemorySource:
        block = self.view(kept.block)
        assert block.rows is not None
        chosen = statistics.draw(block, fractions, kept.seed)
        drawn = block.sample(chosen, fractions)
        # Where each block's rows end among them: the sample is cut as if it had been drawn block by block.
        ends = np.append(np.searchsorted(block.rows[chosen], kept.starts[1:]), chosen.size)
        begins = np.append(0, ends[:-1])
        parts = [drawn.take(np.arange(begin, end)) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        return cut_sample(parts, self.threads)


def tree_of(values: Iterator[T], first: int = 0) -> Tree[T]:
    """Return values as parts of a sum, the first of them at index `first`."""
    tree: Tree[T] = Tree()
    for at, value in enumerate(values, first):
        tree.add(at, value)
    return tree
