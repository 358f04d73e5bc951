"""Whether data are Dask's: what is asked of arrays too, which read no table."""

from __future__ import annotations

from typing import Any


def is_dask(data: Any) -> bool:
    """Return whether something is one of Dask's collections."""
    return type(data).__module__.partition(".")[0] in ("dask", "dask_expr")
