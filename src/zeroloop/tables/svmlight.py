"""libsvm (svmlight) files: `label index:value index:value ...` a row, as a table of a label and a sparse column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from zeroloop.errors import DataError

SUFFIXES = (".svm", ".libsvm", ".svmlight", ".svm.gz", ".libsvm.gz", ".svmlight.gz", ".svm.bz2", ".libsvm.bz2")
LABEL, FEATURES = "label", "features"
SCHEMA = pa.schema([(LABEL, pa.float64()), (FEATURES, pa.map_(pa.int32(), pa.float64()))])
CHUNK_BYTES = 2**27  # of a file that is not compressed, parsed at once


def is_svmlight(path: Path) -> bool:
    """Return whether a file is named as a libsvm file is."""
    return path.name.lower().endswith(SUFFIXES)


def svmlight_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield a file's rows; an index is what the file calls it, 0 or 1 the first.

    Raises:
        DataError: for a line that is none of a libsvm file.

    """
    from sklearn.datasets import load_svmlight_file

    compressed = path.suffix.lower() in (".gz", ".bz2")
    size = path.stat().st_size
    for offset in range(0, size, size if compressed else CHUNK_BYTES):
        part = {} if compressed else {"offset": offset, "length": CHUNK_BYTES, "n_features": 2**31 - 1}
        try:
            X, y = load_svmlight_file(str(path), zero_based=True, **part)
        except ValueError as error:
            raise DataError(
                f"{path}: no libsvm file, whose lines are `label index:value index:value ...`, the indices whole "
                f"numbers in increasing order ({str(error).splitlines()[0]})."
            ) from error
        if X.shape[0] > 0:
            rows = pa.MapArray.from_arrays(X.indptr.astype(np.int32), X.indices.astype(np.int32), X.data)
            yield pa.record_batch([pa.array(y), rows], schema=SCHEMA).select(list(columns))
