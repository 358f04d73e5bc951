"""Rows kept while a table is scanned once, so that a sample by hash can be drawn of them afterwards without a pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import hash_of
from zeroloop.tables.columns import coded, positions
from zeroloop.tables.schema import Level

FEWEST_ROWS = 20_000  # of each class
ROWS_A_TERM = 50
SLACK = 2.5  # times as many rows as wanted are kept before half of them go
MERGED = 64  # parts before they are made one: a table has thousands of batches
ALL = 2**53  # one above every hash


@dataclass(frozen=True, slots=True)
class Drawn:
    """Training rows of one or more batches.

    Attributes:
        batch: the rows.
        rows: `(n,)` int64, as blocks count them: the first row of the batch, plus how many training rows of it are
            before.
        hashes: `(n,)` uint64, 53 bits, of those indices.
        labels: `(n,)`, the target's value, as an index into `levels`.
        levels: values of the target.
        starts: first row of each batch with training rows, drawn or not.

    """

    batch: pa.RecordBatch
    rows: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    labels: NDArray[np.int32]
    levels: tuple[Level, ...]
    starts: tuple[int, ...]


class Reservoir:
    """Rows of each class whose hashes are below a limit: every sample by that hash of few enough rows is among them.

    The limit of a class falls as its rows come. (Bottom-k sampling: Cohen and Kaplan, "Summarizing data using bottom-k
    sketches", PODC, 2007; with a limit instead of k rows, so that what is kept depends on no order.)
    """

    def __init__(self, target: str, seed: int) -> None:
        self.seed = seed
        self._target = target
        self._below: dict[Level, int] = {}
        self._counts = Counter[Level]()
        self._parts: list[Drawn] = []

    def draw(self, batch: pa.RecordBatch, training: NDArray[np.bool_], first_row: int) -> Drawn:
        """Return what may be kept of a batch; any thread may ask."""
        at = np.flatnonzero(training)
        rows = np.arange(first_row, first_row + at.size, dtype=np.int64)
        hashes = hash_of(rows, self.seed) >> np.uint64(11)
        codes, values = coded(batch[self._target])
        levels = tuple(values.to_pylist())
        labels = codes[at]
        kept = hashes < self._limits(levels)[labels] if levels else np.zeros(0, dtype=bool)
        return Drawn(
            batch.take(positions(at[kept])),
            rows[kept],
            hashes[kept],
            labels[kept],
            levels,
            (first_row,) * (at.size > 0),
        )

    def add(self, drawn: Drawn, n_terms: int) -> None:
        """Keep what was drawn of the next batch, given how many terms the table has as far as is known."""
        self._parts.append(self._within(drawn))
        self._counts.update(_counted(self._parts[-1]))
        most = SLACK * max(FEWEST_ROWS, ROWS_A_TERM * n_terms)
        full = {level for level, n in self._counts.items() if n > most}
        for level in full:
            self._below[level] = self._below.get(level, ALL) // 2
        if full:
            self._parts = [self._within(part) for part in self._parts]
            self._counts = Counter()
            for part in self._parts:
                self._counts.update(_counted(part))
        if len(self._parts) > MERGED and len(self._parts[-1].starts) == 1:
            several = [part for part in self._parts if len(part.starts) <= 1]
            if len(several) > MERGED:
                whole = [part for part in self._parts if len(part.starts) > 1]
                self._parts = [*whole, _merged(several)]

    def fraction(self, level: Level) -> float:
        """Return which share of a class's rows is here."""
        return self._below.get(level, ALL) / ALL

    def rows(self) -> Drawn | None:
        """Return all rows kept, in order; None where there are none."""
        return _merged(self._parts) if self._parts else None

    def _within(self, drawn: Drawn) -> Drawn:
        kept = drawn.hashes < self._limits(drawn.levels)[drawn.labels] if drawn.levels else np.zeros(0, dtype=bool)
        if np.all(kept):
            return drawn
        return Drawn(
            drawn.batch.take(positions(np.flatnonzero(kept))),
            drawn.rows[kept],
            drawn.hashes[kept],
            drawn.labels[kept],
            drawn.levels,
            drawn.starts,
        )

    def _limits(self, levels: Sequence[Level]) -> NDArray[np.uint64]:
        return np.array([self._below.get(level, ALL) for level in levels], dtype=np.uint64)


def _counted(drawn: Drawn) -> Counter[Level]:
    counts = np.bincount(drawn.labels, minlength=len(drawn.levels))
    return Counter({level: int(n) for level, n in zip(drawn.levels, counts, strict=True) if n > 0})


def _merged(parts: Sequence[Drawn]) -> Drawn:
    table = pa.concat_tables([pa.Table.from_batches([part.batch]) for part in parts], promote_options="permissive")
    levels = tuple(dict.fromkeys(level for part in parts for level in part.levels))
    place = {level: i for i, level in enumerate(levels)}
    labels = [
        np.array([place[level] for level in part.levels], np.int32)[part.labels] if part.levels else part.labels
        for part in parts
    ]
    batches = table.unify_dictionaries().combine_chunks().to_batches()
    return Drawn(
        batches[0] if batches else parts[0].batch,
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.hashes for part in parts]),
        np.concatenate(labels),
        levels,
        tuple(start for part in parts for start in part.starts),
    )
