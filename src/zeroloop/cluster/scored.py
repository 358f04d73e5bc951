"""A model applied to a table by the workers of a cluster: sums over its rows, and predictions written part by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Self, TypeVar

from zeroloop.cluster.table import ClusterTable
from zeroloop.model import Model
from zeroloop.resources import Resources
from zeroloop.scored_rows import Scored, Tally
from zeroloop.sources.dask import added
from zeroloop.tables.raw import RawTable
from zeroloop.tables.read import TableLike
from zeroloop.tree import Tree

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Part(Generic[S]):
    """What some parts of a table sum up to, and what was odd about them; addable."""

    tree: Tree[S]
    tally: Tally

    def __add__(self, other: Self) -> Part[S]:
        return Part(self.tree + other.tree, self.tally + other.tally)


def total_on_cluster(
    model: Model, data: TableLike, of_scored: Callable[[Scored], S | None], labelled: bool, resources: Resources
) -> tuple[S | None, Tally]:
    """Return the sum of `of_scored(batch)` over all batches of a table, and what was odd about its rows."""
    on_cluster = ClusterTable(resources)
    table = on_cluster.open(data, model.expected(resources.csv))
    parts = on_cluster.parts(table, model.columns_read(table, labelled))
    light = replace(model, origin=None, estimates=None)
    tasks = on_cluster.over("score", partial(_scored, of_scored=of_scored, labelled=labelled), parts, light)
    found: Part[S | None] = on_cluster.found(tasks, added(on_cluster.cluster, "score", tasks), "scoring")
    return (found.tree.total() if found.tree else None), found.tally


def _scored(table: RawTable, model: Model, of_scored: Callable[[Scored], S | None], labelled: bool) -> Part[S | None]:
    tree: Tree[S | None] = Tree()
    tally = Tally()
    batches = model.scored(table, labelled=labelled, threads=1, tally=tally)
    for at, scored in enumerate(batches, table.span.first_batch):
        tree.add(at, of_scored(scored))
    return Part(tree, tally)


def write_on_cluster(
    model: Model,
    data: TableLike,
    write: Callable[[RawTable, Model], Tally],
    keep: Sequence[str],
    resources: Resources,
) -> Tally:
    """Have the workers call `write(part, model)` for each part of a table; return what was odd about the rows.

    Args:
        model: what predicts.
        data: a table with the model's features.
        write: writes a part's rows, under a name made of its span.
        keep: further columns that it reads.
        resources: where and how the table is read.

    """
    on_cluster = ClusterTable(resources)
    table = on_cluster.open(data, model.expected(resources.csv))
    parts = on_cluster.parts(table, model.columns_read(table, labelled=False, keep=keep))
    tasks = on_cluster.over("predict", write, parts, replace(model, origin=None))
    found: Tally = on_cluster.found(tasks, added(on_cluster.cluster, "predict", tasks), "scoring")
    return found
