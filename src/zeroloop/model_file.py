"""Saved models as documents of JSON: written in one step, read with every fault said.

Format version 4::

    format           "zeroloop model"
    format_version   4
    schema           numeric, categorical, sparse, left_out, target, weights, missing, float32, offset: as
                     `zeroloop.tables.schema`
    coefficients     term -> coefficient, in coefficient order, every bit of it; of more than two classes,
                     class -> term -> coefficient
    training         how it was fitted: as `Training`
    held_out         scores on the rows held out, or null
    estimates        of an unpenalised fit, as `zeroloop.estimates`; the covariance's upper triangle, of what was
                     estimated, is base64 of float64, the least significant byte first; or null
    no_estimates     why there are none, or null

Version 1, which knew two classes and an L2 penalty only, version 2, which knew nothing of files left out, and version
3, which knew no standard errors, are read too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from zeroloop.errors import ModelFileError
from zeroloop.outputs import replacing
from zeroloop.tables.schema import Categorical, LeftOut, Numeric, Schema, SparseColumn, Target

FORMAT = "zeroloop model"
FORMAT_VERSION = 4
NO_ESTIMATES = "the model was saved by a version of zeroloop that had none"


def write_document(path: str | PathLike[str], parts: dict[str, Any]) -> None:
    """Write a model's parts. An existing file is replaced in one step.

    Raises:
        OutputError: when the file cannot be written.

    """
    document = {"format": FORMAT, "format_version": FORMAT_VERSION} | parts
    text = json.dumps(_without_infinity(document), indent=1, allow_nan=False) + "\n"
    with replacing(Path(path)) as file:
        file.write(text.encode("utf-8"))


def read_document(path: str | PathLike[str]) -> dict[str, Any]:
    """Return a model's parts, those of an older version made new.

    Raises:
        ModelFileError: for a file that is missing, damaged, no model, or of a newer format.

    """
    try:
        document = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise ModelFileError(f"{path}: no zeroloop model, or a damaged one (not JSON: {error}).") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelFileError(f"{path}: JSON, but no zeroloop model; `zeroloop train` writes one.")
    version = document.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: written in format {version}, and this zeroloop reads up to {FORMAT_VERSION}; update zeroloop."
        )
    with damaged(path):
        document = _from_version_1(document) if version == 1 else document
        document["training"] = _with_infinity(document["training"])
        return {"estimates": None, "no_estimates": NO_ESTIMATES} | document


@contextmanager
def damaged(path: str | PathLike[str]) -> Iterator[None]:
    """Say of a document whose parts are not as they should be that it is damaged.

    Raises:
        ModelFileError: for what is missing or of another kind.

    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            f"{path}: a damaged zeroloop model ({type(error).__name__}: {error}); train or copy it again."
        ) from error


def _from_version_1(found: dict[str, Any]) -> dict[str, Any]:
    """Return a document of version 1 as one of version 2."""
    target, training = found["schema"]["target"], dict(found["training"])
    base_rate = training.pop("base_rate")
    training |= {"l1_ratio": 0.0, "multi_class": "multinomial", "penalty_factors": {}, "bounds": {}}
    training |= {"n_iter": [training["n_iter"]], "shares": [1 - base_rate, base_rate]}
    levels = [target["negative"], target["positive"]]
    schema = found["schema"] | {"target": {"name": target["name"], "levels": levels}}
    return found | {"schema": schema, "training": training}


def schema_of(found: dict[str, Any]) -> Schema:
    """Return the schema that was written as JSON."""
    sparse = found.get("sparse")
    return Schema(
        numeric=tuple(Numeric(**column) for column in found["numeric"]),
        categorical=tuple(
            Categorical(**{**column, "levels": tuple(column["levels"]), "counts": tuple(column["counts"])})
            for column in found["categorical"]
        ),
        left_out=tuple(LeftOut(**column) for column in found["left_out"]),
        target=Target(found["target"]["name"], tuple(found["target"]["levels"])),
        weights=found["weights"],
        missing=found["missing"],
        float32=found["float32"],
        sparse=None
        if sparse is None
        else SparseColumn(sparse["name"], tuple(sparse["scale"]), tuple(sparse["deviations"])),
        offset=found.get("offset"),
    )


def _without_infinity(value: Any) -> Any:
    """Return a JSON-able value with "inf" for infinity, which JSON has no number for; float("inf") reads it."""
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_infinity(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _with_infinity(value: Any) -> Any:
    """Undo `_without_infinity`."""
    if isinstance(value, dict):
        return {key: _with_infinity(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_infinity(item) for item in value]
    return float(value) if value in ("inf", "-inf") else value
