"""libsvm (svmlight) files: `label index:value index:value ...` a row, as a table of a label and a sparse column."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from zeroloop.errors import BadFileError
from zeroloop.tables.files import File

LABEL, FEATURES = "label", "features"
SCHEMA = pa.schema([(LABEL, pa.float64()), (FEATURES, pa.map_(pa.int32(), pa.float64()))])
CHUNK_BYTES = 2**24  # of text, parsed at once


def svmlight_batches(file: File, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield a file's rows with the named columns, and how many bytes have been read.

    An index is what the file calls it, 0 or 1 the first.

    Raises:
        BadFileError: for a line that is none of a libsvm file.

    """
    with file.open() as source, file.unpacked(source) as stream:
        for batch in _batches(stream, file.path):
            yield batch.select(list(columns)), source.tell()


def _batches(stream: pa.NativeFile, path: str) -> Iterator[pa.RecordBatch]:
    from sklearn.datasets import load_svmlight_file

    text = io.BufferedReader(stream)
    while chunk := text.read(CHUNK_BYTES):
        chunk += text.readline()
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
            yield pa.record_batch([pa.array(y), rows], schema=SCHEMA)
