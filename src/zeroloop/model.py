"""A fitted model: schema + coefficients + how they were found. It predicts, saves and loads itself.

The file is JSON, format version 4::

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
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError, ModelFileError, ZeroloopWarning
from zeroloop.estimates import Estimates, packed, unpacked
from zeroloop.kernels.select import statistics
from zeroloop.progress import Progress, Work, unheard
from zeroloop.sources.one_against_rest import as_softmax
from zeroloop.sources.threads import map_in_order, thread_count
from zeroloop.tables.encode import Encoded, Surprises, check_columns, encode
from zeroloop.tables.formats import Piece
from zeroloop.tables.read import RawTable, TableLike, numbered, open_table
from zeroloop.tables.schema import Categorical, LeftOut, Numeric, Schema, SparseColumn, Target
from zeroloop.tables.write import replacing

FORMAT = "zeroloop model"
FORMAT_VERSION = 4


@dataclass(frozen=True, slots=True)
class Training:
    """How a model was found.

    Attributes:
        rows: rows fitted; held_out_rows, dropped_no_target, dropped_incomplete: the others.
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
    cross_validation: dict[str, Any] | None = None
    max_passes: int | None = None
    storage: str = "not recorded"
    skipped: list[dict[str, str]] = field(default_factory=list)

    @property
    def rows_read(self) -> int:
        """Rows of the table, used or not."""
        return self.rows + self.held_out_rows + self.dropped_no_target + self.dropped_incomplete


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch of rows with its predictor.

    Attributes:
        batch: the rows as read.
        encoded: as a block.
        z: linear predictor, `(rows,)`, or `(n_classes, rows)` of more than two; NaN where a row is incomplete and the
            model was trained on complete rows.

    """

    batch: pa.RecordBatch
    encoded: Encoded
    z: FloatArray

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a predictor, `(rows,)`."""
        return ~np.isnan(self.z if self.z.ndim == 1 else self.z[0])


@dataclass(frozen=True, slots=True)
class Model:
    """A logistic regression of one table's target on its other columns.

    Attributes:
        schema: the columns' kinds, levels, means and scales.
        coef: `(n_outputs, n_coefs)`, in the columns' own units: one output for two classes, else one for
            each; terms in the order of `schema.terms`.
        training: how it was found.
        held_out: scores on the rows held out, as `zeroloop train --json` prints them; None where there are none.
        estimates: how sure the coefficients are; None where that is not known.
        no_estimates: why it is not.

    """

    schema: Schema
    coef: FloatArray
    training: Training
    held_out: dict[str, Any] | None = None
    estimates: Estimates | None = None
    no_estimates: str | None = "the model was saved by a version of zeroloop that had none"

    def predict_proba(self, data: TableLike, threads: int | None = None) -> FloatArray:
        """Return the probability of each class for each row, `(m, n_classes)`, in the order of `schema.target.levels`.

        Rows with a missing value get NaN where the model was trained with `missing="drop"`.

        Raises:
            DataError: for a column that is missing or of another type.

        """
        parts = [self.probabilities(scored.z) for scored in self.scored(open_table(data), threads=threads)]
        return np.concatenate(parts or [np.empty((len(self.schema.target.levels), 0))], axis=1).T

    def predict(self, data: TableLike, threads: int | None = None) -> NDArray[Any]:
        """Return the most probable class of each row, `(m,)`; None where there is no probability."""
        probability = self.predict_proba(data, threads)
        levels = np.array(self.schema.target.levels)
        best, unknown = np.argmax(probability, axis=1), np.isnan(probability[:, 0])
        if not np.any(unknown):
            return np.asarray(levels[best])
        predicted = levels.astype(object)[best]
        predicted[unknown] = None
        return np.asarray(predicted)

    def probabilities(self, z: FloatArray) -> FloatArray:
        """Return the probability of each class `(n_classes, rows)` of predictors, `(rows,)` or `(n_classes, rows)`."""
        shares: FloatArray = statistics(z.shape[-1], self.schema.n_coefs).probabilities(self.as_softmax(z))
        return shares

    def as_softmax(self, z: FloatArray) -> FloatArray:
        """Return what softmax makes the classes' probabilities of; of two classes the predictor itself."""
        return as_softmax(z) if z.ndim > 1 and self.training.multi_class == "ovr" else z

    def score(self, data: TableLike, threads: int | None = None) -> float:
        """Return the accuracy on rows with a target, weighted as the model was trained.

        Raises:
            DataError: when no row has a target.

        """
        right = total = 0.0
        for scored in self.scored(open_table(data), labelled=True, threads=threads):
            y, weight = scored.encoded.block.y, scored.encoded.block.weight
            assert y is not None
            use = ~np.isnan(y) & scored.known
            w = np.ones(y.size) if weight is None else weight
            best = np.argmax(scored.z, axis=0) if scored.z.ndim > 1 else scored.z > 0
            right += float(np.sum(w[use] * (best == y)[use]))
            total += float(np.sum(w[use]))
        if total <= 0:
            raise DataError(f"No row has a value of the target {self.schema.target.name!r} to score against.")
        return right / total

    def scored(
        self,
        table: RawTable,
        *,
        labelled: bool = False,
        keep: Sequence[str] = (),
        threads: int | None = None,
        progress: Progress = unheard,
    ) -> Iterator[Scored]:
        """Yield the table's rows, batch by batch in order, with their predictor; one warning at the end.

        Args:
            table: with the schema's features, and its target and weights if `labelled`.
            labelled: whether to read the target.
            keep: further columns to read.
            threads: None for every core.
            progress: told how the work goes on.

        Raises:
            DataError: for a column that is missing or of another type.

        """
        check_columns(self.schema, table.schema, table.name)
        needed = [self.schema.target.name] if labelled else []
        needed += [self.schema.weights] if labelled and self.schema.weights else []
        for name in (*needed, *keep):
            if name not in table.schema.names:
                raise DataError(f"{table.name}: there is no column {name!r}; it has {', '.join(table.schema.names)}.")
        pieces = numbered(table.pieces({*self.schema.features, *needed, *keep}))
        surprises = Surprises()
        rows = incomplete = 0
        score = partial(self._score, labelled=labelled)
        for scored, n_bytes in map_in_order(score, pieces, thread_count(threads)):
            surprises += scored.encoded.surprises
            rows += scored.batch.num_rows
            progress(Work("scoring", rows, table.n_rows, n_bytes, table.n_bytes))
            incomplete += int(np.sum(~scored.known))
            yield scored
        if surprises.sentence():
            warnings.warn(str(surprises.sentence()), ZeroloopWarning, stacklevel=3)
        if incomplete:
            warnings.warn(
                f"{incomplete:,} of {rows:,} rows have a missing value and get no prediction: "
                "the model was trained on complete rows (missing='drop').",
                ZeroloopWarning,
                stacklevel=3,
            )

    def _score(self, numbered: tuple[int, Piece], labelled: bool) -> tuple[Scored, int]:
        first_row, batch = numbered[0], numbered[1].batch
        encoded = encode(batch, self.schema, first_row, labelled)
        # The coefficients are about zero, so the centre is too.
        kernels = statistics(batch.num_rows, self.schema.n_coefs)
        z = kernels.predictor(encoded.block, self.coef, np.zeros(len(self.schema.numeric)))
        if self.schema.missing == "drop":
            z[..., ~encoded.complete] = np.nan
        return Scored(batch, encoded, z), numbered[1].n_bytes

    def terms(self) -> pa.Table:
        """Return a row a term: `term`, `coef`, `odds_ratio`; with more than two classes a `class` before them."""
        terms = list(self.schema.terms)
        with np.errstate(over="ignore"):
            columns = {
                "term": terms * len(self.coef),
                "coef": self.coef.ravel(),
                "odds_ratio": np.exp(self.coef.ravel()),
            }
        if len(self.coef) == 1:
            return pa.table(columns)
        of_class = [level for level in self.schema.target.levels for _ in terms]
        return pa.table({"class": of_class} | columns)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model as JSON; see the module's docstring. An existing file is replaced in one step.

        Raises:
            OutputError: when the file cannot be written.

        """
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "schema": asdict(self.schema),
            "coefficients": self._coefficients(),
            "training": asdict(self.training),
            "held_out": self.held_out,
            "estimates": None if self.estimates is None else packed(self.estimates),
            "no_estimates": self.no_estimates,
        }
        with replacing(Path(path)) as temporary:
            temporary.write_text(json.dumps(_without_infinity(document), indent=1, allow_nan=False) + "\n", "utf-8")

    def _coefficients(self) -> dict[str, Any]:
        by_class = [dict(zip(self.schema.terms, row.tolist(), strict=True)) for row in self.coef]
        if len(by_class) == 1:
            return by_class[0]
        return dict(zip(map(str, self.schema.target.levels), by_class, strict=True))


def load(path: str | PathLike[str]) -> Model:
    """Return the model saved at `path`.

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
    try:
        if version == 1:
            document = _from_version_1(document)
        schema = schema_of(document["schema"])
        coef = _coef(document["coefficients"], schema)
        training = Training(**_with_infinity(document["training"]))
        if "estimates" not in document:  # of a version before 4
            return Model(schema, coef, training, document["held_out"])
        estimates = None if document["estimates"] is None else unpacked(document["estimates"])
        return Model(schema, coef, training, document["held_out"], estimates, document["no_estimates"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            f"{path}: a damaged zeroloop model ({type(error).__name__}: {error}); train or copy it again."
        ) from error


def _coef(found: dict[str, Any], schema: Schema) -> FloatArray:
    by_class = list(found.values()) if schema.target.n_outputs > 1 else [found]
    if schema.target.n_outputs > 1 and list(found) != [str(level) for level in schema.target.levels]:
        raise ValueError("the coefficients' classes are not the target's")
    if any(list(terms) != list(schema.terms) for terms in by_class):
        raise ValueError("the coefficients' terms are not the schema's")
    coef = np.array([[float(value) for value in terms.values()] for terms in by_class])
    if not np.all(np.isfinite(coef)):
        raise ValueError("a coefficient is not finite")
    return coef


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
