"""Saved models as documents of JSON: written in one step, read with every fault said.

Format version 5::

    format           "zeroloop model"
    format_version   5
    schema           numeric, categorical, sparse, left_out, target, weights, missing, float32, offset,
                     dates: as `zeroloop.tables.schema`
    coefficients     term -> coefficient, in coefficient order, every bit of it; of more than two classes,
                     class -> term -> coefficient
    training         how it was fitted: as `Training`
    held_out         scores on the rows held out, or null
    estimates        of an unpenalised fit, as `zeroloop.estimates`; the covariance's upper triangle, of what was
                     estimated, is base64 of float64, the least significant byte first; or null
    no_estimates     why there are none, or null

Of floating-point numbers, infinity and NaN, which JSON has none for, are the text "inf", "-inf" and "nan".

Version 1, which knew two classes and an L2 penalty only, version 2, which knew nothing of files left out, version 3,
which knew no standard errors, and version 4, which knew no dates, are read too.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from zeroloop.errors import ModelFileError
from zeroloop.outputs import is_uri, replacing
from zeroloop.records import RecordError, dumped, parse

FORMAT = "zeroloop model"
FORMAT_VERSION = 5
NO_ESTIMATES = "the model was saved by a version of zeroloop that had none"
SILENT = 10.0  # seconds that a pipe may bring nothing
PARTS = ("schema", "coefficients", "training", "held_out", "estimates", "no_estimates")


def write_document(path: str | PathLike[str], parts: dict[str, Any]) -> None:
    """Write a model's parts. An existing file is replaced in one step.

    Raises:
        OutputError: when the file cannot be written.

    """
    text = dumped({"format": FORMAT, "format_version": FORMAT_VERSION} | parts)
    with replacing(Path(path)) as file:
        file.write(text.encode("utf-8"))


def read_document(path: str | PathLike[str]) -> dict[str, Any]:
    """Return a model's parts, as parsed, those of an older version made new.

    Raises:
        ModelFileError: for a file that is missing, no model, or of another format.
        RecordError: for a model that is damaged.

    """
    try:
        document = parse(_content(path))
    except RecordError as error:
        raise ModelFileError(f"{path}: no zeroloop model, or a damaged one ({error}).") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelFileError(f"{path}: JSON, but no zeroloop model; `zeroloop train` writes one.")
    parts = _current(document, _version(path, document))
    for name in PARTS:
        if name not in parts:
            raise RecordError(f"Object missing required field `{name}` - at `$`")
    for name in parts:
        if name not in (*PARTS, "format", "format_version"):
            raise RecordError(f"The key {name!r} is not known - at `$`")
    return parts


def _content(path: str | PathLike[str]) -> bytes:
    """Return what a file holds, or what comes through a pipe."""
    if is_uri(path):
        raise ModelFileError(f"{path} is a URI, and a model is read from a file of this machine; copy it here first.")
    try:
        with open(path, "rb", opener=_not_waiting) as file:
            kind = os.fstat(file.fileno()).st_mode
            if stat.S_ISFIFO(kind):
                return b"".join(_through_pipe(path, file.fileno()))
            if stat.S_ISREG(kind):
                return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelFileError(f"{str(path)[:200]}: cannot be read ({reason}).") from error
    raise ModelFileError(f"{path}: is a device, and no model; `zeroloop train` writes one.")


def _not_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _through_pipe(path: str | PathLike[str], handle: int) -> Iterator[bytes]:
    while True:
        if not select.select([handle], [], [], SILENT)[0]:
            raise ModelFileError(f"{path}: is a pipe through which nothing comes for {SILENT:g} seconds; name a file.")
        content = os.read(handle, 1 << 20)
        if not content:
            return
        yield content


def _version(path: str | PathLike[str], document: dict[str, Any]) -> int:
    """Return the version of a document's format, one that can be read."""
    if "format_version" not in document:
        raise ModelFileError(f"{path}: a zeroloop model without `format_version`; train or copy it again.")
    version = document["format_version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError(
            f"{path}: `format_version` is {_shown(version)}, and should be a whole number from 1 to {FORMAT_VERSION}; "
            "train or copy the model again."
        )
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: written in format {_shown(version)}, and this zeroloop reads up to {FORMAT_VERSION}; update "
            "zeroloop."
        )
    return version


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a number of many digits"
    return text if len(text) <= 40 else text[:40] + "..."


def _current(document: dict[str, Any], version: int) -> dict[str, Any]:
    """Return a document of any version as one of the newest."""
    if version == 1:
        try:
            document = _from_version_1(document)
        except (KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{type(error).__name__}: {error}") from error
    if version < 4:
        return {"estimates": None, "no_estimates": NO_ESTIMATES} | document
    return document


def _from_version_1(found: dict[str, Any]) -> dict[str, Any]:
    """Return a document of version 1 as one of version 2."""
    target, training = found["schema"]["target"], dict(found["training"])
    base_rate = training.pop("base_rate")
    training |= {"l1_ratio": 0.0, "multi_class": "multinomial", "penalty_factors": {}, "bounds": {}}
    training |= {"n_iter": [training["n_iter"]], "shares": [1 - base_rate, base_rate]}
    levels = [target["negative"], target["positive"]]
    schema = found["schema"] | {"target": {"name": target["name"], "levels": levels}}
    return found | {"schema": schema, "training": training}
