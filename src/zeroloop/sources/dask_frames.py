"""Dask DataFrames and arrays: tasks over their partitions, columns, lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from dask import delayed
from distributed import Future

from zeroloop.sources.dask_cluster import Cluster
from zeroloop.tables.dask_data import is_dask


def is_frame(data: Any) -> bool:
    """Return whether something is a Dask DataFrame."""
    # Not by its class, which takes a second to import, on each worker.
    return is_dask(data) and hasattr(data, "columns") and hasattr(data, "map_partitions")


def columns_of(frame: Any) -> pa.Schema:
    """Return a frame's columns; the type of one that pandas calls an object is null, as nothing is known of it."""
    return pa.Schema.from_pandas(frame._meta.rename(columns=str), preserve_index=False)


def lengths(cluster: Cluster, frame: Any, parts: Sequence[Any]) -> list[int]:
    """Return the number of rows of each partition of a frame, `parts`, computed without its columns where Dask can."""
    counts = frame.map_partitions(len, meta=(None, "int64"))
    found = np.asarray(cluster.result(cluster.client.compute(counts))).tolist()
    if len(found) != len(parts):  # without columns Dask reads several small files as one partition
        found = cluster.result(cluster.client.compute(delayed(list)([delayed(len)(part) for part in parts])))
    return [int(n) for n in found]


def over(
    cluster: Cluster,
    name: str,
    function: Callable[..., Any],
    items: Sequence[Any],
    groups: Sequence[Sequence[Any]],
    shared: Sequence[Future[Any]] = (),
) -> list[Future[Any]]:
    """Return a task `function(item, partitions, *shared)` for each item and its group of delayed partitions."""
    call = delayed(function, pure=False, traverse=False)
    keys = cluster.keys(name, len(items))
    tasks = [
        call(item, list(group), *shared, dask_key_name=key)
        for item, group, key in zip(items, groups, keys, strict=True)
    ]
    return list(cluster.client.compute(tasks))
