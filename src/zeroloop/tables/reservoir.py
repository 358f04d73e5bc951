"""Rows kept while a table is scanned once, so that a sample by hash can be drawn of them afterwards without a pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zeroloop import core
from zeroloop.blocks import SAMPLING, hash_kept, positions_of
from zeroloop.tables.draft import Draft, join
from zeroloop.tables.schema import Level

SLACK = 2.5  # times as many rows as wanted are kept before half of them go
ALL = 2**53  # one above every hash


@dataclass(frozen=True, slots=True)
class Drawn:
    """Training rows of one or more batches.

    Attributes:
        rows: the rows.
        at: `(n,)` int64, their indices in the table.
        hashes: `(n,)` uint64, 53 bits, of those indices.

    """

    rows: Draft
    at: NDArray[np.int64]
    hashes: NDArray[np.uint64]


class Reservoir:
    """Rows of each class whose hashes are below a limit: every sample by that hash of few enough rows is among them.

    The limit of a class falls as its rows come. (Bottom-k sampling: Cohen and Kaplan, "Summarizing data using bottom-k
    sketches", PODC, 2007; with a limit instead of k rows, so that what is kept depends on no order.)
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.starts: list[int] = []  # first row of each batch with training rows, drawn or not
        self._below = np.full(8, ALL, np.uint64)  # by the number of the row's class; grows with it
        self._counts = np.zeros(8, np.int64)
        self._parts: list[Drawn] = []

    def add(self, training: Draft, n_classes: int, wanted: int) -> None:
        """Keep some of the next batch's rows, given how many classes there are, and rows of each are wanted."""
        if training.n_rows == 0:
            return
        assert training.labels is not None
        self.starts.append(training.first_row)
        while n_classes > self._below.size:
            self._below = np.append(self._below, np.full_like(self._below, ALL))
            self._counts = np.append(self._counts, np.zeros_like(self._counts))
        hashes = hash_kept(training.first_row, training.n_rows, training.kept, self.seed + SAMPLING)
        picked = np.empty(training.n_rows, np.int64)
        positions = picked[: core.pick(hashes, training.labels, self._below, picked)]
        within = positions if training.kept is None else positions_of(training.kept)[positions]
        at = training.first_row + within
        self._keep(Drawn(training.take(positions), at, hashes[positions] >> np.uint64(11)))
        full = self._counts > SLACK * wanted
        if np.any(full):
            self._below[full] -= self._below[full] // np.uint64(2)
            parts, self._parts = self._parts, []
            self._counts[:] = 0
            for part in parts:
                self._keep(self._within(part))

    def fractions(self, numbers: dict[Level, int], levels: Sequence[Level]) -> tuple[float, ...]:
        """Return which share of each class's rows is here, given the classes' numbers."""
        return tuple(float(self._below[numbers[level]]) / ALL if level in numbers else 1.0 for level in levels)

    def drawn(self) -> Drawn | None:
        """Return all rows kept, in order; None where there are none, or they do not lie alike."""
        if len({part.rows.layout for part in self._parts}) != 1:
            return None
        return _merged(self._parts)

    def _keep(self, drawn: Drawn) -> None:
        assert drawn.rows.labels is not None
        self._counts += np.bincount(drawn.rows.labels, minlength=self._counts.size)
        self._parts.append(drawn)
        # Parts of about one size are joined, so that there are few and each row is copied few times.
        while len(self._parts) > 1:
            before, last = self._parts[-2:]
            if before.at.size > 2 * last.at.size or before.rows.layout != last.rows.layout:
                break
            self._parts[-2:] = [_merged([before, last])]

    def _within(self, drawn: Drawn) -> Drawn:
        assert drawn.rows.labels is not None
        kept = np.flatnonzero(drawn.hashes < self._below[drawn.rows.labels])
        if kept.size == drawn.at.size:
            return drawn
        return Drawn(drawn.rows.take(kept), drawn.at[kept], drawn.hashes[kept])


def _merged(parts: Sequence[Drawn]) -> Drawn:
    if len(parts) == 1:
        return parts[0]
    return Drawn(
        join([part.rows for part in parts]),
        np.concatenate([part.at for part in parts]),
        np.concatenate([part.hashes for part in parts]),
    )
