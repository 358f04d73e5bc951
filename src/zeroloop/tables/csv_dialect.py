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

from zeroloop.errors import BadFileError, OptionError
from zeroloop.tables.written_numbers import Mark

DELIMITERS = (",", ";", "\t", "|")
MOST_LINES = 100  # looked at: clevercsv's time grows with them
MOST_TITLES = 20  # lines above a table
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UTF8 = ("utf-8", "utf-8-sig", "ascii")
WESTERN = "cp1252"
OTHER_ALPHABETS = ("cp1251", "cp1253", "cp1255", "cp1256", "koi8_r", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr")
NUMBER = re.compile(r"^\s*[+-]?[$€£]?\s?(\d[\d.,' ]*|[.,]\d+)([eE][+-]?\d+)?\s?%?\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """What is said of CSV files by whoever has them; None for what is to be found.

    Attributes:
        encoding: a name that Python knows, such as "latin-1".
        delimiter: one character between two values.
        decimal: the decimal mark.
        header: whether the first line holds names; False names the columns column1, column2, ...
        skip: lines above the header.
        comment: begins lines to leave out; empty for none.
        categorical: columns to read as text unless all of their values are whole numbers, written as such.
        text: columns to read as text whatever they hold.
        na: words that stand for a missing value, besides those known.
        not_na: words that do not.
        verbatim: whether columns are read as their characters stand there, an empty field alone as missing.

    Raises:
        OptionError: for an encoding that Python does not know, or a delimiter that is no single character.

    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: Mark | None = None
    header: bool | None = None
    skip: int | None = None
    comment: str | None = None
    categorical: frozenset[str] = frozenset()
    text: frozenset[str] = frozenset()
    na: frozenset[str] = frozenset()
    not_na: frozenset[str] = frozenset()
    verbatim: bool = False

    def __post_init__(self) -> None:
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise OptionError(
                    f"encoding is {self.encoding!r}, which is not known; use utf-8, utf-16, cp1252 or the like."
                ) from None
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '\r\n"'):
            raise OptionError(f"delimiter is {self.delimiter!r}; it must be one character, such as ';' or a tab.")
        if self.decimal not in (None, ".", ","):
            raise OptionError(f"decimal is {self.decimal!r}; it must be '.' or ','.")
        if self.skip is not None and self.skip < 0:
            raise OptionError(f"skip is {self.skip}; it must be at least 0.")
        if self.comment is not None and len(self.comment) > 1:
            raise OptionError(f"comment is {self.comment!r}; it must be one character, such as '#', or empty for none.")


AS_FOUND = CsvOptions()
"""Nothing is said: all is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        encoding: of its characters.
        delimiter, quote: between values, and around them; no quote is empty.
        first_line: lines above the first row of values, the header among them.
        names: of its columns.
        unnamed: those of the names that the file does not give.
        row_names: whether the first column holds names of rows: the header, as R writes it, is one name short.
        comment: begins lines to leave out; empty for none.
        sample: rows of the file's head, of as many values as there are names.
        said: what a reader should know of it, in words.

    """

    encoding: str
    delimiter: str
    quote: str
    first_line: int
    names: tuple[str, ...]
    unnamed: frozenset[str]
    row_names: bool
    comment: str
    sample: tuple[tuple[str, ...], ...]
    said: tuple[str, ...]


def is_wide_text(head: bytes) -> bool:
    """Return whether bytes are text of two or four bytes a character, as Excel's "Unicode text" is."""
    return any(head.startswith(mark) for mark, name in BOMS if name != "utf-8-sig") or _has_empty_halves(head)


def _has_empty_halves(head: bytes) -> bool:
    """Return whether nearly every second byte is 0, as of Latin letters in UTF-16, and the others are characters."""
    even, odd = head[0::2], head[1::2]
    return any(a.count(0) > 0.9 * len(a) and b.count(0) == 0 for a, b in ((even, odd), (odd, even)) if len(a) > 1)


def find_encoding(head: bytes, given: str | None, whole: bool) -> tuple[str, str | None]:
    """Return a file's encoding, and what is to be said of it.

    Args:
        head: the file's first bytes.
        given: the encoding, where it is known.
        whole: whether these are all of its bytes; else the last character may be cut.

    """
    if given is not None:
        return given, None
    for mark, name in BOMS:
        if head.startswith(mark):
            return name, None
    if _has_empty_halves(head):  # which of them tells the order of bytes
        big = head[0::2].count(0) > head[1::2].count(0)
        return ("utf-16-be" if big else "utf-16-le"), None
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head, whole)
    except UnicodeDecodeError:
        return guessed_encoding(head)
    return "utf-8", None


def guessed_encoding(content: bytes) -> tuple[str, str]:
    """Return the encoding of bytes that are no UTF-8, and the words for it."""
    from charset_normalizer import from_bytes

    # What is not ASCII decides; a million digits around it would only take time.
    lines = [line for line in content.splitlines() if not line.isascii()][:200]
    best = from_bytes(b"\n".join(lines), cp_isolation=[WESTERN, *OTHER_ALPHABETS]).best()
    encoding = WESTERN if best is None else best.encoding
    try:
        content.decode(encoding)
    except UnicodeDecodeError:  # a byte that Windows-1252 leaves open, or a cut character
        encoding = "latin-1" if encoding == WESTERN else encoding
    return encoding, f"it is no UTF-8 and is read as {encoding}; save the file as UTF-8 if characters come out wrong"


def find_dialect(path: str, head: bytes, whole: bool, options: CsvOptions) -> Dialect:
    """Return how a file is written.

    Args:
        path: of the file, for messages.
        head: its first bytes, decompressed.
        whole: whether these are all of them.
        options: what is known of it.

    Raises:
        BadFileError: for a file without a row of values, or whose encoding is another than the one given.

    """
    said = []
    encoding, words = find_encoding(head, options.encoding, whole)
    if words is not None:
        said.append(words)
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head, False).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise BadFileError(path, f"it is not in the encoding {encoding} ({error}); name the right one.") from error
    lines = text.splitlines(keepends=True)
    if not whole and len(lines) > 1:
        lines.pop()  # cut
    skip = options.skip or 0
    delimiter = options.delimiter
    if options.skip is None and lines and (match := re.match(r'^"?sep=(.)"?\s*$', lines[0])):
        delimiter, skip = delimiter or match.group(1), 1
    comment = options.comment
    titles = 0
    while skip + titles < len(lines) and (
        not lines[skip + titles].strip()
        or (comment is None and lines[skip + titles].startswith("#") and _is_comment(lines[skip + titles :]))
        or (bool(comment) and lines[skip + titles].startswith(str(comment)))
    ):
        if comment is None and lines[skip + titles].startswith("#"):
            comment = "#"
        titles += 1
    skip += titles
    body = [line for line in lines[skip:] if not (comment and line.startswith(comment))]
    if not body:
        reason = "the file has no table below its titles." if text.strip() else "the file is empty."
        raise BadFileError(path, reason)
    delimiter, quote = _delimiter(body, delimiter)
    rows, ends = _rows(body[: 10 * MOST_LINES] if len(body) > 10 * MOST_LINES else body, delimiter, quote)
    width = _width(rows)
    if options.skip is None:
        above = next((i for i, row in enumerate(rows[:MOST_TITLES]) if _fits(row, width, rows[i + 1 :])), 0)
        if above:
            last = ends[above - 1]
            above_it = "line 1 is a title, and is" if last == 1 else f"lines 1 to {last} stand above the table, and are"
            said.append(f"{above_it} left out")
            skip += ends[above - 1]
            rows, ends = rows[above:], [end - ends[above - 1] for end in ends[above:]]
    return _named(rows, ends, skip, width, encoding, delimiter, quote, comment or "", options, said)


def _is_comment(lines: Sequence[str]) -> bool:
    """Return whether a first line that begins with # is a comment above a table, not a header whose first name does."""
    following = next((line for line in lines[1:] if line.strip() and not line.startswith("#")), None)
    if following is None:
        return False
    counts = [(lines[0].count(mark), following.count(mark)) for mark in DELIMITERS]
    return all(first != second for first, second in counts if second) or not any(second for _, second in counts)


def _delimiter(lines: Sequence[str], given: str | None) -> tuple[str, str]:
    """Return the delimiter and the quote."""
    quote = '"'
    if given is not None:
        return given, quote
    some = list(lines[:MOST_LINES])
    text = "".join(some)
    steady = [mark for mark in DELIMITERS if mark in some[0] and _steady(some, mark)]
    if len(steady) == 1 and "'" not in text:
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
    return found.delimiter, found.quotechar or quote


def _steady(lines: Sequence[str], mark: str) -> bool:
    """Return whether all lines have as many values, more than one, between such delimiters."""
    try:
        counts = {len(row) for row in csv.reader(io.StringIO("".join(lines)), delimiter=mark) if row}
    except csv.Error:
        return False
    return len(counts) == 1 and counts != {1}


def _rows(lines: Sequence[str], delimiter: str, quote: str) -> tuple[list[list[str]], list[int]]:
    """Return the rows that lines hold, and after how many lines each ends."""
    reader = csv.reader(
        io.StringIO("".join(lines), newline=""),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        skipinitialspace=delimiter == " ",
    )
    rows, ends = [], []
    try:
        for row in reader:
            if row:
                rows.append(row)
                ends.append(reader.line_num)
    except csv.Error:
        pass  # the last one may be cut, and what is wrong in others is said when they are read
    return rows, ends


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Return how many values most rows have, the first apart where there are others."""
    return Counter(len(row) for row in rows[1:] or rows).most_common(1)[0][0]


def _fits(row: Sequence[str], width: int, following: Sequence[Sequence[str]]) -> bool:
    """Return whether a row may be the first of a table: the header, one name short, or a row of values."""
    if len(row) == width or not following:
        return True
    if len(row) == width - 1:  # as R writes it, or a delimiter at the end of all rows but the header
        # Unless the next line is the header of what follows it: then this one is a title.
        return len(following[0]) != width or len(following) < 2 or not _are_names(following[0], following[1:], width)
    return len(row) == width + 1 and not row[-1].strip()


def _named(
    rows: list[list[str]],
    ends: list[int],
    skip: int,
    width: int,
    encoding: str,
    delimiter: str,
    quote: str,
    comment: str,
    options: CsvOptions,
    said: list[str],
) -> Dialect:
    """Return the dialect with the columns' names."""
    first, values = rows[0], rows[1:]
    header = options.header
    if header is None:
        header = not _is_data(first, values, width)
        if not header:
            said.append(
                f"its first line looks like values ({', '.join(first[:3])}{', ...' if len(first) > 3 else ''}), not "
                f"names, and is read as such: the columns are called column1 to column{width}; write "
                "a header above it if it has none"
            )
    if not header:
        values, names = rows, [""] * width
    else:
        skip += ends[0]
        # Blanks after each delimiter are the file's way of writing; those of a single name are its own.
        spaced = len(first) > 1 and all(name.startswith(" ") for name in first[1:])
        names = [name.strip() if spaced or not name.strip() else name for name in first]
    row_names = header and len(names) == width - 1 and not all(_last_empty(row, width) for row in values)
    if row_names:
        names = ["", *names]
    width = max(width, len(names))
    names += [""] * (width - len(names))
    unnamed = {i for i, name in enumerate(names) if not name}
    taken = set(names)
    for i in sorted(unnamed):
        name = f"column{i + 1}"
        while name in taken:
            name += "_"
        names[i] = name
        taken.add(name)
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        first_line=skip,
        names=tuple(names),
        unnamed=frozenset(names[i] for i in unnamed) if header else frozenset(),
        row_names=row_names,
        comment=comment,
        sample=tuple(tuple(row) for row in values if len(row) == width),
        said=tuple(said),
    )


def _are_names(row: Sequence[str], values: Sequence[Sequence[str]], width: int) -> bool:
    """Return whether a row holds text in a column of numbers."""
    full = [row for row in values[:MOST_LINES] if len(row) == width]
    return bool(full) and any(
        all(NUMBER.match(one[j]) for one in full) and row[j].strip() and not NUMBER.match(row[j]) for j in range(width)
    )


def _last_empty(row: Sequence[str], width: int) -> bool:
    return len(row) < width or not row[-1].strip()


def _is_data(first: Sequence[str], values: Sequence[Sequence[str]], width: int) -> bool:
    """Return whether a first row holds values, not names.

    It does where it has a number in a column of numbers, unless all of it are whole numbers, which may be names, such
    as years; and where a name would be there twice.
    """
    if len(first) != width or not values:
        return False
    full = [row for row in values[:MOST_LINES] if len(row) == width]
    if not full:
        return False
    numeric = [j for j in range(width) if all(NUMBER.match(row[j]) or not row[j].strip() for row in full)]
    here = [j for j in numeric if NUMBER.match(first[j])]
    if not here:
        return False
    if len(here) == width and len(set(first)) == width and all(value.strip().isdigit() for value in first):
        # All whole numbers and all different: names such as years rise or fall; a row of counts seldom does.
        found = [int(value) for value in first]
        return found not in (sorted(found), sorted(found, reverse=True)) or len(found) < 2
    return len(here) == len(numeric)
