"""A table's rows on the workers of a cluster: cut into partitions, scanned and encoded there, ready to be swept."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa
from distributed import Future

from zeroloop.errors import BadFileError, DataError, MissingFileError, OptionError, ZeroloopError
from zeroloop.learned import Learned
from zeroloop.partition import FrameRows, Partition, Recipe, Told
from zeroloop.progress import Work
from zeroloop.reading import Resources
from zeroloop.sources import dask_frames
from zeroloop.sources.budget import size_text
from zeroloop.sources.dask import DaskSource, Partitions, added
from zeroloop.sources.dask_cluster import Cluster, connect, worker_room
from zeroloop.sources.files import Part, Sampled
from zeroloop.sources.threads import thread_count
from zeroloop.tables.files import reading
from zeroloop.tables.formats import Piece, file_batches
from zeroloop.tables.many_files import FileRows, Opened, table_of
from zeroloop.tables.raw import RawTable, Span
from zeroloop.tables.read import TableLike, open_table
from zeroloop.tables.roles import Roles
from zeroloop.tables.scan import Scan
from zeroloop.tables.schema import Schema

PARTITIONS = 4  # of a thread, so that those of a lost or slow worker can be shared out among the others
MOST_TASKS = 2_000  # a pass, unless there are more threads: Dask takes a third of a millisecond for each


class RowsOnCluster:
    """A table's rows in the memory, and the spill files, of a cluster's workers.

    Args:
        resources: `scheduler` names the cluster; `memory` and `spill` are each worker's.

    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._cluster = connect(resources.scheduler)
        self._frame: Any = None
        self._bad: dict[str, str] = {}
        self._tell: Callable[[int, int], None] = lambda rows, n_bytes: None
        self._words = ""

    def open(self, data: TableLike, text: Collection[str]) -> RawTable:
        """Return a table that the workers can read: files, or a Dask DataFrame; see `open_table`."""
        if dask_frames.is_frame(data):
            self._frame = data
            return RawTable("the Dask DataFrame", dask_frames.columns_of(data), 0, None, _unread)
        table = open_table(data, text, self._resources.skip_bad_files)
        if not table.files:
            raise OptionError(
                f"scheduler: its workers cannot read {table.name} of this process; give paths that they see too, or a "
                "Dask DataFrame."
            )
        return table

    def read(self, table: RawTable, roles: Roles) -> Scan:
        """Have the workers read a table; return what it holds."""
        recipes = self._plan(table, roles)
        if any(pa.types.is_float32(table.schema.field(name).type) for name in roles.features):
            looked = self._over("look", _look, recipes[:1], self._groups[:1])
            no_decimals = self._found(looked, looked[0])
            recipes = [replace(recipe, no_decimals=no_decimals) for recipe in recipes]
        self._held = self._over("read", _read, recipes, self._groups)
        scans = self._cluster.map("scan", _scan, self._held)
        return self._found(self._held, added(self._cluster, "scan", scans), "scanning")  # type: ignore[no-any-return]

    def read_again(self, table: RawTable, roles: Roles, schema: Schema) -> None:
        """Have the workers read a table whose schema is known."""
        self._held = self._over("read", partial(_read_known, schema=schema), self._plan(table, roles), self._groups)

    def bad_files(self, error: BadFileError) -> dict[str, str]:
        """Return the bad files, of which the workers have met all."""
        return {error.path: error.reason} | self._bad

    def sampled(self, _schema: Schema, /) -> Sampled | None:
        """Return None: a sample is drawn where the rows are, by a pass."""
        return None

    def sources(self, learned: Learned) -> tuple[DaskSource, DaskSource]:
        """Return the rows to train on and the rows held out, of those just read."""
        schema, counts = learned.schema, learned.counts
        held = self._cluster.map("encode", partial(_encoded, schema=schema), self._held)
        tells = self._cluster.map("tell", _told, held)
        told: list[Told] = self._found(tells, self._cluster.map("tell-all", list, [tells])[0])
        self._held = held
        partitions = Partitions(self._cluster, held, self._rows, self._on_rows)
        self._words = _in_words(told, len(self._cluster.workers()))
        columns = schema.n_coefs, len(schema.numeric), len(schema.categorical), learned.n_stored
        threads = thread_count(self._resources.threads)

        def source(part: Part, at: int, n_rows: int) -> DaskSource:
            starts = accumulate((one.n_blocks[at] for one in told), initial=0)
            return DaskSource(partitions, part, tuple(starts)[:-1], n_rows, *columns, threads)

        return source("training", 0, counts.training), source("held_out", 1, counts.held_out)

    def on_sweep(self, tell: Callable[[int, int], None]) -> None:
        """Have `tell` called with how many rows and bytes of a sweep are done."""
        self._tell = tell

    def in_words(self) -> str:
        """Say where the rows are."""
        return self._words

    def _on_rows(self, rows: int) -> None:
        self._tell(rows, 0)

    def _plan(self, table: RawTable, roles: Roles) -> list[Recipe]:
        """Cut a table into partitions."""
        threads = sum(self._cluster.workers().values())
        n = min(PARTITIONS * threads, max(MOST_TASKS, threads))
        if self._frame is not None:
            tables, self._groups = _cut_frame(table, roles.read, dask_frames.lengths(self._cluster, self._frame), n)
        else:
            tables, self._groups = cut(counted(self._cluster, table), roles.read, n), []
        self._rows = [(one.span.stop or 0) - one.span.first_row for one in tables]
        resources = self._resources
        return [Recipe(one, roles, resources.memory, resources.spill) for one in tables]

    def _over(
        self,
        name: str,
        function: Callable[[Recipe, Sequence[Any]], Any],
        recipes: Sequence[Recipe],
        groups: Sequence[range],
    ) -> list[Future[Any]]:
        """Return a task for each recipe, given the partitions of the frame that it is of."""
        if self._frame is None:
            return self._cluster.map(name, function, recipes, [()] * len(recipes))
        parts = self._frame.to_delayed()
        return dask_frames.over(self._cluster, name, function, recipes, [[parts[i] for i in one] for one in groups])

    def _found(self, tasks: Sequence[Future[Any]], total: Future[Any], doing: str = "") -> Any:
        """Return what comes of some tasks.

        Raises:
            ZeroloopError: of the first partition that failed, once it is known of all whether they did.

        """
        whole = sum(self._rows)

        def tell(finished: Any) -> None:
            if doing:
                done = sum(self._rows[i] for i in finished)
                self._resources.progress(Work(doing, done, whole))

        try:
            return self._cluster.result(total, tasks, tell)
        except Exception as error:  # of which task, and whether of others too, is not known yet
            errors = self._cluster.errors(tasks)
            if not errors:
                raise
            self._bad = {one.path: one.reason for one in errors.values() if isinstance(one, BadFileError)}
            at, first = next(iter(errors.items()))
            if isinstance(first, ZeroloopError) or self._frame is None:
                raise first from error
            parts = self._frame.to_delayed()
            alone = self._cluster.client.compute([parts[i] for i in self._groups[at]])
            failed = self._cluster.errors(alone) or {0: first}
            i, why = next(iter(failed.items()))
            raise DataError(
                f"Partition {self._groups[at][i]} of the Dask DataFrame (counted from 0) cannot be computed: "
                f"{type(why).__name__}: {why}"
            ) from error


def _in_words(told: Sequence[Told], n_workers: int) -> str:
    in_memory, spilled = sum(one.n_bytes for one in told), sum(one.n_spilled for one in told)
    parts = [f"{size_text(in_memory)} in memory"] if in_memory or not spilled else []
    parts += [f"{size_text(spilled)} in spill files"] if spilled else []
    if not all(one.complete for one in told):
        parts.append("the rest decoded again in each pass")
    workers = f"{n_workers} worker{'s' if n_workers != 1 else ''}"
    return f"{', '.join(parts)}, in {len(told)} partition{'s' if len(told) != 1 else ''} on {workers}"


def counted(cluster: Cluster, table: RawTable) -> RawTable:
    """Return a table of files with the rows of each file known, those that do not say it counted by the workers."""
    assert isinstance(table.read, FileRows)
    opened = table.read.opened
    unknown = [i for i, one in enumerate(opened) if one.groups is None]
    if not unknown:
        return table
    counts: list[Future[int]] = cluster.map("count", _count, [opened[i] for i in unknown])
    found = dict(zip(unknown, cluster.result(cluster.map("count-all", list, [counts])[0]), strict=True))
    known = [replace(one, groups=(found[i],)) if i in found else one for i, one in enumerate(opened)]
    return table_of(FileRows(tuple(known)), table.name, table.schema, table.skipped)


def _count(opened: Opened) -> int:
    with found_here(), reading(opened.file.path):
        column = next(iter(opened.types))
        return sum(piece.batch.num_rows for piece in file_batches(opened.file, [column], dict(opened.types), 0))


def cut(table: RawTable, columns: Collection[str], n: int) -> list[RawTable]:
    """Return about n parts of a table of files, or fewer, as even as can be.

    Parts begin with a batch of the whole table, the first one after a place where reading may begin without decoding
    what is before: the start of a file, or of a row group.
    """
    rows = table.read
    assert isinstance(rows, FileRows)
    assert table.n_rows is not None
    size = table.batch_rows(columns)
    n_batches = -(-table.n_rows // size)
    starts = sorted({-(-row // size) for row in rows.starts()} - {n_batches})
    begins = sorted({_nearest(starts, k * n_batches / n) for k in range(n)} | {0})
    ends = [*begins[1:], n_batches]
    return [
        _part(table, rows, Span(first * size, min(last * size, table.n_rows), first))
        for first, last in zip(begins, ends, strict=True)
    ]


def _nearest(increasing: list[int], to: float) -> int:
    """Return the number nearest to another; 0 where there are none."""
    at = bisect_left(increasing, to)
    return min(increasing[max(0, at - 1) : at + 1], key=lambda number: abs(number - to), default=0)


def _part(table: RawTable, rows: FileRows, span: Span) -> RawTable:
    assert span.stop is not None
    held = rows.within(span.first_row, span.stop)
    n_bytes = sum(one.file.size for one in held.opened)
    return replace(table, n_bytes=n_bytes, read=held, files=(), skipped=(), span=span)


def _cut_frame(
    table: RawTable, columns: Collection[str], lengths: Sequence[int], n: int
) -> tuple[list[RawTable], list[range]]:
    """Return about n parts of a frame of so many rows in each partition, and which partitions each part has.

    Batches are cut anew in each partition of the frame, so that they do not depend on n.
    """
    size = table.batch_rows(columns)
    rows = list(accumulate(lengths, initial=0))
    batches = list(accumulate((-(-length // size) for length in lengths), initial=0))
    begins = sorted({bisect_left(rows, k * rows[-1] / n) for k in range(n)} - {len(lengths)} | {0})
    groups = [range(first, last) for first, last in pairwise([*begins, len(lengths)])]
    whole = replace(table, n_rows=rows[-1])
    tables = [
        replace(whole, span=Span(rows[g.start], rows[g.stop], batches[g.start], tuple(rows[g.start + 1 : g.stop])))
        for g in groups
    ]
    return tables, groups


def _unread(_columns: Sequence[str], _first_row: int) -> Iterator[Piece]:
    raise AssertionError("the driver reads no rows of a Dask DataFrame")


class found_here:  # noqa: N801  a context manager
    """Say of a file that is missing on which worker it is."""

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Name the worker."""
        if isinstance(error, MissingFileError):
            reason = f"the worker {worker_room().worker} finds no such file; every worker must see all files, under "
            raise BadFileError(error.path, reason + "the paths that this process sees.") from error


def _recipe(recipe: Recipe, frames: Sequence[Any]) -> Recipe:
    """Return a recipe with the partitions of the frame that it is of."""
    span, table = recipe.table.span, recipe.table
    if table.read is not _unread:
        return recipe
    found = sum(map(len, frames))
    if found != (span.stop or 0) - span.first_row:
        raise DataError(
            f"Some partitions of the Dask DataFrame have {found:,} rows, and had {(span.stop or 0) - span.first_row:,} "
            "when they were counted. It must give the same rows each time: persist() it first."
        )
    return replace(recipe, table=replace(table, read=FrameRows(list(frames), span.first_row)))


def _look(recipe: Recipe, frames: Sequence[Any]) -> frozenset[str]:
    """Return what a table's first batch says of the others."""
    table = _recipe(recipe, frames).table
    end = min(table.span.stop or 0, table.batch_rows(recipe.roles.read))
    first = replace(table, span=replace(table.span, stop=end))
    with found_here():
        return Partition(replace(recipe, table=first)).scan().no_decimals


def _read(recipe: Recipe, frames: Sequence[Any]) -> Partition:
    partition = Partition(_recipe(recipe, frames))
    with found_here():
        partition.scan()
    return partition


def _read_known(recipe: Recipe, frames: Sequence[Any], schema: Schema) -> Partition:
    return Partition(_recipe(recipe, frames), schema)


def _scan(partition: Partition) -> Scan:
    return partition.scan()


def _encoded(partition: Partition, schema: Schema) -> Partition:
    with found_here():
        return partition.encoded(schema)


def _told(partition: Partition) -> Told:
    return partition.told()
