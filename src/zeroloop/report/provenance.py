"""How to do it again: the command, and what tells the data from others."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from zeroloop.model import Model
from zeroloop.plain_text import in_list
from zeroloop.tables.pipes import STANDARD

OPTIONS = {"C": "--C", "penalty_factors": "--penalty-factor", "tests": "--test", "degrees_of_freedom": "--df"}
IN_MEMORY = "TABLE.parquet"  # stands for a table that no path is known of


def command_of(model: Model) -> str | None:
    """Return the command that trains a model the same way, to the same bits; None where it is not known.

    Options that change no bit (of memory, threads, a scheduler, what is written) are left out. A table in memory is
    named `IN_MEMORY`.
    """
    training = model.training
    if training.arguments is None or training.paths is None:
        return None
    options = ["--target", model.schema.target.name]
    given = dict(training.arguments)
    csv = given.pop("csv", {})
    for name, value in (given | csv).items():
        options += _words(OPTIONS.get(name, "--" + name.replace("_", "-")), name, value)
    if training.sql is not None:
        return shlex.join(["zeroloop", "train", *_words("--sql", "sql", training.sql), *options])
    paths = training.paths or [IN_MEMORY]
    if any(path.startswith("-") and path != STANDARD for path in paths):
        return shlex.join(["zeroloop", "train", *options, "--", *paths])
    return shlex.join(["zeroloop", "train", *paths, *options])


def _words(option: str, name: str, value: Any) -> Iterator[str]:
    """Yield an argument of `zeroloop.train` as the command line has it."""
    match value:
        case False if name == "header":
            option, texts = "--no-header", None
        case None | False:
            return
        case True:
            texts = None if name != "positive" else ["True"]
        case dict() if name == "dates":
            texts = [f"{in_list(key)}={','.join(item)}" for key, item in value.items()]
        case dict():
            pairs = [
                f"{key}={':'.join(map(str, item)) if isinstance(item, list) else item}" for key, item in value.items()
            ]
            texts = [",".join(map(in_list, pairs))]
        case list() if name in ("na", "not_na"):
            texts = value
        case list() if name == "tests":
            texts = [",".join(map(in_list, one)) if isinstance(one, list) else in_list(one) for one in value]
        case list():
            texts = [",".join(map(in_list, map(str, value)))]
        case _:
            texts = [str(value)]
    if texts is None:
        yield option
        return
    for text in texts:
        # What looks like an option is one word with its own.
        yield from [f"{option}={text}"] if text.startswith("-") else [option, text]


def fingerprint(model: Model) -> str:
    """Return a hash of what the scan found in the training rows: every level, count, mean and deviation."""
    found = {"schema": asdict(model.schema), "rows": model.training.rows, "shares": model.training.shares}
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
