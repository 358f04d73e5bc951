"""Names and messages as a reader is shown them: whatever is in a name, no terminal acts on it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

JOINERS = "\u200c\u200d"  # of letters, which Persian and Indian scripts and pictures need
LONGEST = 400  # characters of a word, as a path may have
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


def number_of(n: int, noun: str) -> str:
    """Return how many there are of what a noun names: "1 row", "2,000 rows"."""
    return f"{n:,} {noun}" + ("" if n == 1 else "es" if noun.endswith("s") else "s")


def listed(names: Iterable[str], most: int) -> str:
    """Return names in quotes, those beyond the first `most` as a number: "'a', 'b' and 7 more"."""
    names = list(names)
    shown = names if len(names) <= most + 1 else names[:most]  # one more is as short as "and 1 more"
    quoted = [repr(name) for name in shown] + [f"{len(names) - len(shown):,} more"] * (len(shown) < len(names))
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def in_list(name: str) -> str:
    """Return a name as a list of names has it; see `zeroloop.commands.options.names`."""
    quoted = not name or "," in name or name != name.strip() or name.startswith('"')
    return '"' + name.replace('"', '""') + '"' if quoted else name


def one_line(text: object) -> str:
    """Return a message as a line: any white space is a space, and of a word beyond all reading its two ends."""
    words = (word if len(word) <= LONGEST else f"{word[:200]}...{word[-50:]}" for word in str(text).split())
    return plain(" ".join(words))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
