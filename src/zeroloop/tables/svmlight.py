"""libsvm (svmlight) files: `label index:value index:value ...` a row, as a table of a label and a sparse column."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from zeroloop.errors import BadFileError

SUFFIXES = (".svm", ".libsvm", ".svmlight", ".svm.gz", ".libsvm.gz", ".svmlight.gz", ".svm.bz2", ".libsvm.bz2")
LABEL, FEATURES = "label", "features"
SCHEMA = pa.schema([(LABEL, pa.float64()), (FEATURES, pa.map_(pa.int32(), pa.float64()))])
CHUNK_BYTES = 2**24  # of text, parsed at once


def is_svmlight(path: str) -> bool:
    """Return whether a file is named as a libsvm file is."""
    return path.lower().endswith(SUFFIXES)


def svmlight_batches(stream: Any, path: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield a file's rows; an index is what the file calls it, 0 or 1 the first.

    Args:
        stream: the file, opened for reading.
        path: its name, for messages, and for how it is compressed.
        columns: those wanted.

    Raises:
        BadFileError: for a line that is none of a libsvm file.

    """
    from sklearn.datasets import load_svmlight_file

    lower = path.lower()
    text = gzip.GzipFile(fileobj=stream) if lower.endswith(".gz") else stream
    text = bz2.BZ2File(stream) if lower.endswith(".bz2") else text
    while chunk := _lines(text, path):
        try:
            X, y = load_svmlight_file(io.BytesIO(chunk), zero_based=True)
        except ValueError as error:
            raise BadFileError(
                path,
                "no libsvm file, whose lines are `label index:value index:value ...`, the indices whole "
                f"numbers in increasing order ({str(error).splitlines()[0]}).",
            ) from error
        except OverflowError as error:
            raise BadFileError(
                path,
                f"an index is above {np.iinfo(np.int32).max:,}, the largest that a libsvm file may have; renumber it.",
            ) from error
        if X.shape[0] > 0:
            rows = pa.MapArray.from_arrays(X.indptr.astype(np.int32), X.indices.astype(np.int32), X.data)
            yield pa.record_batch([pa.array(y), rows], schema=SCHEMA).select(list(columns))


def _lines(text: Any, path: str) -> bytes:
    """Return about `CHUNK_BYTES` of whole lines; nothing at the end."""
    try:
        chunk: bytes = text.read(CHUNK_BYTES)
        return chunk + bytes(text.readline())
    except (EOFError, zlib.error) as error:
        raise BadFileError(path, f"the file is damaged or cut short ({error}).") from error
