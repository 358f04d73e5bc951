"""A saved model, read again: each part checked against what it must be, and against the others."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.errors import ModelFileError
from zeroloop.model import Model
from zeroloop.model_checks import check_estimates, check_schema, check_training
from zeroloop.model_file import read_document
from zeroloop.packed_estimates import unpacked
from zeroloop.records import RecordError, record, whole_text
from zeroloop.tables.schema import Schema
from zeroloop.training_record import HeldOutRecord, Training, with_arguments


def load(path: str | PathLike[str]) -> Model:
    """Return the model saved at `path`.

    Raises:
        ModelFileError: for a file that is missing, damaged, no model, or of another format.

    """
    try:
        return _model(read_document(path))
    except RecordError as error:
        raise ModelFileError(f"{path}: a damaged zeroloop model ({error}); train or copy it again.") from error


def _model(found: dict[str, Any]) -> Model:
    """Return the model that a document's parts make.

    Raises:
        RecordError: for what is no model's, or does not fit the other parts.

    """
    schema = record(Schema, found["schema"], "$.schema")
    whole_text(found["schema"], "$.schema")
    training = record(Training, with_arguments(found["training"]), "$.training")
    check_schema(schema, training.rows)
    check_training(training, schema)
    coef = _coef(found["coefficients"], schema)
    estimates = None if found["estimates"] is None else unpacked(found["estimates"], "$.estimates")
    if estimates is not None:
        check_estimates(estimates, schema)
    no_estimates = record(str | None, found["no_estimates"], "$.no_estimates")  # type: ignore[arg-type]
    held_out: Any = record(HeldOutRecord | None, found["held_out"], "$.held_out")  # type: ignore[arg-type]
    return Model(
        schema=schema,
        coef=coef,
        training=training,
        held_out=held_out,
        estimates=estimates,
        no_estimates=no_estimates,
    )


def _coef(found: Any, schema: Schema) -> FloatArray:
    place = "$.coefficients"
    by_class = [(found, place)]
    if schema.target.n_outputs > 1:
        named = record(dict[str, Any], found, place)
        if list(named) != [str(level) for level in schema.target.levels]:
            raise RecordError(f"The target's classes, in order, expected - at `{place}`")
        by_class = [(terms, f"{place}[{name!r}]") for name, terms in named.items()]
    rows = [(record(dict[str, float], terms, where), where) for terms, where in by_class]
    for row, where in rows:
        if tuple(row) != schema.terms:
            raise RecordError(f"The terms that the schema makes, in order, expected - at `{where}`")
    coef = np.array([list(row.values()) for row, _ in rows], dtype=np.float64)
    if not np.all(np.isfinite(coef)):
        raise RecordError(f"A coefficient is not finite - at `{place}`")
    return coef
