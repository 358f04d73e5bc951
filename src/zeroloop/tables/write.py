"""Tables written: a file in one step, or a folder of them."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import pyarrow as pa

from zeroloop.errors import OutputError, first_line
from zeroloop.outputs import check_writable, is_stdout, replacing, stdout_of_bytes
from zeroloop.tables.columns import describe
from zeroloop.tables.stores import ask


def write_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    """Write record batches to `path`, Parquet or CSV by its ending, in bounded memory; to standard output as CSV.

    Raises:
        OutputError: for another ending, a column of a type that such files do not hold, or when the file cannot be
            written.

    """
    check_table_path(path)
    check_types(path, schema)
    with replacing(path) as file, _writer(path, file, schema) as writer:
        for batch in batches:
            try:
                writer.write_batch(batch)
            except pa.ArrowException as error:  # bytes that are no text, in a CSV file
                raise OutputError(
                    f"{path}: a {_ending(path)} file cannot hold a value ({first_line(error)})."
                ) from error


def check_types(path: Path, schema: pa.Schema) -> None:
    """Check that a file can hold columns of these types.

    Raises:
        OutputError: naming the first that it cannot.

    """
    for field in schema:
        one = pa.schema([field])
        try:
            with _writer(path, io.BytesIO(), one) as writer:
                for n in (0, 1):
                    writer.write_table(pa.Table.from_arrays([pa.nulls(n, field.type)], schema=one))
        except (pa.ArrowException, OSError) as error:  # in memory: Arrow says so of some decimals
            raise OutputError(
                f"{path}: column {field.name!r} holds {describe(field.type)}, which a {_ending(path)} file cannot hold "
                f"({first_line(error)}); leave it out of keep, or convert it."
            ) from error


@contextmanager
def replacing_folder(path: str) -> Iterator[str]:
    """Yield a new folder beside `path`; put it in `path`'s place once the block ends well, else remove it.

    A URI is yielded as it is: what it names must be empty or nothing, because few stores can rename.

    Raises:
        OutputError: when the folder cannot be made, or files would be lost.

    """
    if not path.lower().rstrip("/").endswith(".parquet"):
        raise OutputError(f"{path}: on a cluster predictions are a folder of Parquet files; name it NAME.parquet.")
    if "://" in path:
        if ask(path, _holds_files)[2]:
            raise OutputError(f"{path}: is there already; remove it, or name another.")
        yield path
        return
    folder = Path(path)
    if folder.is_file() or (folder.is_dir() and any(not _is_part(one) for one in folder.iterdir())):
        raise OutputError(f"{path}: holds other than predictions of a cluster; remove it, or name another.")
    check_writable(folder.parent / "_")
    # Seen by the workers of other users too, as `mkdtemp` would not let it be.
    new, old = (folder.parent / f".zeroloop-{uuid4().hex[:12]}.{what}" for what in ("tmp", "old"))
    try:
        new.mkdir()
        yield str(new)
        for left in new.iterdir():
            if not _is_part(left):  # of a worker that was killed while it wrote
                left.unlink(missing_ok=True)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _is_part(path: Path) -> bool:
    return path.name.startswith("part-") and path.suffix == ".parquet"


def _holds_files(filesystem: Any, place: str) -> bool:
    import pyarrow.fs as pafs

    info = filesystem.get_file_info(place)
    if info.type == pafs.FileType.NotFound:
        return False
    return info.is_file or bool(filesystem.get_file_info(pafs.FileSelector(place)))


def write_to_folder(batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: str, name: str) -> None:
    """Write record batches to a Parquet file in a folder or below a URI, which is there whole or not at all.

    Raises:
        OutputError: when the file cannot be written.

    """
    if "://" not in folder:
        write_batches(batches, schema, Path(folder, name))
        return
    import pyarrow.parquet as pq

    filesystem, place, _ = ask(folder, lambda store, place: store.create_dir(place))
    try:
        with filesystem.open_output_stream(f"{place}/{name}") as file, pq.ParquetWriter(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({first_line(error)}).") from error


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows, dictionaries of the same keys, to `path`, .parquet or .csv; an existing file is replaced in one step.

    Raises:
        OutputError: when the file cannot be written.

    """
    table = pa.Table.from_pylist(list(rows))
    write_batches(table.to_batches(), table.schema, path)


def check_table_path(path: Path) -> None:
    """Check that a table can be written at `path`.

    Raises:
        OutputError: saying why not.

    """
    if is_stdout(path):
        stdout_of_bytes()
        return
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise OutputError(f"{path}: a table is written as .parquet or .csv; name the file so.")
    check_writable(path)


def _writer(path: Path, file: IO[bytes], schema: pa.Schema) -> pa.csv.CSVWriter | pa.parquet.ParquetWriter:
    if _ending(path) == ".csv":
        import pyarrow.csv as csv

        return csv.CSVWriter(file, schema)
    import pyarrow.parquet as pq

    return pq.ParquetWriter(file, schema)


def _ending(path: Path) -> str:
    return ".csv" if is_stdout(path) else path.suffix.lower()
