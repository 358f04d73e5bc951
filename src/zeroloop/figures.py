"""Figures as text, and a table of them that shows itself and goes to other libraries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from zeroloop.plain_text import number_of, plain

SMALLEST_P = 1e-300
MOST_SHOWN = 60  # rows, where a table is looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A table as text, to be shown.

    Attributes:
        caption: above it; may be empty.
        header: titles of its columns.
        words: which of these hold words; the others hold figures.
        rows: those that are shown.
        n_rows: how many there are.

    """

    caption: str
    header: Sequence[str]
    words: Sequence[bool]
    rows: Sequence[Sequence[str]]
    n_rows: int

    def lines(self) -> list[str]:
        """Return it as lines, without the caption: columns of words to the left, figures to the right."""
        widths = [max(len(row[i]) for row in (self.header, *self.rows)) for i in range(len(self.header))]
        lines = []
        for row in (self.header, *self.rows):
            cells = zip(row, widths, self.words, strict=True)
            lines.append("  ".join(text.ljust(n) if left else text.rjust(n) for text, n, left in cells).rstrip())
        more = self.n_rows - len(self.rows)
        return lines + [f"({number_of(more, 'more row')})"] * (more > 0)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Figures:
    """A table of figures, a row a term.

    It shows itself as a table. pandas, polars, DuckDB and pyarrow take it as it is (by Arrow's PyCapsule interface),
    and all that a pyarrow Table has, it has too: `to_pylist()`, `to_pandas()`, `figures["p"]`.

    Attributes:
        arrow: the pyarrow Table.

    Examples:
        >>> import pyarrow as pa
        >>> Figures(pa.table({"term": ["hour", "dest=LAX"], "coef": [0.116, None], "p": [1e-9, None]}))
        term       coef        p
        hour      0.116  1.0e-09
        dest=LAX

    """

    arrow: pa.Table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.arrow.__arrow_c_stream__(requested_schema)

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        return self.arrow.__dataframe__(nan_as_null, allow_copy)

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __getitem__(self, column: str) -> pa.ChunkedArray:
        return self.arrow[column]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "arrow":  # asked for before there is a table, as when one is unpickled
            raise AttributeError(name)
        return getattr(self.arrow, name)

    def equals(self, other: Figures | pa.Table) -> bool:
        """Return whether another table holds the same."""
        return bool(self.arrow.equals(other.arrow if isinstance(other, Figures) else other))

    def __repr__(self) -> str:
        return "\n".join(map(plain, self._listing().lines()))

    def _repr_html_(self) -> str:
        from zeroloop.report.cards import card  # loads what fills templates

        return card(tables=[self._listing()])

    def _listing(self) -> Listing:
        shown = self.arrow.slice(0, MOST_SHOWN).to_pylist()
        return Listing(
            caption="",
            header=self.arrow.column_names,
            words=[pa.types.is_string(one.type) for one in self.arrow.schema],
            rows=[[_text(name, value) for name, value in row.items()] for row in shown],
            n_rows=len(self),
        )


def p_text(p: float) -> str:
    """Return a p-value as text."""
    if math.isnan(p):
        return "-"
    return f"<{SMALLEST_P:.0e}" if p < SMALLEST_P else f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def ratio_text(ratio: float) -> str:
    """Return an odds ratio as text."""
    return f"{ratio:.4g}"


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return p_text(value) if name == "p" else f"{value:.6g}"
    return str(value)
