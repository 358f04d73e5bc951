"""How a CSV file is written: encoding, delimiter and quotes, where its table begins, what its columns are called.

Each of these is found in the file's head, or given. The delimiter is that of which the lines have equally many, where
there is just one such; else clevercsv's (van den Burg, Nazábal and Sutton, "Wrangling messy CSV files by detecting row
and type patterns", Data Mining and Knowledge Discovery, 2019). The encoding of a file that is no UTF-8 is
charset-normalizer's where it finds another alphabet, else Windows-1252, which holds Latin-1.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from zeroloop.csv_options import CsvOptions
from zeroloop.errors import BadFileError
from zeroloop.tables.csv_comments import without_comments
from zeroloop.tables.csv_header import find_header, width_of
from zeroloop.tables.missing_words import missing_words
from zeroloop.tables.text_encoding import find_encoding

DELIMITERS = (",", ";", "\t", "|")
MOST_LINES = 100  # that clevercsv looks at: its time grows with them
STEADY = 0.9  # of the lines: the others are titles, footers and damage
MOST_ROWS = 1_000  # looked at for the header


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        encoding: of its characters.
        delimiter, quote: between values, and around them; no quote is empty.
        comment: begins lines that are left out; empty for none.
        hashes: whether lines are left out that begin with # and have fewer values than a row.
        first_line: lines above the first row of values, the header among them.
        names: of its columns.
        unnamed: those of the names that the file does not give.
        row_names: whether the first column holds names of rows: the header, as R writes it, is one name short.
        said: what a reader should know of it, in words.

    """

    encoding: str
    delimiter: str
    quote: str
    comment: str
    hashes: bool
    first_line: int
    names: tuple[str, ...]
    unnamed: frozenset[str]
    row_names: bool
    said: tuple[str, ...]


def find_dialect(path: str, head: bytes, whole: bool, options: CsvOptions) -> Dialect:
    """Return how a file is written.

    Args:
        path: of the file, for messages.
        head: its first bytes, decompressed.
        whole: whether these are all of them.
        options: what is known of it.

    Raises:
        BadFileError: for a file without a row of values, whose encoding is another than the one given, or whose header
            has too few names.

    """
    encoding, words = find_encoding(head, options.encoding, whole)
    said = [] if words is None else [words]
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head, False).removeprefix("\ufeff")
    except UnicodeError as error:
        raise BadFileError(
            path, f"it is not in the encoding {encoding} ({error}); name another, or none to have it found."
        ) from error
    lines = list(io.StringIO(text, newline=""))
    if not whole and len(lines) > 1:
        text = text.removesuffix(lines.pop())  # cut
    skip = options.skip or 0
    delimiter = options.delimiter
    if options.skip is None and lines and (match := re.match(r'^"?sep=(.)"?\s*$', lines[0])):
        delimiter, skip = delimiter or match.group(1), 1
    mark = "#" if options.comment is None else options.comment
    every = [line for line in lines[skip:] if line.strip()]
    values = [line for line in every if not (mark and line.startswith(mark))]
    if options.comment is None and 2 * len(values) < len(every):
        values = every  # rows that begin with #, or next to none
    if not values:
        reason = "the file has no table below its titles." if text.strip() else "the file is empty."
        raise BadFileError(path, reason)
    delimiter, quote = _delimiter(values, delimiter)
    rows, _ = read_rows(values[:MOST_ROWS], delimiter, quote)
    width = width_of(rows)
    if options.comment:
        lines = list(io.StringIO(without_comments(text, mark, quote), newline=""))
    rows, ends = read_rows(lines[skip : skip + MOST_ROWS], delimiter, quote)
    if options.comment is None:
        kept = [i for i, row in enumerate(rows) if not is_comment(row[0], len(row), width)]
        rows, ends = [rows[i] for i in kept], [ends[i] for i in kept]
    header = find_header(
        path,
        rows,
        ends,
        width,
        missing=missing_words(options.na, options.not_na).numbers,
        given=options.header,
        titles=options.skip is None,
    )
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        comment=options.comment or "",
        hashes=options.comment is None,
        first_line=skip + header.first_line,
        names=header.names,
        unnamed=header.unnamed,
        row_names=header.row_names,
        said=(*said, *header.said),
    )


def is_comment(text: str, n_values: int, width: int) -> bool:
    """Return whether a row is a comment that nobody spoke of, by how it begins and how many values it has."""
    return text.startswith("#") and n_values < width


def _delimiter(lines: Sequence[str], given: str | None) -> tuple[str, str]:
    """Return the delimiter and the quote."""
    quote = '"'
    if given is not None:
        return given, quote
    some = list(lines[:MOST_LINES])
    text = "".join(some)
    begins = {mark: at for mark in DELIMITERS if (at := _steady_from(some, mark)) is not None}
    # A header has seldom as many decimal marks as its rows.
    steady = [mark for mark in begins if begins[mark] == min(begins.values())]
    if len(steady) == 1 and not _begins_values(text, steady[0], "'"):
        return steady[0], quote
    if not any(mark in text for mark in (*DELIMITERS, " ", ":")):
        return ",", quote  # a single column
    import clevercsv

    try:
        found = clevercsv.Sniffer().sniff(text, delimiters=[*DELIMITERS, " ", ":"])
    except clevercsv.Error:
        found = None
    if found is None or not found.delimiter:
        return (steady[0] if steady else max(DELIMITERS, key=some[0].count)), quote
    other = found.quotechar if found.quotechar and _begins_values(text, found.delimiter, found.quotechar) else quote
    return found.delimiter, other


def _begins_values(text: str, delimiter: str, quote: str) -> bool:
    """Return whether some value begins with a quote: apostrophes between thousands or letters are none."""
    return re.search(rf"(?m)(?:^|{re.escape(delimiter)}){re.escape(quote)}", text) is not None


def _steady_from(lines: Sequence[str], mark: str) -> int | None:
    """Return from which line on nearly all have equally many values, more than one, between such delimiters."""
    try:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
    except csv.Error:
        return None
    most = Counter(counts).most_common(1)[0][0]
    begin = counts.index(most)
    return begin if most > 1 and counts.count(most) >= STEADY * (len(counts) - begin) else None


def read_rows(lines: Sequence[str], delimiter: str, quote: str) -> tuple[list[list[str]], list[int]]:
    """Return the rows that lines hold, empty lines apart, and after how many lines each ends."""
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        skipinitialspace=delimiter == " ",
    )
    rows, ends = [], []
    try:
        for row in reader:
            if any(row) or len(row) > 1:
                rows.append(row)
                ends.append(reader.line_num)
    except csv.Error:
        pass  # the last one may be cut, and what is wrong in others is said when they are read
    return rows, ends
