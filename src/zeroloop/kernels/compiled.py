"""How this package compiles: Numba, no GIL, cached on disk where a folder can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

# For sums: may be reordered into vector lanes (the same lanes each time, so still the same bits). Not
# "nnan"/"ninf": an overflow must stay visible.
SUMS = frozenset({"reassoc", "contract", "nsz"})

# For scalar functions whose steps must stay in order (error-free reductions): fused multiply-add only.
EXACT = frozenset({"contract"})


def compiled(fastmath: frozenset[str]) -> Callable[[F], F]:
    """Compile a function with Numba on its first call with given types, GIL released."""

    def decorate(function: F) -> F:
        options: dict[str, Any] = {"nogil": True, "fastmath": set(fastmath), "error_model": "numpy"}
        try:
            return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
        except RuntimeError:  # no folder to cache in: compile anew in each process
            return numba.njit(**options)(function)  # type: ignore[no-any-return]

    return decorate
