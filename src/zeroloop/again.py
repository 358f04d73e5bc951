"""The rows that a model was trained on, read again: for what needs more of them than the model keeps."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from zeroloop.errors import DataError, OptionError, ZeroloopWarning
from zeroloop.estimates import ColumnsTest
from zeroloop.fit import Options
from zeroloop.inference.estimate import Rows, without_columns
from zeroloop.inference.tests import wald
from zeroloop.model import Model
from zeroloop.objective import Units
from zeroloop.prepared import PreparedTable, prepare_table, shape_of
from zeroloop.resources import Resources
from zeroloop.tables.read import TableLike

SAME_LOSS = 1e-6  # of a mean log loss: coefficients about zero tell it less exactly than those about the centre


def read_again(model: Model, data: TableLike | None, resources: Resources | None = None) -> PreparedTable:
    """Return the rows that a model was trained on, and those that were held out.

    Args:
        model: trained on them.
        data: the table; None for what `zeroloop.train` was given, in the same process.
        resources: how it is read.

    Raises:
        DataError: for another table than the model was trained on.
        OptionError: when no data are given and none are known, or the model does not say how it read them.

    """
    table = prepare_again(model, data, resources)
    if not is_same(model, table):
        raise DataError(
            f"{table.table.name}: not the table that the model was trained on: a scan of its training rows finds other "
            "levels, means or numbers of rows. Give the same files, in the same order."
        )
    return table


def prepare_again(model: Model, data: TableLike | None, resources: Resources | None = None) -> PreparedTable:
    """Return any table, read as the model's training read its own; see `read_again`."""
    resources = resources or Resources()
    if not model.training.roles:
        raise OptionError(
            "The model was saved by an older version, which did not say how its table was read; train again."
        )
    if data is None:
        data, known = model.trained_on()
        if resources.scheduler is None:
            resources = replace(resources, scheduler=known)
    if data is None:
        raise OptionError(
            "A model holds no rows, and the table it was trained on is gone from this process; give it as data."
        )
    roles: dict[str, Any] = dict(model.training.roles)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)  # said when the model was trained
        resources = replace(resources, csv=resources.csv.over(model.training.csv))
        return prepare_table(data, **roles, reference=math.isinf(model.training.C), resources=resources)


def is_same(model: Model, table: PreparedTable) -> bool:
    """Return whether a table, read again, is the one that the model was trained on.

    A scan finds the same of each column by itself, to the last bit; and a pass the same loss, which tells whether rows
    are still put together as they were.
    """
    training = model.training
    if table.schema != model.schema or table.counts.training != training.rows:
        return False
    if training.multi_class == "ovr" and len(model.coef) > 1:
        return bool(table.labels.shares.tolist() == training.shares)
    rows = _rows(model, table)
    held = np.full(model.schema.n_coefs, np.nan) if model.schema.held is None else model.schema.held
    objective = rows.objective(Options(C=math.inf), held)
    loss = objective(objective.theta(model.coef), order=0).loss
    return math.isclose(loss, training.loss, rel_tol=SAME_LOSS, abs_tol=SAME_LOSS)


def _rows(model: Model, table: PreparedTable) -> Rows:
    """Return the training rows of a table, to be fitted again."""
    schema = model.schema
    return Rows(
        source=table.training,
        schema=schema,
        labels=table.labels,
        units=Units(schema.centre, schema.scale),
        shape=shape_of(schema, {}, {}),
        seed=model.training.seed,
        on_pass=None,
    )


def compared(
    model: Model, columns: tuple[str, ...], data: TableLike | None, resources: Resources | None = None
) -> ColumnsTest:
    """Return the Wald test that some columns' coefficients are all zero, and, from the rows, the likelihood ratio.

    Args:
        model: an unpenalised one.
        columns: which, together.
        data: the table it was trained on; None for what `zeroloop.train` was given, where it is still there, else no
            likelihood ratio.
        resources: how the table is read.

    Raises:
        OptionError: for a column that makes no terms, or a model without standard errors.
        DataError: for another table.

    """
    estimates = model.needed_estimates()
    for known in estimates.tests:
        if known.columns == columns:
            return known
    if not estimates.compares_likelihoods or (data is None and model.trained_on()[0] is None):
        return wald(estimates, model.coef, model.schema, columns)
    table = read_again(model, data, resources)
    schema, training = model.schema, model.training
    rows = _rows(model, table)
    held = np.full(schema.n_coefs, np.nan) if schema.held is None else schema.held
    held[[at % schema.n_coefs for at in estimates.aliased_coefs]] = 0.0
    options = Options(C=math.inf, tol=training.tol)
    return without_columns(rows, options, estimates, model.coef, held, columns)
