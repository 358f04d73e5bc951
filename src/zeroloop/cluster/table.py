"""A table on a cluster: opened here, cut into parts, a task for each part, errors named by part."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa
from distributed import Future

from zeroloop.cluster.frame_rows import FrameRows
from zeroloop.errors import BadFileError, ClusterError, DataError, MissingFileError, OptionError, ZeroloopError
from zeroloop.plain_text import number_of
from zeroloop.progress import Work
from zeroloop.resources import Resources
from zeroloop.sources import dask_frames
from zeroloop.sources.dask_cluster import Cluster, connect, worker_room
from zeroloop.tables.expected import NOTHING_EXPECTED, Expected
from zeroloop.tables.files import reading
from zeroloop.tables.formats import Piece, file_batches
from zeroloop.tables.many_files import FileRows, Opened, table_of
from zeroloop.tables.missing_words import without_words
from zeroloop.tables.pipes import STANDARD, is_pipe
from zeroloop.tables.raw import RawTable, Span
from zeroloop.tables.read import TableLike, open_table
from zeroloop.tables.sql import Sql

PARTITIONS = 4  # of a thread, so that those of a lost or slow worker can be shared out among the others
MOST_PARTITIONS = 2_000  # unless there are more threads: reading takes four tasks for each, and Dask a millisecond each


class ClusterTable:
    """A table that the workers of a cluster read.

    Args:
        resources: `scheduler` names the cluster.

    Raises:
        ClusterError: when it cannot be reached, or does not fit.

    """

    def __init__(self, resources: Resources) -> None:
        self.cluster = connect(resources.scheduler)
        self.rows: list[int] = []  # of each part
        self.bad_files: dict[str, str] = {}  # met by the last tasks
        self._resources = resources
        self._frame: Any = None
        self._partitions: Sequence[Any] = ()  # of the frame
        self._groups: list[range] = []  # the frame's partitions of each part

    def open(self, data: TableLike, expected: Expected = NOTHING_EXPECTED) -> RawTable:
        """Return a table that the workers can read: files, or a Dask DataFrame; see `open_table`."""
        if dask_frames.is_frame(data):
            self._frame, self._partitions = data, data.to_delayed()
            return RawTable(
                name="the Dask DataFrame",
                schema=dask_frames.columns_of(data),
                n_bytes=0,
                n_rows=None,
                read=_unread,
                na=tuple(expected.csv.na),
            )
        if isinstance(data, Sql):
            raise _unseen("the result of a query")
        pipes = [one for one in (data if isinstance(data, list | tuple) else [data]) if is_pipe(one)]
        if pipes:
            raise _unseen("standard input" if pipes[0] == STANDARD else f"the pipe {pipes[0]}")
        table = open_table(data, expected, self._resources.skip_bad_files)
        if not table.files:
            raise _unseen(table.name)
        return table

    def look(self, table: RawTable, columns: Sequence[str]) -> Generator[pa.RecordBatch]:
        """Yield the rows of some columns, of files here, of a frame partition by partition from where they are."""
        if self._frame is None:
            yield from table.look(columns)
            return
        for i, partition in enumerate(self._partitions):
            try:
                (task,) = dask_frames.over(self.cluster, "look", _selected, [list(columns)], [[partition]])
                rows = task.result()
            except Exception as error:
                raise self._named(error, range(i, i + 1)) from error
            yield from (without_words(batch, table.na) for batch in rows.to_batches())

    def parts(self, table: RawTable, columns: Collection[str]) -> list[RawTable]:
        """Return a table in parts, some for each thread of the cluster, that tasks over them are to read."""
        threads = sum(self.cluster.workers().values())
        n = max(1, min(PARTITIONS * threads, max(MOST_PARTITIONS, threads)))
        if self._frame is not None:
            try:
                lengths = dask_frames.lengths(self.cluster, self._frame, self._partitions)
            except ZeroloopError:
                raise
            except Exception as error:
                raise self._named(error, range(len(self._partitions))) from error
            parts, self._groups = cut_frame(table, columns, lengths, n)
        else:
            parts = cut(counted(self.cluster, table), columns, n)
        self.rows = [(one.span.stop or 0) - one.span.first_row for one in parts]
        return parts

    def over(
        self, name: str, function: Callable[..., Any], parts: Sequence[RawTable], *shared: Any
    ) -> list[Future[Any]]:
        """Return a task `function(part, *shared)` for each of the first parts; `shared` travels once to each worker."""
        common = [self.cluster.shared(one) for one in shared]
        call = partial(_of_part, function=function)
        if self._frame is None:
            # Neighbours to one worker, whose sums are then few; Dask lets a worker without work take some of another's.
            threads = [worker for worker, n in self.cluster.workers().items() for _ in range(n)]
            at = [threads[i * len(threads) // len(parts)] if threads else None for i in range(len(parts))]
            return self.cluster.map(
                name, call, parts, [()] * len(parts), *([one] * len(parts) for one in common), at=at
            )
        groups = [[self._partitions[i] for i in group] for group in self._groups[: len(parts)]]
        return dask_frames.over(self.cluster, name, call, parts, groups, common)

    def found(self, tasks: Sequence[Future[Any]], total: Future[Any], doing: str = "") -> Any:
        """Return what comes of tasks over the parts, given the one that depends on all of them.

        Raises:
            ZeroloopError: of the first partition that failed, once it is known of all whether they did.

        """
        whole = sum(self.rows)

        def tell(finished: Iterable[int]) -> None:
            if doing:
                done = sum(self.rows[i] for i in finished)
                self._resources.progress(Work(doing=doing, rows=done, total_rows=whole))

        try:
            return self.cluster.result(total, tasks, tell)
        except ClusterError:
            raise
        except Exception as error:  # of which task, and whether of others too, is not known yet
            errors = self.cluster.errors(tasks)
            if not errors:
                raise
            self.bad_files = {one.path: one.reason for one in errors.values() if isinstance(one, BadFileError)}
            at, first = next(iter(errors.items()))
            if isinstance(first, ZeroloopError) or self._frame is None:
                raise first from error
            raise self._named(first, self._groups[at]) from error

    def _named(self, error: BaseException, which: range) -> BaseException:
        """Return what says which of some partitions of the frame cannot be computed; the error itself where all can."""
        failed = self.cluster.errors(self.cluster.client.compute([self._partitions[i] for i in which]))
        for i, why in failed.items():
            return DataError(
                f"Partition {which[i]} of the Dask DataFrame (counted from 0) cannot be computed: "
                f"{type(why).__name__}: {why}"
            )
        return error


def _unseen(what: str) -> OptionError:
    return OptionError(
        f"scheduler: its workers cannot read {what} of this process; give paths that they see too, or a Dask DataFrame."
    )


def counted(cluster: Cluster, table: RawTable) -> RawTable:
    """Return a table of files with the rows of each file known, those that do not say it counted by the workers."""
    assert isinstance(table.read, FileRows)
    opened = table.read.opened
    unknown = [i for i, one in enumerate(opened) if one.groups is None]
    if not unknown:
        return table
    counts: list[Future[int]] = cluster.map(
        "count", partial(_count, expected=table.read.expected), [opened[i] for i in unknown]
    )
    found = dict(zip(unknown, cluster.result(cluster.map("count-all", list, [counts])[0]), strict=True))
    known = [replace(one, groups=(found[i],)) if i in found else one for i, one in enumerate(opened)]
    return table_of(replace(table.read, opened=tuple(known)), table.name, table.schema, table.skipped)


def _count(opened: Opened, expected: Expected) -> int:
    with named_worker(), reading(opened.file.path):
        column = next(iter(opened.types))
        pieces = file_batches(opened.file, [column], dict(opened.types), {}, 0, expected)
        return sum(piece.batch.num_rows for piece in pieces)


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


def cut_frame(
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


def _selected(columns: list[str], frames: Sequence[Any]) -> pa.Table:
    """Return some columns of a partition of a frame."""
    table = open_table(frames[0])
    return pa.Table.from_batches(table.look(columns), pa.schema([table.schema.field(name) for name in columns]))


def _unread(_columns: Sequence[str], _first_row: int) -> Iterator[Piece]:
    raise AssertionError("the driver reads no rows of a Dask DataFrame")


def _of_part(part: RawTable, frames: Sequence[Any], *shared: Any, function: Callable[..., Any]) -> Any:
    """Return `function(part, *shared)`, on a worker; the part of a Dask DataFrame has the partitions it is of."""
    with named_worker():
        return function(_with_frames(part, frames) if part.read is _unread else part, *shared)


def _with_frames(part: RawTable, frames: Sequence[Any]) -> RawTable:
    found, wanted = sum(map(len, frames)), (part.span.stop or 0) - part.span.first_row
    if found != wanted:
        raise DataError(
            f"Some partitions of the Dask DataFrame have {number_of(found, 'row')}, and had {wanted:,} when they were "
            "counted; it must give the same rows each time: persist() it first."
        )
    # Of the frame itself, not of its description: that knows nothing of what pandas calls objects.
    schema = open_table(frames[0]).schema
    return replace(part, schema=schema, read=FrameRows(list(frames), part.span.first_row))


@contextmanager
def named_worker() -> Iterator[None]:
    """Say of a file that is missing on which worker it is."""
    try:
        yield
    except MissingFileError as error:
        reason = f"the worker {worker_room().worker} finds no such file; every worker must see all files, under the "
        raise BadFileError(error.path, reason + "paths that this process sees.") from error
