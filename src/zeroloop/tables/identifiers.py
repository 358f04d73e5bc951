"""Whole numbers that identify rows: each row has one of its own, as nothing that is measured has by chance.

Of `n` numbers drawn from a range of `R`, some `k` are met once each with a probability of about `exp(-k (n - 1) / 2 R)`
or less, whatever their distribution (the birthday problem; an even one makes it most likely). Where that is next to
nothing, or the column's name says so, they are identifiers. Times, which follow each other on purpose, are none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.plain_text import listed, number_of

FEWEST = 50  # rows: of fewer, numbers that differ are no surprise
UNLIKELY = 20.0  # minus the logarithm of a probability that is next to nothing
SAMPLE = 2_048  # numbers that are looked at for repetitions: a thousandth that repeat are found all but surely
GLANCE = 64  # values of a batch, of which two are alike in nearly all columns that are no identifiers
SPREAD = 0x9E3779B97F4A7C15  # odd, so that the product with it, modulo 2^64, can be undone
YEARS = (1_000, 2_200)
EPOCHS = tuple((600_000_000 * unit, 5_000_000_000 * unit) for unit in (1, 10**3, 10**6, 10**9))  # from 1989 to 2128
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
NAMES = {"id", "ids", "uid", "uuid", "guid", "pk", "key", "identifier", "ssn", "rowid", "recno", "custid", "userid"}
LAST_NAMES = {"no", "nr", "num", "number", "code", "ref"}  # "employee number", and not "number of employees"
ENDINGS = ("idnum", "idno", "idnr")  # of words in one, such as "pidnum"


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeNumbers:
    """Whole numbers of a column, as far as none has been met twice; addable.

    Attributes:
        n: how many.
        low, high: the ends of them.
        sample: those whose products with `SPREAD` are the smallest, as these products, in order.
        repeated: whether some number was met twice, or is missing; the rest is then empty.

    """

    n: int = 0
    low: float = np.inf
    high: float = -np.inf
    sample: tuple[int, ...] = ()
    repeated: bool = False

    def __add__(self, other: Self) -> WholeNumbers:
        if self.repeated or other.repeated:
            return REPEATED
        products = sorted([*self.sample, *other.sample])[:SAMPLE]
        if any(a == b for a, b in pairwise(products)):
            return REPEATED
        return WholeNumbers(
            n=self.n + other.n,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            sample=tuple(products),
        )

    @property
    def identify(self) -> bool:
        """Whether numbers are all different and so near each other that they are so on purpose."""
        if self.repeated or self.n < FEWEST or any(low <= self.low and self.high <= high for low, high in TIMES):
            return False
        if len(self.sample) * (self.n - 1) < 2 * UNLIKELY * (self.high - self.low + 1):
            return False
        inverse = pow(SPREAD, -1, 2**64)
        numbers = [product * inverse % 2**64 for product in self.sample]
        return int(np.gcd.reduce([abs(number - numbers[0]) for number in numbers])) == 1  # else times, evenly spaced


TIMES = (YEARS, *EPOCHS)
REPEATED = WholeNumbers(repeated=True)


def whole_numbers(values: NDArray[np.floating[Any]]) -> WholeNumbers:
    """Return what a batch's whole numbers `(rows,)` are; NaN is a missing one."""
    if values.size == 0:
        return WholeNumbers()
    head = values[:GLANCE]
    if np.unique(head).size < head.size or not np.isfinite(values).all():
        return REPEATED
    low, high = float(np.min(values)), float(np.max(values))
    if high - low < values.size - 1 or max(-low, high) >= 2**53:
        return REPEATED
    products = values.astype(np.int64).astype(np.uint64) * np.uint64(SPREAD)
    smallest = np.sort(np.partition(products, SAMPLE)[:SAMPLE] if products.size > SAMPLE else products)
    if np.any(smallest[1:] == smallest[:-1]):
        return REPEATED
    return WholeNumbers(n=values.size, low=low, high=high, sample=tuple(smallest.tolist()))


def named_identifier(name: str) -> bool:
    """Return whether a column's name says that it holds identifiers."""
    words = [word.casefold() for word in WORD.findall(name)]
    if not words:
        return False
    return not NAMES.isdisjoint((words[0], words[-1])) or words[-1] in LAST_NAMES or words[-1].endswith(ENDINGS)


def identifiers(columns: dict[str, WholeNumbers], n_rows: int) -> list[str]:
    """Return the names of the columns that hold identifiers, by what their training rows hold."""
    return [
        name
        for name, numbers in columns.items()
        if not numbers.repeated and numbers.n == n_rows >= FEWEST and (numbers.identify or named_identifier(name))
    ]


def identifier_sentence(names: Sequence[str], n_rows: int) -> str:
    """Return that columns seem to hold identifiers."""
    several = len(names) > 1
    return (
        f"Column{'s' if several else ''} {listed(names, 5)} {'have' if several else 'has'} another whole number in "
        f"each of {number_of(n_rows, 'row')}, as identifiers have, of which nothing can be learned for other rows: "
        f"drop {'those that are' if several else 'it if it is one'}."
    )
