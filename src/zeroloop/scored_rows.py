"""Rows with their predictor, and what was odd about them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.errors import ZeroloopWarning
from zeroloop.plain_text import number_of
from zeroloop.tables.encode import Encoded, Surprises


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch of rows with its predictor.

    Attributes:
        batch: the rows as read.
        encoded: as a block.
        z: linear predictor, `(rows,)`, or `(n_classes, rows)` of more than two; NaN where a row is incomplete and the
            model was trained on complete rows.
        std_err: standard error of the predictor, or of the logit of each class's probability, as `z`; NaN where there
            is no finite one. None where it was not asked for.

    """

    batch: pa.RecordBatch
    encoded: Encoded
    z: FloatArray
    std_err: FloatArray | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a predictor, `(rows,)`."""
        return ~np.isnan(self.z if self.z.ndim == 1 else self.z[0])


@dataclass(slots=True)
class Tally:
    """What was odd about rows that were scored; addable.

    Attributes:
        rows: how many.
        incomplete: of them, how many have no predictor.
        surprises: what training never met.

    """

    rows: int = 0
    incomplete: int = 0
    surprises: Surprises = field(default_factory=Surprises)

    def __add__(self, other: Self) -> Tally:
        return Tally(self.rows + other.rows, self.incomplete + other.incomplete, self.surprises + other.surprises)

    def warn(self, of_model: Sequence[str]) -> None:
        """Say it, each in a warning, and what is to be said of the model whatever the rows."""
        sentence = self.surprises.sentence()
        for said in (*([sentence] if sentence else []), *of_model):
            warnings.warn(said, ZeroloopWarning, stacklevel=4)
        if self.incomplete:
            warnings.warn(
                f"{self.incomplete:,} of {number_of(self.rows, 'row')} "
                + ("has a missing value and gets" if self.incomplete == 1 else "have a missing value and get")
                + " no prediction: the model was trained on complete rows (missing='drop').",
                ZeroloopWarning,
                stacklevel=4,
            )
