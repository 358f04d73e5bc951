"""What options choose among, and what is said of a word that is none of it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, Literal

from zeroloop.errors import OptionError
from zeroloop.plain_text import in_list

MISSING_RULES = ("impute", "drop", "error")
MULTI_CLASS = ("multinomial", "ovr")
METHODS = ("ml", "firth")
COVARIANCES = ("model", "hc0", "hc1")
WEIGHT_TYPES = ("frequency", "sampling")
CV_RULES: dict[str, Literal["min", "1se"]] = {"cv": "min", "cv-1se": "1se"}
"""Rules of `zeroloop.grid`, by the word for C that asks for cross-validation."""
SOLVERS = (
    "auto", "newton", "sampled-newton", "newton-cg", "lbfgs", "gradient-descent", "proximal-newton",
    "coordinate-descent",
)  # fmt: skip
MOST_SHOWN = 12  # names


def check_choice(option: str, value: Any, known: Sequence[str]) -> None:
    """Check that an option's value is one of those known.

    Raises:
        OptionError: else, with the nearest of them.

    """
    if not (isinstance(value, str) and value in known):
        near = closest(value, known) if isinstance(value, str) else None
        asked = "" if near is None else f"did you mean {near!r}? "
        raise OptionError(f"{option} is {value!r}; {asked}{'It' if asked else 'it'} must be one of {', '.join(known)}.")


def nearest(name: str, known: Sequence[str], there_are: str) -> str:
    """Return how a sentence goes on that there is no such name: with the one that may be meant, else with some.

    Args:
        name: that there is not.
        known: names that there are.
        there_are: what is said before these, such as "the table has".

    """
    near = closest(name, known)
    if near is not None:
        return f"; did you mean {near!r}?"
    if not known:
        return ", and no other."
    return f"; {there_are} {', '.join(map(in_list, known[:MOST_SHOWN]))}{', ...' if len(known) > MOST_SHOWN else ''}."


def closest(name: str, known: Sequence[str]) -> str | None:
    """Return the name that is most like one; None where none is like it. Case and outer blanks count little."""
    alike = {one.strip().casefold(): one for one in reversed(known)}
    found = difflib.get_close_matches(name.strip().casefold(), alike, n=1)
    return alike[found[0]] if found else None
