"""Names and messages as a reader is shown them: whatever is in a name, no terminal acts on it."""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"  # of letters, which Persian and Indian scripts and pictures need
HIDDEN = (
    "Cc",
    "Cf",
    "Cs",
    "Co",
    "Cn",
    "Zl",
    "Zp",
)  # control, format (of direction too), half, no characters, line ends


def plain(text: str) -> str:
    r"""Return text in which what does not show, or moves the rest, is written as Python does (`\x1b`, `\u202e`)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(one) if one not in JOINERS and unicodedata.category(one) in HIDDEN else one for one in text)


def one_line(text: object) -> str:
    """Return a message as a line: any white space is a space."""
    return plain(" ".join(str(text).split()))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
