"""What of machines a table's rows may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zeroloop.csv_options import AS_FOUND, CsvOptions
from zeroloop.progress import Progress, unheard

NO_SPILL = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """How a table's rows are read and kept.

    Attributes:
        threads: None for every core.
        memory: bytes that may be filled with rows, or text such as "4GiB"; None for half of what there is.
        spill: the folder to keep in a file what does not fit; "none" to decode it again in each pass; None for the
            system's.
        skip_bad_files: whether files that cannot be read are left out.
        progress: told how the work goes on.
        csv: what is said of how its files are written, and which words are missing values.
        scheduler: of a Dask cluster whose workers read and keep the rows, each with so much memory and such a spill
            folder: its address or a client; None for this process.

    """

    threads: int | None = None
    memory: str | int | None = None
    spill: str | None = None
    skip_bad_files: bool = False
    progress: Progress = unheard
    csv: CsvOptions = AS_FOUND
    scheduler: Any = None
