"""A source that is another one, seen in some way: as many rows, the same columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from zeroloop.blocks import Source

Below = TypeVar("Below", bound=Source)


@dataclass(frozen=True, slots=True)
class Over(Generic[Below]):
    """Has the sizes of the source it is over.

    Attributes:
        source: the other one.

    """

    source: Below

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.source.n_rows

    @property
    def n_coefs(self) -> int:
        """Number of coefficients, intercept included."""
        return self.source.n_coefs

    @property
    def n_numeric(self) -> int:
        """Number of numeric columns."""
        return self.source.n_numeric

    @property
    def n_codes(self) -> int:
        """Number of columns of codes."""
        return self.source.n_codes

    @property
    def n_stored(self) -> int:
        """Number of values stored in sparse columns."""
        return self.source.n_stored
