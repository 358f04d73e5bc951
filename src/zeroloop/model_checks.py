"""What the parts of a model file must be to each other, so that nothing that is done with the model fails for it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from zeroloop.choices import MISSING_RULES
from zeroloop.csv_options import CsvOptions
from zeroloop.errors import OptionError
from zeroloop.estimates import Estimates, State
from zeroloop.plain_text import number_of
from zeroloop.records import RecordError
from zeroloop.tables.schema import DATE_PARTS, DateColumn, Level, Schema, is_day
from zeroloop.training_record import RolesRecord, Training

MOST_DECIMALS = 17  # digits of a float64
SOME_ROLES = {"target", "positive", "features", "drop", "categorical", "weights", "missing", "test_fraction", "seed"}


def check_schema(schema: Schema, rows: int) -> None:
    """Check columns, their levels, and their numbers of rows.

    Args:
        schema: as read.
        rows: that were trained on.

    Raises:
        RecordError: for what contradicts itself.

    """
    place = "$.schema"
    _unique([schema.target.name, *schema.features], place)
    _unique([*(name for name in schema.features if name in schema.sources), *schema.parts], place)
    _unique(schema.terms, f"{place} (terms)")
    for at, number in enumerate(schema.numeric):
        here = f"{place}.numeric[{at}]"
        _number(number.mean, f"{here}.mean")
        _number(number.scale, f"{here}.scale", above=0)
        _whole(number.missing, f"{here}.missing", rows)
        _whole(number.decimals or 0, f"{here}.decimals", MOST_DECIMALS)
    for at, column in enumerate(schema.categorical):
        here = f"{place}.categorical[{at}]"
        _levels(column.levels, here)
        if len(column.counts) != len(column.levels):
            raise RecordError(f"{len(column.counts)} counts of {number_of(len(column.levels), 'level')} - at `{here}`")
        if column.reference and not column.levels:
            raise RecordError(f"A reference level, but no levels - at `{here}`")
        for count in (*column.counts, column.other, column.missing):
            _whole(count, here, rows)
    if schema.sparse is not None:
        if len(schema.sparse.scale) != len(schema.sparse.deviations):
            raise RecordError(f"As many scales as deviations expected - at `{place}.sparse`")
        for scale, deviation in zip(schema.sparse.scale, schema.sparse.deviations, strict=True):
            _number(scale, f"{place}.sparse.scale", above=0)
            _number(deviation, f"{place}.sparse.deviations", least=0)
    if len(schema.target.levels) < 2:
        raise RecordError(f"Two or more classes expected - at `{place}.target.levels`")
    _levels(schema.target.levels, f"{place}.target")
    _unique(list(map(str, schema.target.levels)), f"{place}.target.levels")
    for at, one in enumerate(schema.dates):
        _date_column(one, schema, f"{place}.dates[{at}]")
    if schema.offset is not None and (not schema.numeric or schema.numeric[-1].name != schema.offset):
        raise RecordError(f"The offset {schema.offset!r} is not the last numeric column - at `{place}.offset`")


def _date_column(one: DateColumn, schema: Schema, place: str) -> None:
    _unique(one.parts, f"{place}.parts")
    numbers, levels = ([column.name for column in some] for some in (schema.numeric, schema.categorical))
    for part in one.parts:
        _one_of(part, DATE_PARTS[one.kind], f"{place}.parts")
        made = [name for name in one.columns_of(part) if name in numbers or name in levels]
        if not made:
            raise RecordError(f"A column {one.columns_of(part)[0]!r} expected - at `{place}.parts`")
        if any(name in numbers for name in made if name in one.levels):
            raise RecordError(f"Levels of {made[0]!r} expected - at `{place}.parts`")
    if not one.parts:
        raise RecordError(f"A part at least expected - at `{place}.parts`")
    if one.zone is not None and (one.kind != "date" or not one.zone):
        raise RecordError(f"{'No' if one.zone else 'A'} time zone expected - at `{place}.zone`")
    counted = one.kind == "date" and "days" in one.parts and one.columns_of("days")[0] in numbers
    if (one.origin is not None) != counted:
        raise RecordError(f"The date that days are counted from, and only that, expected - at `{place}.origin`")
    if one.origin is not None and not is_day(one.origin):
        raise RecordError(f"A date such as '2024-12-31' expected, got {one.origin!r} - at `{place}.origin`")


def check_training(training: Training, schema: Schema) -> None:
    """Check figures of how a model was found.

    Raises:
        RecordError: for one out of its range.

    """
    place = "$.training"
    _whole(training.rows, f"{place}.rows", least=1)
    for name in ("held_out_rows", "dropped_no_target", "dropped_incomplete", "passes", "max_iter"):
        _whole(getattr(training, name), f"{place}.{name}")
    if not training.C > 0:
        raise RecordError(f"A number above 0 expected, got {training.C} - at `{place}.C`")
    if not 0 <= training.l1_ratio <= 1:
        raise RecordError(f"A number from 0 to 1 expected, got {training.l1_ratio} - at `{place}.l1_ratio`")
    _one_of(training.multi_class, ("multinomial", "ovr"), f"{place}.multi_class")
    _number(training.tol, f"{place}.tol", above=0)
    if not 0 <= training.test_fraction < 1:
        raise RecordError(f"A number from 0 to below 1 expected - at `{place}.test_fraction`")
    _whole(training.seed, f"{place}.seed")
    if len(training.shares) != len(schema.target.levels):
        raise RecordError(f"{len(training.shares)} shares of {len(schema.target.levels)} classes - at `{place}.shares`")
    for share in training.shares:
        _number(share, f"{place}.shares", above=0)
    if not math.isclose(sum(training.shares), 1, rel_tol=1e-6):
        raise RecordError(f"Shares that sum to 1 expected - at `{place}.shares`")
    for name, ends in training.bounds.items():
        if len(ends) != 2 or not ends[0] <= ends[1]:
            raise RecordError(f"A lower and an upper end expected - at `{place}.bounds[{name!r}]`")
    for name, n in training.gaps.items():
        _whole(n, f"{place}.gaps[{name!r}]")
    found = training.cross_validation
    if found is not None and not len(found["C"]) == len(found["log_loss"]) == len(found["standard_error"]):
        raise RecordError(f"As many losses and errors as values of C expected - at `{place}.cross_validation`")
    if training.roles:
        _roles(training.roles, schema, f"{place}.roles")
    try:
        CsvOptions(**training.csv)  # type: ignore[arg-type]
    except OptionError as error:
        raise RecordError(f"{error} - at `{place}.csv`") from error
    for name, value in (training.arguments or {}).items():
        _argument(value, f"{place}.arguments.{name}")


def check_estimates(estimates: Estimates, schema: Schema) -> None:
    """Check what is known of coefficients against the columns.

    Raises:
        RecordError: for what does not fit.

    """
    place = "$.estimates"
    n_levels = len(schema.target.levels)
    if estimates.n_outputs != (1 if n_levels == 2 else n_levels - 1):
        raise RecordError(f"{estimates.n_outputs} outputs of {n_levels} classes - at `{place}.n_outputs`")
    n = estimates.n_outputs * schema.n_coefs
    if len(estimates.states) != n:
        raise RecordError(f"{len(estimates.states)} states of {number_of(n, 'coefficient')} - at `{place}.states`")
    _one_of(estimates.kind, ("model", "hc0", "hc1"), f"{place}.kind")
    _one_of(estimates.weights, (None, "frequency", "sampling"), f"{place}.weights")
    _one_of(estimates.method, ("ml", "firth"), f"{place}.method")
    _number(estimates.n, f"{place}.n", above=0)
    for name in ("log_likelihood", "null_log_likelihood"):
        _number(getattr(estimates, name), f"{place}.{name}")
    _whole(estimates.n_clusters or 0, f"{place}.n_clusters")
    if estimates.degrees_of_freedom is not None:
        _number(estimates.degrees_of_freedom, f"{place}.degrees_of_freedom", above=0)
    for test in estimates.tests:
        _whole(test.df, f"{place}.tests.df")
        if test.wald_df is not None:
            _number(test.wald_df, f"{place}.tests.wald_df", above=0)
        if (test.likelihood_ratio is None) != (test.likelihood_ratio_p is None):
            raise RecordError(f"A likelihood ratio and its p-value, or neither, expected - at `{place}.tests`")
    separation = estimates.separation
    if (separation is None) and State.NO_MAXIMUM in estimates.states:
        raise RecordError(f"Coefficients without a finite estimate, but no reason - at `{place}.separation`")
    if separation is None:
        return
    here = f"{place}.separation"
    _one_of(separation.kind, ("complete", "quasi-complete", "suspected"), f"{here}.kind")
    if len(separation.direction) != n or (separation.signs and len(separation.signs) != n):
        raise RecordError(f"A direction of {number_of(n, 'coefficient')} expected - at `{here}`")
    for value in separation.direction:
        _number(value, f"{here}.direction")
    for sign in separation.signs:
        _one_of(sign, (-1, 0, 1), f"{here}.signs")
    for indices, values in separation.undecided:
        if len(indices) != len(values) or not all(0 <= at < n for at in indices):
            raise RecordError(f"An index and a value of each coefficient expected - at `{here}.undecided`")
        for value in values:
            _number(value, f"{here}.undecided")


def _roles(roles: RolesRecord, schema: Schema, place: str) -> None:
    gone = sorted(SOME_ROLES - roles.keys())
    if gone:
        raise RecordError(f"Object missing required field `{gone[0]}` - at `{place}`")
    if roles["target"] != schema.target.name:
        raise RecordError(f"The target {schema.target.name!r} expected - at `{place}.target`")
    _one_of(roles["missing"], MISSING_RULES, f"{place}.missing")
    _whole(roles["seed"], f"{place}.seed")
    if not 0 <= roles["test_fraction"] < 1:
        raise RecordError(f"A number from 0 to below 1 expected - at `{place}.test_fraction`")


def _argument(value: Any, place: str) -> None:
    """Check that `zeroloop.report.provenance` can name a value: a scalar, or a list or an object of some."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        inner = item if isinstance(item, list) else [item]
        if any(isinstance(one, list | dict | None) for one in inner):
            raise RecordError(f"Text and numbers expected - at `{place}`")


def _levels(levels: Sequence[Level], place: str) -> None:
    """Check that levels are of one kind, finite, each there once."""
    kinds = {type(level) for level in levels}
    if len(kinds) > 1:
        raise RecordError(f"Levels of one kind expected - at `{place}.levels`")
    _unique(levels, f"{place}.levels")
    for level in levels:
        if isinstance(level, float):
            _number(level, f"{place}.levels")
    whole = [level for level in levels if isinstance(level, int)]
    if whole and not (min(whole) >= -(2**63) and max(whole) < (2**63 if min(whole) < 0 else 2**64)):
        raise RecordError(f"Whole numbers of 64 bits expected - at `{place}.levels`")


def _unique(names: Iterable[Any], place: str) -> None:
    twice = next((name for name, n in Counter(names).items() if n > 1), None)
    if twice is not None:
        raise RecordError(f"{twice!r} is there twice - at `{place}`")


def _one_of(value: Any, known: Collection[Any], place: str) -> None:
    if value not in known:
        raise RecordError(f"One of {', '.join(map(repr, known))} expected, got {value!r} - at `{place}`")


def _number(value: float, place: str, *, above: float = -math.inf, least: float = -math.inf) -> None:
    """Check that a number is finite, above one number, and at least another."""
    if not (math.isfinite(value) and value > above and value >= least):
        wanted = f" above {above}" if above > -math.inf else f" of at least {least}" if least > -math.inf else ""
        raise RecordError(f"A finite number{wanted} expected, got {value} - at `{place}`")


def _whole(value: int, place: str, most: int = 2**63 - 1, least: int = 0) -> None:
    if not least <= value <= most:
        raise RecordError(f"A whole number from {least:,} to {most:,} expected - at `{place}`")
