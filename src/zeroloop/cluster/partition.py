"""Some consecutive rows of a table as a worker of a cluster has them: read once, encoded where they lie, swept."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from zeroloop.blocks import Block
from zeroloop.cluster.frame_rows import FrameRows
from zeroloop.disks import spill_folder
from zeroloop.progress import unheard
from zeroloop.reading import knows_its_levels, read, read_again, reader_of
from zeroloop.resources import NO_SPILL
from zeroloop.sources.budget import Budget, memory_budget
from zeroloop.sources.dask_cluster import worker_room
from zeroloop.sources.files import Part, Store, as_it_is
from zeroloop.tables.draft import Interner
from zeroloop.tables.raw import RawTable
from zeroloop.tables.roles import Roles
from zeroloop.tables.scan import Scan
from zeroloop.tables.schema import Schema

T = TypeVar("T")

SHARE_OF_WORKER = 0.4  # of a worker's limit that rows may take: at 0.6 Dask itself begins to write them to its disk
THREADS = 1  # of a task: a worker runs as many tasks as it has threads


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a worker gets a partition's rows.

    Attributes:
        roles: of the table's columns.
        memory: bytes that a worker may fill with rows, as `zeroloop.reading.Resources` has it; None for a share of the
            worker's limit.
        spill: the folder for what does not fit, likewise; None for the worker's own.
        no_decimals: what the table's first batch says of all others; None where it is not known.

    """

    roles: Roles
    memory: str | int | None
    spill: str | None
    no_decimals: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the driver wants to know of a partition.

    Attributes:
        n_blocks: how many have rows to train on, and how many have rows held out.
        n_bytes: of rows in the worker's memory.
        n_spilled: in its spill file.
        complete: whether no row has to be read again in each pass.

    """

    n_blocks: tuple[int, int]
    n_bytes: int
    n_spilled: int
    complete: bool


class Partition:
    """A partition's rows; read when they are first wanted, and again where they were lost on their way.

    Args:
        table: the part of a table that they are.
        recipe: how to get them.
        schema: of the table; None where it is yet to be learned.

    """

    def __init__(self, table: RawTable, recipe: Recipe, schema: Schema | None = None) -> None:
        self._table = table
        self._recipe = recipe
        self._schema = schema
        self._lock = threading.Lock()
        self._scan: Scan | None = None
        self._kept: tuple[Store, Interner] | None = None  # before they are encoded
        self._store: Store | None = None  # after

    def scan(self) -> Scan:
        """Read the rows, unless they are; return what they hold."""
        with self._lock:
            if self._scan is None:
                recipe = self._recipe
                found = read(self._table, recipe.roles, self._empty(), THREADS, unheard, None, recipe.no_decimals)
                self._scan, self._kept = found.scanned, (found.store, found.interner)
            return self._scan

    def encoded(self, schema: Schema) -> Partition:
        """Return the rows encoded, of which this partition keeps nothing."""
        other = Partition(self._table, self._recipe, schema)
        with self._lock:
            other._scan, other._kept, self._kept = self._scan, self._kept, None
        other._encode()
        return other

    def told(self) -> Told:
        """Return what the driver wants to know."""
        store = self._encode()
        if self._scan is not None:
            n_blocks = self._scan.n_batches
        else:
            n_blocks = sum(self.sweep("training", _one)), sum(self.sweep("held_out", _one))
        return Told(n_blocks, store.n_bytes, store.n_spilled, store.complete)

    def sweep(self, part: Part, function: Callable[[Block], T]) -> Iterator[T]:
        """Yield `function(block)` for each block that has rows, in order."""
        return self._encode().sweep(part, function)

    def _encode(self) -> Store:
        """Encode the rows, unless they are."""
        table, roles, schema = self._table, self._recipe.roles, self._schema
        assert schema is not None
        with self._lock:
            if self._store is None:
                kept, self._kept = self._kept, None
                if kept is None or not knows_its_levels(kept[1], schema):
                    kept = None  # out of memory before the same rows are read into it
                    kept = read_again(table, roles, schema, self._empty(), THREADS, unheard)
                store, interner = kept
                store.finish(reader_of(table, roles, schema, interner), THREADS)
                self._store = store
                if store.complete and isinstance(table.read, FrameRows):
                    table.read.forget()
            return self._store

    def _empty(self) -> Store:
        """Return a store for the rows."""
        room = worker_room()
        limit = memory_budget(self._recipe.memory)
        if self._recipe.memory is None and room.memory is not None:
            limit = min(limit, int(SHARE_OF_WORKER * room.memory))
        spill = self._recipe.spill
        folder = None if spill == NO_SPILL else spill_folder(spill or str(room.folder))
        return Store(_budget_of(room.worker, limit), folder)

    def __sizeof__(self) -> int:
        """Return the memory that the rows take, by which Dask decides what to do with them."""
        kept = self._store or (self._kept[0] if self._kept else None)
        return object.__sizeof__(self) + (kept.n_bytes if kept else 0)

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self._table.read, FrameRows) and self._table.read.is_forgotten:
            parts: tuple[Part, Part] = ("training", "held_out")
            return Blocks, tuple(list(self.sweep(part, as_it_is)) for part in parts)
        # Rows do not travel: they are read again where they are wanted.
        return Partition, (self._table, self._recipe, self._schema)


def _one(_block: Block) -> int:
    return 1


@lru_cache
def _budget_of(_worker: str, n_bytes: int) -> Budget:
    """Return the one budget that all partitions on a worker share."""
    return Budget(n_bytes)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Rows that came to a worker as arrays, or are on their way to another, swept where they lie."""

    training: Sequence[Block]
    held_out: Sequence[Block] = ()

    def sweep(self, part: Part, function: Callable[[Block], T]) -> Iterator[T]:
        """Yield `function(block)` for each block that has rows, in order."""
        return (function(block) for block in getattr(self, part) if block.n_rows > 0)

    def __sizeof__(self) -> int:
        """Return the memory that the rows take."""
        blocks = (*self.training, *self.held_out)
        return sys.getsizeof(self.training) + sum(block.n_bytes for block in blocks)
