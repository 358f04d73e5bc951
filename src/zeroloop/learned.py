"""What one scan of a table learned: all that a fit needs to know before the rows are swept; and its place on disk."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from zeroloop.blocks import Block
from zeroloop.errors import CheckpointError
from zeroloop.labels import Labels
from zeroloop.records import record as as_record
from zeroloop.sources.checkpoint import SCAN, Checkpoint
from zeroloop.sources.files import Sampled
from zeroloop.sparse import Sparse
from zeroloop.tables.raw import RawTable, Skipped
from zeroloop.tables.schema import Schema

SPARSE = ("values", "indices", "start", "stop")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """A table's rows by use.

    Attributes:
        training, held_out, no_target, incomplete: how many.
        gaps: of the incomplete ones, how many have no value in each column.

    """

    training: int
    held_out: int
    no_target: int
    incomplete: int
    gaps: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a scan learned.

    Attributes:
        schema: of the columns.
        counts: of the rows.
        labels: of the training rows.
        n_stored: values stored in a sparse column, of the training rows.
        sampled: rows that samples are drawn from; None where there are none.
        skipped: files left out.
        set_aside: features that are left out, and whose gaps cost no row.

    """

    schema: Schema
    counts: RowCounts
    labels: Labels
    n_stored: int
    sampled: Sampled | None
    skipped: tuple[Skipped, ...]
    set_aside: tuple[str, ...] = ()


def run_identity(table: RawTable, options: dict[str, str]) -> dict[str, Any]:
    """Return what tells a run from any other: its data, its options, and what computes it; JSON-able."""
    files = {file.path: [file.size, file.modified] for file in table.files}
    columns = {name: str(table.schema.field(name).type) for name in table.schema.names}
    versions = {name: version(name) for name in ("zeroloop", "numpy", "pyarrow")}
    return {"data": files or columns, "options": options, "versions": versions | {"machine": platform.machine()}}


def save_learned(checkpoint: Checkpoint, learned: Learned, compare: bool) -> None:
    """Keep what a scan learned; where `compare`, only if it is what is kept already.

    Raises:
        CheckpointError: when it is not.

    """
    record: dict[str, Any] = {
        "schema": asdict(learned.schema),
        "counts": asdict(learned.counts),
        "weights": learned.labels.weights.tolist(),
        "rows": list(learned.labels.rows),
        "n_stored": learned.n_stored,
        "skipped": [asdict(one) for one in learned.skipped],
        "set_aside": list(learned.set_aside),
    }
    arrays: dict[str, Any] = {}
    if learned.sampled is not None:
        sampled = learned.sampled
        record["sampled"] = {
            "fractions": list(sampled.fractions),
            "seed": sampled.seed,
            "n_coefs": sampled.block.n_coefs,
        }
        arrays = {"starts": np.array(sampled.starts, dtype=np.int64)} | _arrays(sampled.block)
        if sampled.block.sparse is not None:
            record["sampled"]["n_sparse"] = sampled.block.sparse.n_columns
    record = json.loads(json.dumps(record))
    kept = checkpoint.load(SCAN) if compare else None
    if kept is not None and kept[0] != record:
        raise CheckpointError(
            f"{checkpoint.folder}: the checkpoint is of other data: what a scan of the table finds is not what it "
            "found then. Name another folder, or remove this one to start anew."
        )
    checkpoint.save(SCAN, record, arrays)


def load_learned(checkpoint: Checkpoint) -> Learned | None:
    """Return what was kept; None where nothing was."""
    kept = checkpoint.load(SCAN)
    if kept is None:
        return None
    record, arrays = kept
    sampled = None
    if "sampled" in record:
        found = record["sampled"]
        sampled = Sampled(
            _block(arrays, found), tuple(found["fractions"]), tuple(arrays["starts"].tolist()), found["seed"]
        )
    return Learned(
        schema=as_record(Schema, record["schema"], "$.schema"),
        counts=RowCounts(**record["counts"]),
        labels=Labels(np.array(record["weights"]), tuple(record["rows"])),
        n_stored=record["n_stored"],
        sampled=sampled,
        skipped=tuple(Skipped(**one) for one in record["skipped"]),
        set_aside=tuple(record["set_aside"]),
    )


def _arrays(block: Block) -> dict[str, Any]:
    arrays = {
        "numeric": block.numeric,
        "codes": block.codes,
        "y": block.y,
        "weight": block.weight,
        "marks": block.marks,
        "rows": block.rows,
    }
    if block.sparse is not None:
        arrays |= dict(zip(SPARSE, block.sparse.compact().arrays, strict=True))
    return {name: array for name, array in arrays.items() if array is not None}


def _block(arrays: dict[str, Any], found: dict[str, Any]) -> Block:
    sparse = None
    if "n_sparse" in found:
        values, indices, start, stop = (arrays[name] for name in SPARSE)
        sparse = Sparse(
            values=values, indices=indices, start=start, stop=stop, n_rows=start.size, n_columns=found["n_sparse"]
        )
    return Block(
        numeric=arrays["numeric"],
        codes=arrays["codes"],
        n_coefs=found["n_coefs"],
        y=arrays["y"],
        weight=arrays.get("weight"),
        first_row=0,
        marks=arrays["marks"],
        sparse=sparse,
        rows=arrays["rows"],
    )
