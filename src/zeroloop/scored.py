"""A model's predictor of every row of a table, summed up: here, or on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from zeroloop.blocks import Block
from zeroloop.errors import dask_extra
from zeroloop.model import Model
from zeroloop.resources import Resources
from zeroloop.scored_rows import Scored
from zeroloop.tables.dask_data import is_dask
from zeroloop.tables.read import TableLike, open_table
from zeroloop.tree import Tree

S = TypeVar("S")


def total_over(
    model: Model,
    data: TableLike,
    of_scored: Callable[[Scored], S | None],
    *,
    labelled: bool,
    resources: Resources,
) -> S | None:
    """Return the sum of `of_scored(batch)` over all batches of a table; None where it is None for each.

    Args:
        model: what scores.
        data: a table with the model's features, and its target and weights if `labelled`.
        of_scored: a module's function, perhaps bound to arguments, so that it can travel to a worker.
        labelled: whether to read the target.
        resources: where and how the table is read.

    Raises:
        DataError: for a column that is missing or of another type.

    Warns:
        ZeroloopWarning: of values that training never met.

    """
    if resources.scheduler is not None or is_dask(data):
        with dask_extra():
            from zeroloop.cluster.scored import total_on_cluster

        found, tally = total_on_cluster(model, data, of_scored, labelled, resources)
        tally.warn(model.blurred)
        return found
    tree: Tree[S | None] = Tree()
    table = open_table(data, model.expected(resources.csv))
    scored = model.scored(table, labelled=labelled, threads=resources.threads, progress=resources.progress)
    for at, one in enumerate(scored):
        tree.add(at, of_scored(one))
    return tree.total() if tree else None


@dataclass(frozen=True, slots=True)
class Labelled:
    """The rows of a table with a target and a predictor: a source with one verb, read anew in each sweep.

    Attributes:
        model: whose schema encodes them.
        data: the table; one that can be read more than once.
        resources: where and how it is read.

    """

    model: Model
    data: TableLike
    resources: Resources = field(default_factory=Resources)

    def reduce(self, statistic: Callable[[Block], Any]) -> Any:
        """Sum `statistic(block)` over all blocks, in order; None where no row has a target."""
        of_scored = partial(_of_labelled, statistic=statistic)
        return total_over(self.model, self.data, of_scored, labelled=True, resources=self.resources)


def _of_labelled(scored: Scored, statistic: Callable[[Block], S]) -> S | None:
    block = scored.encoded.block
    assert block.y is not None
    rows = block.take(np.flatnonzero(~np.isnan(block.y) & scored.known))
    return statistic(rows) if rows.n_rows else None
