"""How a model was found, as it keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from zeroloop.records import NO_NUMBER


class PassRecord(TypedDict):
    """What a pass of the fit found."""

    loss: float
    gradient: float | None


class SkippedFile(TypedDict):
    """A file that was left out, and why."""

    path: str
    reason: str


class CrossValidationRecord(TypedDict):
    """How C was chosen; see `zeroloop.grid.CrossValidation.record`."""

    rule: str
    folds: int
    C: list[float]
    log_loss: list[float]
    standard_error: list[float]
    passes: int


class RolesRecord(TypedDict, total=False):
    """What each column was for: what `zeroloop.prepared.prepare_table` takes."""

    target: str
    positive: str | None
    features: list[str] | None
    drop: list[str]
    categorical: list[str]
    dates: dict[str, list[str]]
    weights: str | None
    missing: str
    test_fraction: float
    seed: int
    offset: str | None
    cluster: str | None


class CsvRecord(TypedDict, total=False):
    """What was said of how files are written; see `zeroloop.CsvOptions`."""

    encoding: str
    delimiter: str
    decimal: str
    header: bool
    skip: int
    comment: str
    sheet: str
    na: list[str]
    not_na: list[str]


class ScoresRecord(TypedDict):
    """Scores of a model, or of the base rate; see `zeroloop.scoring.Scores`."""

    log_loss: float
    auc: float | None
    brier: float
    accuracy: float


class HeldOutRecord(ScoresRecord):
    """Scores on the rows held out."""

    rows: int
    auc_bins: NotRequired[int]
    base_rate: ScoresRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How a model was found.

    Attributes:
        rows: rows fitted; held_out_rows, dropped_no_target, dropped_incomplete: the others.
        gaps: of the rows dropped as incomplete, how many have no value in each column; a row may count for several.
        C, l1_ratio, multi_class, solver, tol, max_iter, learning_rate: as asked (C and solver as chosen).
        penalty_factors, bounds: as asked, by column.
        test_fraction, seed: of the rows held out.
        passes: sweeps over the rows; n_iter: the solver's steps.
        converged: whether the gradient met tol; outcome: in words.
        loss: mean log loss of the rows fitted; objective: with the penalty.
        gradient_norm: max |gradient of the objective|, columns scaled to unit variance; with an L1 penalty or bounds
            the violation of the optimality conditions.
        shares: weighted share of each class among the rows fitted.
        cross_validation: how C was chosen, where it was: see `zeroloop.grid.CrossValidation.record`.
        seconds: spent in `read`, `encode`, `fit` and `score`.
        data: what was read; date: when, UTC; version: of zeroloop.
        roles: of the table's columns, as asked: what `zeroloop.prepared.prepare_table` takes.
        history: `loss` and `gradient` (its largest entry, null where it was not asked for) of each pass of the fit;
            empty where each class has a fit of its own.
        arguments: what `zeroloop.train` was given, as far as it decides on the model and is not the default, C as
            chosen; paths: of the table, as named, none of one in memory. Both None in models of older versions.
        sql: the query whose result it was; None for none.
        csv: what was said of how the table's files are written, and which words are missing values; see
            `zeroloop.CsvOptions`.
        storage: in words, where the encoded rows were; skipped: `path` and `reason` of each file left out.

    """

    rows: int
    held_out_rows: int
    dropped_no_target: int
    dropped_incomplete: int
    C: float
    l1_ratio: float
    multi_class: str
    penalty_factors: dict[str, float]
    bounds: dict[str, list[float]]
    solver: str
    tol: float
    max_iter: int
    learning_rate: float
    test_fraction: float
    seed: int
    passes: int
    n_iter: list[int]
    converged: bool
    outcome: str
    loss: float
    objective: float
    gradient_norm: float
    shares: list[float]
    seconds: dict[str, float]
    data: str
    date: str
    version: str
    cross_validation: CrossValidationRecord | None = None
    roles: RolesRecord = field(default_factory=RolesRecord)
    history: list[PassRecord] = field(default_factory=list)
    max_passes: int | None = None
    storage: str = "not recorded"
    skipped: list[SkippedFile] = field(default_factory=list)
    gaps: dict[str, int] = field(default_factory=dict)
    arguments: dict[str, Any] | None = None
    paths: list[str] | None = None
    csv: CsvRecord = field(default_factory=CsvRecord)
    sql: str | None = None

    @property
    def rows_read(self) -> int:
        """Rows of the table, used or not."""
        return self.rows + self.held_out_rows + self.dropped_no_target + self.dropped_incomplete


def with_arguments(found: Any) -> Any:
    """Return a training, as parsed, whose arguments have numbers for "inf" where `zeroloop.train` takes numbers.

    These are C and what is given by column; other arguments may be the name of a column, or a word.
    """
    arguments = found.get("arguments") if isinstance(found, dict) else None
    if not isinstance(arguments, dict):
        return found
    numbers = {
        name: _number(value) if name == "C" else {key: _numbers(item) for key, item in value.items()}
        for name, value in arguments.items()
        if name == "C" or (isinstance(value, dict) and name != "csv")
    }
    return {**found, "arguments": arguments | numbers}


def _numbers(value: Any) -> Any:
    return list(map(_number, value)) if isinstance(value, list) else _number(value)


def _number(value: Any) -> Any:
    return NO_NUMBER.get(value, value) if isinstance(value, str) else value
