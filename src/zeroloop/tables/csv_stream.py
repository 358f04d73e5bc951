"""A CSV file as a stream that pyarrow reads: unpacked, as UTF-8, without comments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.csv as pacsv

from zeroloop.errors import BadFileError
from zeroloop.tables.csv_columns import CsvColumns
from zeroloop.tables.csv_dialect import Dialect, is_comment
from zeroloop.tables.csv_filters import Filtered, Tail
from zeroloop.tables.files import File
from zeroloop.tables.missing_words import Words
from zeroloop.tables.text_encoding import UTF8

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a file is read.

    Attributes:
        dialect: how it is written.
        columns: what they hold.
        words: that stand for missing values.
        open_end: whether its last bytes have not been looked at, since they are packed.

    """

    dialect: Dialect
    columns: CsvColumns
    words: Words
    open_end: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A CSV file being read, and the file below it, whose position says how far."""

    reader: pacsv.CSVStreamingReader
    source: pa.NativeFile


@contextmanager
def open_csv(
    file: File,
    plan: Plan,
    types: Mapping[str, pa.DataType],
    columns: list[str] | None,
    *,
    block_bytes: int = BLOCK_BYTES,
    threads: bool = True,
    verbatim: bool = False,
    tail: Tail | None = None,
    on_bad_row: Callable[[pacsv.InvalidRow], object] | None = None,
) -> Iterator[Opened]:
    """Open a file as record batches.

    Args:
        file: which.
        plan: how it is written.
        types: of its columns; pyarrow finds all where there are none.
        columns: those to read; None for all.
        block_bytes: bytes that are read at once.
        threads: whether to parse on several.
        verbatim: whether an empty field alone, without quotes, is missing.
        tail: keeps the file's last bytes.
        on_bad_row: told of the first row with more or fewer values than there are names.

    """
    dialect = plan.dialect

    def bad_row(row: pacsv.InvalidRow) -> str:
        if dialect.hashes and is_comment(row.text, row.actual_columns, row.expected_columns):
            return "skip"
        if on_bad_row is not None:
            on_bad_row(row)
        return "error"

    try:
        with (
            file.open() as source,
            file.unpacked(source) as plain,
            pacsv.open_csv(
                _table(plain, dialect, tail),
                read_options=pacsv.ReadOptions(
                    block_size=block_bytes,
                    use_threads=threads,
                    column_names=list(dialect.names),
                    skip_rows=dialect.first_line,
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=dialect.delimiter,
                    quote_char=dialect.quote or False,
                    escape_char="\\" if dialect.escapes == "all" else False,
                    newlines_in_values=True,
                    invalid_row_handler=bad_row,
                ),
                # Text that is missing is told apart afterwards, when it has lost the blanks around it.
                convert_options=pacsv.ConvertOptions(
                    column_types=dict(types),
                    include_columns=columns,
                    strings_can_be_null=not types or verbatim,
                    quoted_strings_can_be_null=not verbatim,
                    null_values=[""] if verbatim else list(plan.words.numbers if types else plan.words.text),
                ),
            ) as reader,
        ):
            yield Opened(reader, source)
    except UnicodeDecodeError as error:
        raise BadFileError(
            file.path,
            f"text in it is not in the encoding {dialect.encoding}, as all before is ({error.reason}); save the file "
            "as UTF-8, or name its --encoding.",
        ) from error


@contextmanager
def open_lines(file: File, dialect: Dialect) -> Iterator[pa.NativeFile]:
    """Open a file as UTF-8, as it stands."""
    with file.open() as source, file.unpacked(source) as plain:
        yield _table(plain, replace(dialect, comment="", loose=False, escapes=""))


def _table(stream: pa.NativeFile, dialect: Dialect, tail: Tail | None = None) -> pa.NativeFile:
    """Return a stream as UTF-8 without what is no part of the table or of its values."""
    ending = [*([] if tail is None else [tail]), *dialect.ending]
    if ending:
        stream = pa.PythonFile(Filtered(stream, ending), mode="r")
    if dialect.encoding not in UTF8:
        stream = pa.transcoding_input_stream(stream, dialect.encoding, "utf-8")
    return pa.PythonFile(Filtered(stream, dialect.filters), mode="r") if dialect.filters else stream
