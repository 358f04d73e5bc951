"""The encoding of a text file, by its first bytes.

A mark at its start or every second byte empty tell UTF-16 and UTF-32; what decodes as UTF-8 is. The rest holds one byte
a letter, or two: where letters above ASCII stand one by one between others, as ü and é do, the text is in a Western
language and is read as Windows-1252, which holds Latin-1; where they follow each other they are words of another
alphabet, and which is charset-normalizer's to find.
"""

from __future__ import annotations

import codecs
import re

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
ABOVE_ASCII = re.compile(rb"[\x80-\xff]+")
NO_LETTERS = re.compile(rb"[-+0-9.,;\t \"]+")
OF_WORDS = 2.0  # bytes above ASCII that follow each other, on average, from which they are words
MOST_LINES = 200  # that charset-normalizer looks at


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
    known = None if given is None else codecs.lookup(given).name
    if known not in (None, "utf-16"):
        return str(known), None
    for mark, name in BOMS:
        if head.startswith(mark):
            return name, None
    if known == "utf-16" or _has_empty_halves(head):  # which of them tells the order of bytes
        big = head[0::2].count(0) > head[1::2].count(0)
        return ("utf-16-be" if big else "utf-16-le"), None
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head, whole)
    except UnicodeDecodeError:
        return _guessed(head)
    return "utf-8", None


def _guessed(head: bytes) -> tuple[str, str]:
    """Return the encoding of bytes that are no UTF-8, and the words for it."""
    encoding = WESTERN if _mean_run(head) < OF_WORDS else _of_another_alphabet(head)
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:  # a byte that Windows-1252 leaves open
        encoding = "latin-1"
    return encoding, f"it is no UTF-8 and is read as {encoding}; --encoding names another, if characters come out wrong"


def _mean_run(content: bytes) -> float:
    """Return how many bytes above ASCII follow each other on average."""
    runs = ABOVE_ASCII.findall(content)
    return sum(map(len, runs)) / len(runs) if runs else 0.0


def _of_another_alphabet(head: bytes) -> str:
    """Return the encoding that charset-normalizer finds, the Western one where it finds none."""
    from charset_normalizer import from_bytes

    # What is not ASCII decides; numbers around it would only hide it.
    lines = [NO_LETTERS.sub(b" ", line) for line in head.splitlines() if not line.isascii()][:MOST_LINES]
    best = from_bytes(b"\n".join(lines), cp_isolation=list(OTHER_ALPHABETS)).best()
    return WESTERN if best is None else str(best.encoding)
