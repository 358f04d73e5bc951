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
from dataclasses import dataclass, replace
from itertools import pairwise

from zeroloop.csv_options import CsvOptions
from zeroloop.errors import BadFileError
from zeroloop.tables.csv_filters import Comments, Escapes, Filter, Tidy, Without, filtered_text
from zeroloop.tables.csv_footer import MOST_LINES as MOST_FOOTER
from zeroloop.tables.csv_footer import Footer, find_footer, is_drawn
from zeroloop.tables.csv_header import NUMBER, find_header, width_of
from zeroloop.tables.csv_rows import read_rows
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
        loose: whether there are blanks around values, outside quotes, that are no part of them.
        escapes: what backslashes make plain.
        footer: bytes that follow the table.
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
    loose: bool
    escapes: Escapes
    footer: int = 0
    first_line: int
    names: tuple[str, ...]
    unnamed: frozenset[str]
    row_names: bool
    said: tuple[str, ...]

    @property
    def filters(self) -> list[Filter]:
        """What the file's lines go through, as UTF-8, before they are parsed."""
        filters: list[Filter] = [Comments(self.comment, self.quote)] if self.comment else []
        return [*filters, *self._tidy]

    @property
    def _tidy(self) -> list[Filter]:
        tidy = self.loose or self.escapes
        return [Tidy(self.delimiter, self.quote, self.loose, self.escapes)] if tidy else []

    @property
    def ending(self) -> list[Filter]:
        """What the file's bytes go through as they are."""
        return [Without(self.footer)] if self.footer else []

    def footer_in(self, tail: bytes) -> Footer | None:
        """Return what follows the table, which is among the file's last bytes; None where nothing does."""
        return find_footer(
            tail,
            encoding=self.encoding,
            delimiter=self.delimiter,
            quote=self.quote,
            comment="#" if self.hashes else self.comment,
            width=len(self.names),
            values=self._values,
        )

    def _values(self, line: str) -> tuple[list[str], bool]:
        """Return the values of a line, read as all are, and whether it neither begins nor ends within quotes."""
        text = filtered_text(line, self._tidy)
        if self.delimiter == " ":
            text = re.sub("[ \t]+", " ", text.strip())
        escape = "\\" if self.escapes == "all" else None
        rows, _ = read_rows([text], self.delimiter, self.quote, escape)
        plain = re.sub(r"(?s)\\.", "", text) if escape else text
        return rows[0] if rows else [], not self.quote or plain.count(self.quote) % 2 == 0

    def without(self, footer: Footer | None) -> Dialect:
        """Return this without what follows the table."""
        return self if footer is None else replace(self, footer=footer.n_bytes, said=(*self.said, footer.said))


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
    every = [line for line in lines[skip:] if line.strip() and not is_drawn(line)]
    values = [line for line in every if not (mark and line.startswith(mark))]
    if options.comment is None and 2 * len(values) < len(every):
        values = every  # rows that begin with #, or next to none
    if not values:
        reason = "the file has no table below its titles." if text.strip() else "the file is empty."
        raise BadFileError(path, reason)
    delimiter, quote = _delimiter(values, delimiter)
    n_marks = Counter(line.count(delimiter) for line in values).most_common(1)[0][0]
    if options.comment is None and n_marks:  # a row may begin with #N/A
        values = [line for line in every if not line.startswith("#") or line.count(delimiter) >= n_marks]
    escapes = _escapes(values, delimiter, quote)
    if escapes == "all" and delimiter == "\t" and _has_loose_quotes(values):
        quote = ""  # as databases write text for each other
    loose = escapes == "quotes"
    if delimiter == " ":  # one for each value that is missing, or as many as there are up to the next value
        loose = loose or _n_steady(values, " ", quote, None) < _n_steady(_collapsed(values, quote), " ", quote, None)
    else:
        loose = loose or re.search(padded_quotes(delimiter, quote), text) is not None
    filters: list[Filter] = [Comments(mark, quote)] if options.comment else []
    if loose or escapes:
        filters.append(Tidy(delimiter, quote, loose, escapes))
        values = list(io.StringIO(filtered_text("".join(values), filters[-1:]), newline=""))
    escape = "\\" if escapes == "all" else None
    rows, _ = read_rows(values[:MOST_ROWS], delimiter, quote, escape)
    width = width_of(rows)
    if filters:
        lines = list(io.StringIO(filtered_text(text, filters), newline=""))
    rows, ends = read_rows(lines[skip : skip + MOST_ROWS], delimiter, quote, escape)
    if options.comment is None:
        kept = [i for i, row in enumerate(rows) if not is_comment(row[0], len(row), width)]
        rows, ends = [rows[i] for i in kept], [ends[i] for i in kept]
    rows, ends, ruled = _without_drawn(rows, ends, delimiter)
    parted = {i for i, end in enumerate(ends) if skip + end < len(lines) and not lines[skip + end].strip()}
    header = find_header(
        path,
        rows,
        ends,
        width,
        missing=missing_words(options.na, options.not_na).numbers,
        given=options.header,
        titles=options.skip is None,
        parted=parted,
        ruled=ruled,
    )
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        comment=options.comment or "",
        hashes=options.comment is None,
        loose=loose,
        escapes=escapes,
        first_line=skip + header.first_line,
        names=header.names,
        unnamed=header.unnamed,
        row_names=header.row_names,
        said=(*said, *header.said),
    )


def is_comment(text: str, n_values: int, width: int) -> bool:
    """Return whether a row is a comment that nobody spoke of, by how it begins and how many values it has."""
    return text.startswith("#") and n_values < width


def padded_quotes(delimiter: str, quote: str) -> str:
    """Return a regular expression of a blank beside a quote at the end of a value, without or within."""
    if not quote:
        return r"(?!)"
    mark, around = re.escape(delimiter), re.escape(quote)
    blank = " " if delimiter == "\t" else r"[ \t]"
    begins = rf"(?:^|{mark}){blank}*(?:{blank}{around}|{around}{blank})"
    return rf"(?m:{begins}|{blank}{around}{blank}*(?:$|{mark}|\r)|{around}{blank}+(?:$|{mark}|\r))"


def escaped_quotes(delimiter: str, quote: str) -> str:
    """Return a regular expression of a quote that a backslash makes plain."""
    if not quote:
        return r"(?!)"
    mark, around = re.escape(delimiter), re.escape(quote)
    return rf"(?m:\\{around}(?!\s*(?:{mark}|$|{around})))"


def _escapes(lines: Sequence[str], delimiter: str, quote: str) -> Escapes:
    """Return what backslashes make plain: it takes a value that cannot be read without that."""
    text = "".join(lines)
    if "\\" not in text:
        return ""
    known = {"\\", '"', "'", delimiter, "\n", "\r", *"Ntnr0Zb"}
    all_known = known.issuperset(re.findall(r"(?s)\\(.)", text))
    if all_known and delimiter == "\t" and re.search(r"(?m)(?:^|\t)\\N(?:\t|$|\r)", text):
        return "all"
    if not re.search(escaped_quotes(delimiter, quote), text):
        plainly, otherwise = (_n_steady(lines, delimiter, quote, escape) for escape in (None, "\\"))
        if otherwise <= plainly:
            return ""
    return "all" if all_known else "quotes"


def _has_loose_quotes(lines: Sequence[str]) -> bool:
    """Return whether some value of a line of tabs begins with a quote and does not end with one."""
    return any(
        value.startswith('"') and not (len(value) > 1 and value.endswith('"'))
        for line in lines
        for value in line.rstrip("\r\n").split("\t")
    )


def _n_steady(lines: Sequence[str], delimiter: str, quote: str, escape: str | None) -> float:
    """Return the share of lines whose rows have as many values as most."""
    counts = [len(row) for row in read_rows(lines, delimiter, quote, escape)[0]]
    return max(Counter(counts).values(), default=0) / max(1, len(counts))


def _collapsed(lines: Sequence[str], quote: str) -> list[str]:
    """Return lines in which any number of blanks is one."""
    return list(io.StringIO(filtered_text("".join(lines), [Tidy(" ", quote, True, "")]), newline=""))


def _without_drawn(
    rows: list[list[str]], ends: list[int], delimiter: str
) -> tuple[list[list[str]], list[int], frozenset[int]]:
    """Return rows without drawn lines, after how many lines each ends with those below it, and which have such."""
    kept: list[list[str]] = []
    ended: list[int] = []
    ruled = set()
    for row, end in zip(rows, ends, strict=True):
        if not is_drawn(delimiter.join(row)):
            kept.append(row)
            ended.append(end)
        elif ended:
            ended[-1] = end
            ruled.add(len(ended) - 1)
    return kept, ended, frozenset(ruled)


def _delimiter(lines: Sequence[str], given: str | None) -> tuple[str, str]:
    """Return the delimiter and the quote."""
    quote = '"'
    if given is not None:
        return given, quote
    some = list(lines[:MOST_LINES])
    text = "".join(some)
    close = {mark: [re.sub(rf" *{re.escape(mark)} *", mark, line) for line in some] for mark in DELIMITERS}
    begins = {mark: at for mark in DELIMITERS if (at := _steady_from(close[mark], mark, strict=True)) is not None}
    # Decimal commas are steady too, but for the names above them.
    if _are_parted_by_blanks(some, min(begins.values(), default=MOST_LINES)) and not _begins_values(text, " ", "'"):
        return " ", quote
    if not begins:
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


def _are_parted_by_blanks(lines: Sequence[str], before: int) -> bool:
    """Return whether blanks part values, most of them numbers or in quotes, as many in each, from an early line on."""
    collapsed = _collapsed(lines, '"')
    begins = [at for some in (lines, collapsed) if (at := _steady_from(some, " ")) is not None]
    if not begins or min(begins) >= before:
        return False
    cells = [cell for line in collapsed for cell in line.split()]
    n_told = sum(cell[0] == '"' or NUMBER.match(cell) is not None for cell in cells)
    return 2 * n_told >= len(cells) and not any(cell in DELIMITERS for cell in cells)


def _begins_values(text: str, delimiter: str, quote: str) -> bool:
    """Return whether some value begins with a quote: apostrophes between thousands or letters are none."""
    return re.search(rf"(?m)(?:^|{re.escape(delimiter)}){re.escape(quote)}", text) is not None


def _steady_from(lines: Sequence[str], mark: str, strict: bool = False) -> int | None:
    """Return from which line on nearly all have equally many values, more than one, between such delimiters.

    Where `strict`, no quote stands within a value, as it does where the delimiter is another.
    """
    try:
        escape = "\\" if strict and any('\\"' in line for line in lines) else None
        counts = [len(row) for row in csv.reader(lines, delimiter=mark, strict=strict, escapechar=escape) if row]
    except csv.Error:
        return None
    most = Counter(counts).most_common(1)[0][0]
    # A title may by chance have as many marks: the line below it does not.
    begin = next((i for i, pair in enumerate(pairwise(counts)) if pair == (most, most)), counts.index(most))
    end = len(counts) - counts[::-1].index(most)  # what follows are footers
    few = len(counts) - end <= min(MOST_FOOTER, end - begin)
    return begin if most > 1 and few and counts.count(most) >= STEADY * (end - begin) else None
