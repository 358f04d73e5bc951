"""Rows on the workers of a Dask cluster: the statistic goes to the partitions, sums come back.

A *partition* is some consecutive rows, encoded and held by one worker: the result of a Dask task, so that Dask makes it
again elsewhere when its worker is lost. A pass is a task for each worker, over the partitions that it has, on all its
threads (of a long pass one for each partition, so that it is seen how far it is), and a few that add sums; one sum
reaches this process. Sums are added in the order of `zeroloop.tree`: no number of workers, partitions or faults changes
a bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from operator import add
from typing import Any, Generic, Protocol, TypeVar

from distributed import Future, get_worker

from zeroloop.blocks import Block
from zeroloop.kernels import statistics
from zeroloop.sources.dask_cluster import Cluster
from zeroloop.sources.files import Part, View, as_it_is, followed, tree_of
from zeroloop.sources.memory import MemorySource, cut_sample
from zeroloop.sources.threads import map_all
from zeroloop.tree import Tree

S = TypeVar("S")
T = TypeVar("T")

FAN_IN = 16  # sums that are added by one task
WORTH_MOVING = 1.0  # seconds that a worker's part of a pass takes before some of it is moved to another
TASK_SHARE = 100.0  # tasks for each second of a pass: they take its tenth


class Swept(Protocol):
    """Rows of a partition, where a worker has them."""

    def sweep(self, part: Part, function: Callable[[Block], T]) -> Iterator[T]:
        """Yield `function(block)` for each block that has rows, in order."""


@dataclass(frozen=True, slots=True)
class Summed(Generic[S]):
    """What some partitions' rows sum up to, and how long it took; addable.

    Attributes:
        tree: the sums, a part for each block.
        seconds: by the address of the worker.

    """

    tree: Tree[S]
    seconds: dict[str, float]

    def __add__(self, other: Summed[S]) -> Summed[S]:
        workers = {**self.seconds, **other.seconds}
        spent = {name: self.seconds.get(name, 0.0) + other.seconds.get(name, 0.0) for name in workers}
        return Summed(self.tree + other.tree, spent)


@dataclass(slots=True, kw_only=True)
class Partitions:
    """The partitions of a table, and which worker has which.

    Attributes:
        cluster: whose workers hold them.
        held: the partitions, in order.
        rows: of each, used or not.
        at: which worker has each, as far as is known.
        on_rows: told how many rows of a pass are done, as they are.
        seconds: that the last pass took, by worker.

    """

    cluster: Cluster
    held: list[Future[Any]]
    rows: list[int]
    at: list[str | None]
    on_rows: Callable[[int], None] = lambda rows: None
    seconds: dict[str, float] = field(default_factory=dict)

    def total(self, name: str, sums: Callable[..., Summed[S]], starts: Sequence[int]) -> S:
        """Return the sum over all partitions of what `sums(partitions, starts)` makes of some of them."""
        workers = self.cluster.workers()
        self._level(workers)
        one_by_one = len(self.held) < TASK_SHARE * max(self.seconds.values(), default=0.0)
        groups = [[i] for i in range(len(self.held))] if one_by_one else self._groups()
        held, firsts = ([[items[i] for i in group] for group in groups] for items in (self.held, starts))
        tasks = self.cluster.map(name, sums, held, firsts, at=[self.at[group[0]] for group in groups])

        def done(finished: Iterable[int]) -> None:
            self.on_rows(sum(self.rows[i] for task in finished for i in groups[task]))

        found: Summed[S] = self.cluster.result(added(self.cluster, name, tasks), tasks, done)
        # Of tasks side by side the time is that of all of them.
        beside = workers if one_by_one else {}
        self.seconds = {worker: spent / beside.get(worker, 1) for worker, spent in found.seconds.items()}
        return found.tree.total()

    def _groups(self) -> list[list[int]]:
        """Return the partitions of each task: those of a worker, or one that no worker is known to have."""
        groups: dict[Any, list[int]] = {}
        for i, worker in enumerate(self.at):
            groups.setdefault(i if worker is None else worker, []).append(i)
        return list(groups.values())

    def _level(self, workers: dict[str, int]) -> None:
        """Move partitions from a worker that takes long to one that is quick, or new, where that is worth it."""
        if not workers.keys() >= set(self.at):  # one is lost: its partitions are elsewhere, or will be
            self.at = self.cluster.where(self.held)
        slowest = max(self.seconds, key=self.seconds.__getitem__, default=None)
        if slowest is None or self.seconds[slowest] < WORTH_MOVING:
            return
        load = {worker: self.seconds.get(worker, 0.0) for worker in workers}
        if slowest not in load or len(load) < 2:
            return
        quickest = min(load, key=load.__getitem__)
        if load[quickest] > load[slowest] / 2:
            return
        mine = [i for i, worker in enumerate(self.at) if worker == slowest]
        n_quick = sum(worker == quickest for worker in self.at)
        each = load[slowest] / max(len(mine), 1)  # seconds that one of them takes
        each_there = load[quickest] / n_quick if n_quick else each
        n = round((load[slowest] - load[quickest]) / (each + each_there))  # then both take about as long
        for i in mine[len(mine) - n :]:
            self.held[i], self.at[i] = self.cluster.moved(self.held[i], quickest), quickest
        self.seconds = {}  # to be measured again


def added(cluster: Cluster, name: str, parts: list[Future[S]]) -> Future[S]:
    """Return the sum of what tasks return, added on the workers, `FAN_IN` at a time."""
    while len(parts) > 1:
        groups = [parts[i : i + FAN_IN] for i in range(0, len(parts), FAN_IN)]
        parts = cluster.map(f"{name}-add", _sum_of, groups)
    return parts[0]


def _sum_of(parts: list[Any]) -> Any:
    return reduce(add, parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaskSource:
    """Training rows, or rows held out, of partitions on a cluster.

    Attributes:
        partitions: where they are.
        part: which of their rows.
        starts: index of each partition's first block in this source.
        n_rows, n_coefs, n_numeric, n_codes, n_stored: see `zeroloop.blocks.Source`.
        threads: that sweep a sample, in this process.
        view: of each block.

    """

    partitions: Partitions
    part: Part
    starts: tuple[int, ...]
    n_rows: int
    n_coefs: int
    n_numeric: int
    n_codes: int
    n_stored: int
    threads: int
    view: View = as_it_is

    def reduce(self, statistic: Callable[[Block], S]) -> S:
        """Sum `statistic(block)` over all blocks, in block order."""
        sums = partial(_sums, part=self.part, of_block=partial(_of_view, view=self.view, statistic=statistic))
        return self.partitions.total(_name_of(statistic), sums, self.starts)

    def reduce_together(self, sources: Sequence[DaskSource], statistic: Callable[[list[Block]], S]) -> S:
        """Sum `statistic` of the blocks that several views of this source have for the same rows, in block order."""
        views = [source.view for source in sources]
        sums = partial(_sums, part=self.part, of_block=partial(_of_views, views=views, statistic=statistic))
        return self.partitions.total("several-fits", sums, self.starts)

    def viewed(self, view: View) -> DaskSource:
        """Return a source over `view(block)` of each block, as this one has them."""
        return replace(self, view=followed(self.view, view))

    def sample(self, fractions: Sequence[float], seed: int) -> MemorySource:
        """Return a source in this process over some rows, drawn by a hash of their index: the same rows anywhere."""
        draw = statistics.draw
        drawn = self.reduce(partial(_drawn, draw=draw, fractions=tuple(fractions), seed=seed))
        return cut_sample(drawn, self.threads)


def _drawn(block: Block, draw: Callable[..., Any], fractions: Sequence[float], seed: int) -> list[Block]:
    return [block.sample(draw(block, fractions, seed), fractions)]


def _of_view(block: Block, view: View, statistic: Callable[[Block], S]) -> S:
    return statistic(view(block))


def _of_views(block: Block, views: Sequence[View], statistic: Callable[[list[Block]], S]) -> S:
    return statistic([view(block) for view in views])


def _sums(held: Sequence[Swept], firsts: Sequence[int], part: Part, of_block: Callable[[Block], S]) -> Summed[S]:
    """Return what some partitions sum up to, on the worker that has them; `firsts` number the first block of each."""
    start, worker = time.perf_counter(), get_worker()

    def of_partition(numbered: tuple[Context, Swept, int]) -> Tree[S]:
        context, rows, first = numbered
        return context.run(lambda: tree_of(rows.sweep(part, of_block), first))

    # A thread of ours learns from its context which worker it is on.
    items = [(copy_context(), rows, first) for rows, first in zip(held, firsts, strict=True)]
    trees = map_all(of_partition, items, worker.state.nthreads)
    return Summed(reduce(add, trees), {worker.address: time.perf_counter() - start})


def _name_of(statistic: Any) -> str:
    """Return what the dashboard calls the tasks of a pass."""
    function = statistic.func if isinstance(statistic, partial) else statistic
    name: str = getattr(function, "__name__", "statistic").strip("_").replace("_", "-")
    if name == "sums":
        return ("loss", "gradient", "hessian")[statistic.keywords["order"]]
    return name
