"""Which twin of the statistics runs: compiled, or NumPy for small data; and what is compiled only, loaded late."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from zeroloop.blocks import MOST_BLOCK_ROWS
from zeroloop.kernels import few, small
from zeroloop.sparse import Pointers

# Up to here all passes of a fit in NumPy take some 20 ms, where loading the compiled kernels from their cache takes
# 800 ms, and compiling them for the first time half a minute.
SMALL_VALUES = 250_000

# With fewer rows than columns a fit is made in the rows' space: it takes few passes, and matrix products do.
MOST_WIDE_ROWS = 2_000
WIDE_VALUES = 5_000_000


def is_small(n_rows: int, n_coefs: int) -> bool:
    """Return whether rows are so few that NumPy serves them; it depends on the shape alone.

    So the same fit gives the same bits whatever ran before it.
    """
    wide = n_rows <= min(MOST_WIDE_ROWS, n_coefs) and n_rows * n_coefs <= WIDE_VALUES
    return wide or (n_rows < MOST_BLOCK_ROWS and n_rows * n_coefs <= SMALL_VALUES)


def statistics(n_rows: int, n_coefs: int) -> ModuleType:
    """Return the module of statistics for so many rows: `zeroloop.kernels.small` or `zeroloop.kernels.sweep`."""
    return small if is_small(n_rows, n_coefs) else import_module("zeroloop.kernels.sweep")  # late: it loads Numba


def columns_kernels(n_rows: int, n_coefs: int) -> ModuleType:
    """Return the module that solves for some columns: `zeroloop.kernels.few` or `zeroloop.kernels.columns`."""
    return few if is_small(n_rows, n_coefs) else import_module("zeroloop.kernels.columns")


def columns_split(indices: NDArray[Any], indptr: Pointers, bounds: Pointers) -> Pointers:
    """Return where in each column of a CSC matrix the rows of each block begin; see `kernels.sparse.split_columns`."""
    places: Pointers = import_module("zeroloop.kernels.sparse").split_columns(indices, indptr, bounds)
    return places
