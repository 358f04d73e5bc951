"""A table's rows on the workers of a cluster: scanned and encoded there, ready to be swept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import pyarrow as pa

from zeroloop.cluster.partition import Partition, Recipe, Told
from zeroloop.cluster.table import ClusterTable
from zeroloop.errors import BadFileError, ZeroloopWarning
from zeroloop.learned import Learned
from zeroloop.plain_text import number_of
from zeroloop.resources import Resources
from zeroloop.sources.budget import memory_budget, size_text
from zeroloop.sources.dask import DaskSource, Partitions, added
from zeroloop.sources.files import Part, Sampled
from zeroloop.sources.threads import thread_count
from zeroloop.tables.expected import Expected
from zeroloop.tables.raw import RawTable
from zeroloop.tables.read import TableLike
from zeroloop.tables.roles import Roles
from zeroloop.tables.scan import Scan
from zeroloop.tables.schema import Schema


class RowsOnCluster:
    """A table's rows in the memory, and the spill files, of a cluster's workers.

    Args:
        resources: `scheduler` names the cluster; `memory` and `spill` are each worker's.

    Raises:
        OptionError: for what is no size.

    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        budget = memory_budget(resources.memory)  # what is no size is said here, not by the workers
        self._table = ClusterTable(resources)
        if resources.memory is not None:
            _check_memory(budget, self._table.cluster.memory_limits())
        self._tell: Callable[[int, int], None] = lambda rows, n_bytes: None
        self._words = ""

    def open(self, data: TableLike, expected: Expected) -> RawTable:
        """Return a table that the workers can read."""
        return self._table.open(data, expected)

    def look(self, table: RawTable, columns: Sequence[str]) -> Generator[pa.RecordBatch]:
        """Yield the rows of some columns of a table, to be stopped when enough of them is seen."""
        return self._table.look(table, columns)

    def read(self, table: RawTable, roles: Roles) -> Scan:
        """Have the workers read a table; return what it holds."""
        parts = self._table.parts(table, roles.read)
        recipe = self._recipe(roles)
        if any(pa.types.is_float32(table.schema.field(name).type) for name in roles.read):
            looked = self._table.over("look", _look, parts[:1], recipe)
            recipe = replace(recipe, no_decimals=self._table.found(looked, looked[0]))
        self._held = self._table.over("read", _read, parts, recipe)
        scans = self._table.cluster.map("scan", _scan, self._held)
        total = added(self._table.cluster, "scan", scans)
        return self._table.found(self._held, total, "scanning")  # type: ignore[no-any-return]

    def read_again(self, table: RawTable, roles: Roles, schema: Schema) -> None:
        """Have the workers read a table whose schema is known, when its rows are first wanted."""
        self._held = self._table.over(
            "read", _unread, self._table.parts(table, roles.read), self._recipe(roles), schema
        )

    def bad_files(self, error: BadFileError) -> dict[str, str]:
        """Return the bad files, of which the workers have met all."""
        return {error.path: error.reason} | self._table.bad_files

    def sampled(self, _schema: Schema, /) -> Sampled | None:
        """Return None: a sample is drawn where the rows are, by a pass."""
        return None

    def sources(self, learned: Learned) -> tuple[DaskSource, DaskSource]:
        """Return the rows to train on and the rows held out, of those just read."""
        schema, counts, cluster = learned.schema, learned.counts, self._table.cluster
        at = cluster.where(self._held)
        held = cluster.map("encode", _encoded, self._held, [cluster.shared(schema)] * len(self._held), at=at)
        tells = cluster.map("tell", _told, held, at=at)
        told: list[Told] = self._table.found(tells, cluster.map("tell", list, [tells])[0])
        del self._held
        partitions = Partitions(
            cluster=cluster, held=held, rows=self._table.rows, at=cluster.where(held), on_rows=self._on_rows
        )
        self._words = _in_words(told, len(cluster.workers()))
        threads = thread_count(self._resources.threads)

        def source(part: Part, at: int, n_rows: int) -> DaskSource:
            starts = accumulate((one.n_blocks[at] for one in told), initial=0)
            return DaskSource(
                partitions=partitions,
                part=part,
                starts=tuple(starts)[:-1],
                n_rows=n_rows,
                n_coefs=schema.n_coefs,
                n_numeric=len(schema.numeric),
                n_codes=len(schema.categorical),
                n_stored=learned.n_stored,
                threads=threads,
            )

        return source("training", 0, counts.training), source("held_out", 1, counts.held_out)

    def on_sweep(self, tell: Callable[[int, int], None]) -> None:
        """Have `tell` called with how many rows and bytes of a sweep are done."""
        self._tell = tell

    def in_words(self) -> str:
        """Say where the rows are."""
        return self._words

    def _recipe(self, roles: Roles) -> Recipe:
        return Recipe(roles, self._resources.memory, self._resources.spill)

    def _on_rows(self, rows: int) -> None:
        self._tell(rows, 0)


def _check_memory(budget: int, limits: Mapping[str, int]) -> None:
    """Say where rows may take more than a worker may have: Dask ends a worker that does."""
    small = [worker for worker, limit in limits.items() if budget > limit]
    if small:
        warnings.warn(
            f"memory lets the rows of each worker take {size_text(budget)}, and {small[0]} may take "
            f"{size_text(limits[small[0]])} in all: it is ended when it takes more. Give less, or nothing for a "
            "share of what there is, or start workers with a higher --memory-limit.",
            ZeroloopWarning,
            stacklevel=2,
        )


def _in_words(told: Sequence[Told], n_workers: int) -> str:
    in_memory, spilled = sum(one.n_bytes for one in told), sum(one.n_spilled for one in told)
    parts = [f"{size_text(in_memory)} in memory"] if in_memory or not spilled else []
    parts += [f"{size_text(spilled)} in spill files"] if spilled else []
    if not all(one.complete for one in told):
        parts.append("the rest decoded again in each pass")
    workers = number_of(n_workers, "worker")
    return f"{', '.join(parts)}, in {number_of(len(told), 'partition')} on {workers}"


def _look(table: RawTable, recipe: Recipe) -> frozenset[str]:
    """Return what a table's first batch says of the others."""
    end = min(table.span.stop or 0, table.batch_rows(recipe.roles.read))
    return Partition(replace(table, span=replace(table.span, stop=end)), recipe).scan().no_decimals


def _read(table: RawTable, recipe: Recipe) -> Partition:
    partition = Partition(table, recipe)
    partition.scan()
    return partition


def _unread(table: RawTable, recipe: Recipe, schema: Schema) -> Partition:
    return Partition(table, recipe, schema)


def _scan(partition: Partition) -> Scan:
    return partition.scan()


def _encoded(partition: Partition, schema: Schema) -> Partition:
    return partition.encoded(schema)


def _told(partition: Partition) -> Told:
    return partition.told()
