"""What is said of tables by whoever has them: how CSV files are written, which sheet, which words are missing."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from zeroloop.errors import OptionError

Mark = Literal[".", ","]
TABS = ("\\t", "tab")  # as a command line has it


def _is_encoding(name: str) -> bool:
    """Return whether Python knows an encoding of whole files of text: not of host names, nor of escapes in literals."""
    try:
        codecs.lookup(name)
        b"\xff".decode(name, errors="replace")
        return not b"\\u0041".decode(name, errors="replace").endswith("A")
    except (LookupError, ValueError, TypeError):  # UnicodeError is a ValueError
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How CSV files are written, and which words stand for missing values; None for what is to be found.

    Of a workbook, sheet, decimal, header, skip and words count; of other tables, words.

    Args:
        encoding: a name that Python knows, such as "latin-1".
        delimiter: one character between two values; "tab" for a tab.
        decimal: the decimal mark.
        header: whether the first line holds names; False names the columns column1, column2, ...
        skip: lines above the header.
        comment: begins lines to leave out; empty for none.
        sheet: name of a workbook's sheet; None for the first that is not hidden and has rows.
        na: words that stand for a missing value besides those known, numbers among them; in tables of any kind.
        not_na: words known that do not.

    Raises:
        OptionError: for one out of its range.

    Examples:
        >>> CsvOptions(decimal=",", na=["-99", "unknown"]).given()
        {'decimal': ',', 'na': ['-99', 'unknown']}

    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: Mark | None = None
    header: bool | None = None
    skip: int | None = None
    comment: str | None = None
    sheet: str | None = None
    na: Collection[str] = ()
    not_na: Collection[str] = ()

    def __post_init__(self) -> None:
        if self.encoding is not None and not _is_encoding(self.encoding):
            raise OptionError(
                f"encoding is {self.encoding!r}, which is no known encoding of text; use utf-8, utf-16, cp1252 or the "
                "like."
            )
        if self.delimiter in TABS:
            object.__setattr__(self, "delimiter", "\t")
        self._check_character("delimiter", "such as ';', or tab", forbidden='\r\n"')
        if self.decimal not in (None, ".", ","):
            raise OptionError(f"decimal is {self.decimal!r}; it must be '.' or ','.")
        if self.decimal is not None and self.decimal == self.delimiter:
            raise OptionError(f"delimiter and decimal are both {self.decimal!r}; correct one.")
        if self.header not in (None, True, False):
            raise OptionError(f"header is {self.header!r}; it must be true or false.")
        if self.skip is not None and (not isinstance(self.skip, int) or self.skip < 0):
            raise OptionError(f"skip is {self.skip!r}; it must be a whole number of at least 0.")
        if self.sheet is not None and (not isinstance(self.sheet, str) or not self.sheet):
            raise OptionError(f"sheet is {self.sheet!r}; it must be the name of a sheet.")
        if self.comment != "":
            self._check_character("comment", "such as '#', or empty for none", forbidden='\r\n"')
        for name in ("na", "not_na"):
            given = getattr(self, name)
            words = tuple(dict.fromkeys(str(word).strip() for word in ([given] if isinstance(given, str) else given)))
            halves = [word for word in words if any("\ud800" <= character <= "\udfff" for character in word)]
            if halves:  # as a command line makes them of bytes that are no text
                raise OptionError(f"{name} has {halves[0]!r}, which is no text, and so never in a table.")
            object.__setattr__(self, name, words)
        both = [word for word in self.na if word in self.not_na]
        if both:
            raise OptionError(f"na and not_na both name {both[0]!r}; take it out of one of them.")

    def _check_character(self, name: str, such_as: str, forbidden: str) -> None:
        value = getattr(self, name)
        if value is not None and (not isinstance(value, str) or len(value) != 1 or value in forbidden):
            raise OptionError(f"{name} is {value!r}; it must be one character, {such_as}.")
        if value is not None and not value.isascii():
            raise OptionError(f"{name} is {value!r}; it must be an ASCII character, {such_as}.")

    def given(self) -> dict[str, Any]:
        """Return what is said, as JSON has it."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None and value != ()
        }

    def over(self, other: Mapping[str, Any]) -> CsvOptions:
        """Return what is said here, and for the rest what is said there."""
        return replace(CsvOptions(**other), **self.given()) if other else self


AS_FOUND = CsvOptions()
"""Nothing is said: all is found."""
