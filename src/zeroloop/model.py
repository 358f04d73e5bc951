"""A fitted model: schema + coefficients + how they were found. It predicts, saves and loads itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import exp
from zeroloop.blocks import FloatArray
from zeroloop.choices import nearest
from zeroloop.csv_options import AS_FOUND, CsvOptions
from zeroloop.errors import DataError, OptionError
from zeroloop.estimates import (
    ColumnsTest,
    Estimates,
    State,
    blurred,
    error_forms,
    own_units,
)
from zeroloop.figures import Figures
from zeroloop.kernels import statistics
from zeroloop.model_file import write_document
from zeroloop.one_row import RowPlan, plan_of
from zeroloop.packed_estimates import packed
from zeroloop.progress import Progress, Work, unheard
from zeroloop.resources import Resources
from zeroloop.row_errors import row_errors
from zeroloop.scored_rows import Scored, Tally
from zeroloop.sklearn_bases import importing
from zeroloop.sources.one_against_rest import as_softmax
from zeroloop.sources.threads import map_in_order, thread_count
from zeroloop.tables.encode import check_columns, encode
from zeroloop.tables.expected import Expected
from zeroloop.tables.raw import Batch, RawTable
from zeroloop.tables.read import TableLike, open_table
from zeroloop.tables.roles import check_target
from zeroloop.tables.rows import with_columns
from zeroloop.tables.schema import Schema
from zeroloop.terms import terms_table
from zeroloop.training_record import Training

if TYPE_CHECKING:
    from zeroloop.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
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
        origin: returns what `trained_on` does: a model keeps no data alive, and saves none.

    """

    schema: Schema
    coef: FloatArray
    training: Training
    held_out: dict[str, Any] | None = None
    estimates: Estimates | None = None
    no_estimates: str | None = None
    origin: Callable[[], tuple[Any, Any]] | None = field(default=None, compare=False, repr=False)
    _plans: list[RowPlan | None] = field(default_factory=list, init=False, compare=False)

    def __repr__(self) -> str:
        from zeroloop.summary import in_short  # above this module, as what the next methods call

        return "\n".join(in_short(self))

    def _repr_html_(self) -> str:
        from zeroloop.report.cards import model_card

        return model_card(self)

    @property
    def blurred(self) -> list[str]:
        """How far rounding puts predictions off, in a sentence; empty where that is nothing."""
        return blurred(self.coef, self.schema.centre, self.schema.scale)

    def trained_on(self) -> tuple[Any, Any]:
        """Return the data and the scheduler it was trained with, where that was in this process.

        The data are None where they are gone, the scheduler where there was none.
        """
        return (None, None) if self.origin is None else self.origin()

    def expected(self, csv: CsvOptions = AS_FOUND) -> Expected:
        """Return what is known of a table to predict from: what columns hold, and how its files are written.

        Args:
            csv: what is said of the files; for the rest, what was said of those it was trained on counts.

        """
        schema = self.schema
        levels = {column.name: column.levels for column in schema.categorical}
        levels[schema.target.name] = schema.target.levels
        text = {name: frozenset(map(str, some)) for name, some in levels.items() if isinstance(some[0], str)}
        text |= {one.name: frozenset[str]() for one in schema.dates}
        numbers = {column.name for column in schema.numeric} | (levels.keys() - text.keys())
        return Expected(csv=csv.over(self.training.csv), text=text, numbers=frozenset(numbers))

    def predict_proba(self, data: TableLike, threads: int | None = None, csv: CsvOptions = AS_FOUND) -> FloatArray:
        """Return the probability of each class for each row, `(m, n_classes)`, in the order of `schema.target.levels`.

        Rows may be dictionaries too: `[{"hour": 9, "carrier": "UA"}, ...]`, or one. Rows with a missing value get NaN
        where the model was trained with `missing="drop"`. Of CSV files `csv` says how they are written; what it leaves
        open is as it was said in training.

        Raises:
            DataError: for a column that is missing or of another type.

        """
        table = open_table(with_columns(data, self.schema.sources), self.expected(csv))
        parts = [self.probabilities(scored.z) for scored in self.scored(table, threads=threads)]
        return np.concatenate(parts or [np.empty((len(self.schema.target.levels), 0))], axis=1).T

    def predict(self, data: TableLike, threads: int | None = None, csv: CsvOptions = AS_FOUND) -> NDArray[Any]:
        """Return the most probable class of each row, `(m,)`; None where there is no probability."""
        probability = self.predict_proba(data, threads, csv)
        levels = np.array(self.schema.target.levels)
        best, unknown = np.argmax(probability, axis=1), np.isnan(probability[:, 0])
        if not np.any(unknown):
            return np.asarray(levels[best])
        predicted = levels.astype(object)[best]
        predicted[unknown] = None
        return np.asarray(predicted)

    def predict_one(self, row: Mapping[str, Any]) -> FloatArray:
        """Return the probability of each class for one row, `(n_classes,)`, in the order of `schema.target.levels`.

        The same as `predict_proba` of it, to rounding, in some microseconds: of numbers and levels that training knew,
        and of missing values where it had such; of anything else in about a millisecond.

        Args:
            row: a value for each of the model's columns, by name; others are not looked at.

        Raises:
            DataError: for a column that is missing or of another type.

        Examples:
            >>> model = zeroloop.train("flights.parquet", "late")  # doctest: +SKIP
            >>> model.predict_one({"hour": 9, "carrier": "UA", "origin": "EWR", ...})  # doctest: +SKIP
            array([0.81, 0.19])

        """
        if not self._plans:
            self._plans.append(plan_of(self.schema, self.coef))
        plan = self._plans[0]
        z = None if plan is None else plan.predictor(row)
        if z is None:
            return np.asarray(self.predict_proba([row])[0])
        if isinstance(z, np.ndarray):
            return np.asarray(self.probabilities(z[:, np.newaxis])[:, 0])
        e = exp(-abs(z))
        share = 1 / (1 + e)
        return np.array([e * share, share] if z >= 0 else [share, e * share])

    def probabilities(self, z: FloatArray) -> FloatArray:
        """Return the probability of each class `(n_classes, rows)` of predictors, `(rows,)` or `(n_classes, rows)`."""
        shares: FloatArray = statistics.probabilities(self.as_softmax(z))
        return shares

    def as_softmax(self, z: FloatArray) -> FloatArray:
        """Return what softmax makes the classes' probabilities of; of two classes the predictor itself."""
        return as_softmax(z) if z.ndim > 1 and self.training.multi_class == "ovr" else z

    def score(self, data: TableLike, threads: int | None = None, csv: CsvOptions = AS_FOUND) -> float:
        """Return the accuracy on rows with a target, weighted as the model was trained.

        Raises:
            DataError: when no row has a target.

        """
        right = total = 0.0
        for scored in self.scored(open_table(data, self.expected(csv)), labelled=True, threads=threads):
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
        errors: bool = False,
        threads: int | None = None,
        progress: Progress = unheard,
        tally: Tally | None = None,
    ) -> Iterator[Scored]:
        """Yield the table's rows, batch by batch in order, with their predictor.

        Args:
            table: with the schema's features, and its target and weights if `labelled`.
            labelled: whether to read the target.
            keep: further columns to read.
            errors: whether to give predictors' standard errors.
            threads: None for every core.
            progress: told how the work goes on.
            tally: where what is odd about the rows is counted; None to warn of it at the end.

        Raises:
            DataError: for a column that is missing or of another type.
            OptionError: when errors are asked of a model that has none.

        """
        error_of = None
        if errors:
            estimates = self.needed_estimates()
            forms = error_forms(estimates.covariance, self.schema.scale)
            error_of = partial(row_errors, estimates=estimates, schema=self.schema, forms=forms)
        columns = self.columns_read(table, labelled, keep)
        batches = table.batches(columns)
        found = Tally() if tally is None else tally
        score = partial(self._score, labelled=labelled, error_of=error_of)
        for scored, n_bytes in map_in_order(score, batches, thread_count(threads)):
            found.surprises += scored.encoded.surprises
            found.rows += scored.batch.num_rows
            progress(
                Work(
                    doing="scoring",
                    rows=found.rows,
                    total_rows=table.n_rows,
                    n_bytes=n_bytes,
                    total_bytes=table.n_bytes,
                )
            )
            found.incomplete += int(np.sum(~scored.known))
            yield scored
        if tally is None:
            found.warn(self.blurred)

    def columns_read(self, table: RawTable, labelled: bool, keep: Sequence[str] = ()) -> set[str]:
        """Return the columns of a table that are read to score it; see `scored`.

        Raises:
            DataError: for one that is missing or of another type.

        """
        check_columns(self.schema, table.schema, table.name)
        needed = [self.schema.target.name] if labelled else []
        needed += [self.schema.weights] if labelled and self.schema.weights is not None else []
        for name in (*needed, *keep):
            if name not in table.schema.names:
                names = table.schema.names
                raise DataError(f"{table.name}: there is no column {name!r}{nearest(name, names, 'it has')}")
        if labelled:
            check_target(self.schema.target.name, table.schema.field(self.schema.target.name).type)
        return {*self.schema.sources, *needed, *keep}

    def _score(self, read: Batch, labelled: bool, error_of: Callable[..., FloatArray] | None) -> tuple[Scored, int]:
        batch = read.rows
        encoded = encode(batch, self.schema, read.first_row, labelled)
        # The coefficients are about zero, so the centre is too.
        z = statistics.predictor(encoded.block, self.coef, np.zeros(len(self.schema.numeric)))
        if self.schema.missing == "drop":
            z[..., ~encoded.complete] = np.nan
        errors = None if error_of is None else error_of(encoded.block, self.probabilities(z))
        return Scored(batch, encoded, z, errors), read.n_bytes

    def terms(self, level: float = 0.95) -> Figures:
        """Return a row a term: what is known of each coefficient; see `zeroloop.figures.Figures`.

        The columns are `term`, `coef`, `odds_ratio`, and of an unpenalised fit, else null, `std_err`, `z`, `p`,
        `ci_lower`, `ci_upper`, `odds_ratio_lower`, `odds_ratio_upper` (Wald) and `state`: why there are none. With more
        than two classes a `class` stands before them, and where there are standard errors everything is relative to the
        first class. Where the likelihood has no maximum a `limit` follows: "+inf" or "-inf" where every way to its
        supremum takes a coefficient there, else null; `coef` is then what predictions are made with.

        Args:
            level: confidence of the intervals, between 0 and 1.

        Raises:
            OptionError: for another level.

        """
        return Figures(terms_table(self.schema, self.coef, self.estimates, level))

    def covariance(self) -> FloatArray:
        """Return the covariance of the coefficients, `(n, n)`, in the order of `terms()`, in the columns' own units.

        Rows and columns of coefficients that have no finite estimate, or repeat others, are NaN.

        Raises:
            OptionError: for a model without standard errors, with the reason.

        """
        estimates = self.needed_estimates()
        found = own_units(estimates.covariance, self.schema.centre, self.schema.scale)
        unknown = [state != State.ESTIMATED for state in estimates.states]
        found[unknown], found[:, unknown] = np.nan, np.nan
        return found

    def summary(self, level: float = 0.95) -> Summary:
        """Return figures of the fit, terms and tests, which print as a table; see `zeroloop.summary.Summary`.

        Args:
            level: confidence of the intervals.

        """
        from zeroloop.summary import summarise

        return summarise(self, level)

    def test(
        self, *columns: str, data: TableLike | None = None, scheduler: Any = None, csv: CsvOptions = AS_FOUND
    ) -> ColumnsTest:
        """Return the test that some columns' coefficients are all zero; see `zeroloop.again.compared`."""
        from zeroloop.again import compared

        return compared(self, columns, data, Resources(scheduler=scheduler, csv=csv))

    def marginal_effects(
        self,
        data: TableLike | None = None,
        level: float = 0.95,
        scheduler: Any = None,
        csv: CsvOptions = AS_FOUND,
    ) -> Figures:
        """Return each column's average effect on the probability; see `zeroloop.effects.marginal_effects`."""
        from zeroloop.effects import marginal_effects

        return marginal_effects(self, data, level, scheduler, csv)

    def report(
        self,
        path: str | PathLike[str],
        data: TableLike | None = None,
        scheduler: Any = None,
        csv: CsvOptions = AS_FOUND,
    ) -> None:
        """Write a page about the model; see `zeroloop.report.page.report`."""
        from zeroloop.report.page import report

        report(self, path, data, Resources(scheduler=scheduler, csv=csv))

    def to_sklearn(self) -> Any:
        """Return the model as a `Pipeline` of scikit-learn's own classes; see `zeroloop.as_sklearn.pipeline`."""
        with importing():
            from zeroloop.as_sklearn import pipeline
        return pipeline(self)

    def needed_estimates(self) -> Estimates:
        """Return what is known of the coefficients.

        Raises:
            OptionError: when that is nothing, with the reason.

        """
        if self.estimates is None:
            raise OptionError(f"The model has no standard errors: {self.no_estimates}.")
        return self.estimates

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model as JSON; see `zeroloop.model_file`. An existing file is replaced in one step.

        Raises:
            OutputError: when the file cannot be written.

        """
        parts = {
            "schema": asdict(self.schema),
            "coefficients": self._coefficients(),
            "training": asdict(self.training),
            "held_out": self.held_out,
            "estimates": None if self.estimates is None else packed(self.estimates),
            "no_estimates": self.no_estimates,
        }
        write_document(path, parts)

    def _coefficients(self) -> dict[str, Any]:
        by_class = [dict(zip(self.schema.terms, row.tolist(), strict=True)) for row in self.coef]
        if len(by_class) == 1:
            return by_class[0]
        return dict(zip(map(str, self.schema.target.levels), by_class, strict=True))
