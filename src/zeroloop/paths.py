"""The path of coefficients from all-zero to nearly free: of arrays, and of a table."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zeroloop.algebra import log
from zeroloop.bars import shown
from zeroloop.blocks import FloatArray, Source
from zeroloop.charts import named_legend, new_figure, save
from zeroloop.csv_options import AS_FOUND, CsvOptions
from zeroloop.errors import OptionError
from zeroloop.figures import Listing
from zeroloop.fit import Options, Shape, plain_shape
from zeroloop.grid import Grid, fit_grid, fits_wanted, numbers_of
from zeroloop.labels import count_labels
from zeroloop.objective import Units
from zeroloop.plain_text import number_of, plain
from zeroloop.prepared import prepare_table, shape_of
from zeroloop.progress import Progress, Work, unheard
from zeroloop.resources import Resources
from zeroloop.sklearn_bases import importing
from zeroloop.sources.threads import thread_count
from zeroloop.tables.frames import column_name, column_names
from zeroloop.tables.read import TableLike
from zeroloop.tables.schema import Missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NAMED = 10  # terms that a chart names
SHOWN_OF_PATH, NEW_TERMS = 12, 4  # points of a path that are shown, and terms that are named at each


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Path:
    """Coefficients along a path of penalties, strongest first.

    Attributes:
        Cs: `(n_C,)`, increasing: inverse strength of the penalty.
        l1_ratio: share of the L1 penalty.
        terms: `(n_terms,)`, names of the terms, without the intercept.
        classes: of the labels; with two the coefficients are of the second.
        coef: `(n_C, n_outputs, n_terms)`, in the columns' own units; one output for two classes, else one for each.
        intercept: `(n_C, n_outputs)`.
        scale: `(n_terms,)`, standard deviations of the terms (of a sparse array's columns the largest absolute value):
            `coef * scale` can be compared.
        loss: `(n_C,)`, mean log loss of the rows.
        deviance_explained: `(n_C,)`, `1 - loss / null loss`, with the null loss that of the classes' shares: 0 at the
            all-zero end, 1 for a perfect fit (glmnet's `dev.ratio`).
        violation: `(n_C,)`, of the optimality conditions, mean objective, columns scaled to unit variance.
        converged: `(n_C,)`, whether it met `tol`.
        passes: sweeps over the rows, of all fits.

    """

    Cs: FloatArray
    l1_ratio: float
    terms: tuple[str, ...]
    classes: tuple[Any, ...]
    coef: FloatArray
    intercept: FloatArray
    scale: FloatArray
    loss: FloatArray
    deviance_explained: FloatArray
    violation: FloatArray
    converged: NDArray[np.bool_]
    passes: int

    def __repr__(self) -> str:
        return "\n".join(self._in_short())

    def _repr_html_(self) -> str:
        from zeroloop.report.cards import card  # loads what fills templates

        drawn = io.StringIO()
        self._drawn().savefig(drawn, format="svg")
        rows = [
            [f"{self.Cs[i]:.4g}", f"{self.n_nonzero[i]:,}", f"{self.deviance_explained[i]:.2%}", ", ".join(new)]
            for i, new in self.milestones()
        ]
        listing = Listing(
            caption="",
            header=("C", "terms off zero", "deviance explained", "new terms"),
            words=(False, False, False, True),
            rows=rows,
            n_rows=len(rows),
        )
        return card(lines=self._in_short(), tables=[listing], chart=drawn.getvalue().partition("?>")[2])

    def _in_short(self) -> list[str]:
        """Return the path in three lines."""
        low, high = (f"{value:.4g}" for value in (self.Cs[0], self.Cs[-1]))
        explained = f"{self.deviance_explained[0]:.1%} to {self.deviance_explained[-1]:.1%}"
        n_converged, n_fits = int(np.sum(self.converged)), len(self.Cs)
        return [
            f"Path of {number_of(n_fits, 'value')} of C from {low} to {high}: {self._penalty}, "
            f"{number_of(len(self.terms), 'term')}",
            f"Terms off zero: {self.n_nonzero[0]:,} to {self.n_nonzero[-1]:,}; deviance explained: {explained}",
            f"Converged: {n_converged:,} of {number_of(n_fits, 'fit')}, {number_of(self.passes, 'pass')} over the rows",
        ]

    @property
    def _penalty(self) -> str:
        return {0.0: "L2", 1.0: "L1"}.get(self.l1_ratio, f"elastic net, l1_ratio {self.l1_ratio:g}")

    def milestones(self) -> list[tuple[int, list[str]]]:
        """Return some points of the path, with the strongest of the terms that each adds; "..." for the others."""
        off_zero = np.any(self.coef != 0, axis=1)
        known = np.zeros(len(self.terms), dtype=bool)
        found = []
        for i in np.unique(np.linspace(0, len(self.Cs) - 1, SHOWN_OF_PATH).astype(int)):
            new = np.flatnonzero(off_zero[i] & ~known)
            known |= off_zero[i]
            strongest = new[np.argsort(-np.max(np.abs(self.coef[i] * self.scale), axis=0)[new], kind="stable")]
            found.append((int(i), [self.terms[j] for j in strongest[:NEW_TERMS]] + ["..."] * (new.size > NEW_TERMS)))
        return found

    @property
    def n_nonzero(self) -> NDArray[np.intp]:
        """How many terms have a coefficient off zero in any output, `(n_C,)`."""
        return np.asarray(np.sum(np.any(self.coef != 0, axis=1), axis=1))

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return a dictionary for each C: its fit and every coefficient by term (and class)."""
        rows = []
        for i, C in enumerate(self.Cs):
            row: dict[str, Any] = {
                "C": float(C),
                "nonzero": int(self.n_nonzero[i]),
                "deviance_explained": float(self.deviance_explained[i]),
                "converged": bool(self.converged[i]),
            }
            for k in range(self.coef.shape[1]):
                of_class = f"{self.classes[k]}: " if self.coef.shape[1] > 1 else ""
                row[f"{of_class}(intercept)"] = float(self.intercept[i, k])
                row |= {f"{of_class}{t}": float(v) for t, v in zip(self.terms, self.coef[i, k], strict=True)}
            rows.append(row)
        return rows

    def plot(self, file: str | PathLike[str]) -> None:
        """Draw every coefficient against C into a .png or .svg file: a panel an output, the strongest terms named.

        Coefficients are drawn per standard deviation of their column, so that lines can be compared.
        """
        save(self._drawn(), FilePath(file))

    def _drawn(self) -> Figure:
        n_outputs = self.coef.shape[1]
        figure = new_figure(8.5, 1.2 + 3.6 * n_outputs)
        panels = figure.subplots(n_outputs, 1, sharex=True, squeeze=False)[:, 0]
        for k, axes in enumerate(panels):
            lines = self.coef[:, k] * self.scale
            named = np.argsort(-np.abs(lines[-1]), kind="stable")[:MOST_NAMED]
            for j in np.flatnonzero(np.any(lines != 0, axis=0)):
                if j not in named:
                    axes.plot(self.Cs, lines[:, j], color="#bbbbbb", linewidth=0.8, zorder=1)
            named = np.array(sorted(named, key=lambda j: -lines[-1, j]))
            artists = [axes.plot(self.Cs, lines[:, j], linewidth=1.6, zorder=2)[0] for j in named]
            axes.axhline(0, color="black", linewidth=0.6)
            axes.set_xscale("log")
            axes.set_ylabel("coefficient a standard deviation")
            axes.spines[["top", "right"]].set_visible(False)
            place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
            named_legend(axes, artists, [self.terms[j] for j in named], **place, frameon=False, fontsize=8)
            if n_outputs > 1:
                axes.set_title(plain(f"class {self.classes[k]}"), loc="left", fontsize=10).set_parse_math(False)
            counts = axes.twiny()
            counts.set_xscale("log")
            counts.set_xlim(axes.get_xlim())
            at = np.linspace(0, len(self.Cs) - 1, 8).astype(int)
            counts.set_xticks(self.Cs[at], [f"{self.n_nonzero[i]}\n{self.deviance_explained[i]:.0%}" for i in at])
            counts.minorticks_off()
            counts.spines[["top", "right"]].set_visible(False)
            counts.tick_params(length=0, labelsize=8)
        panels[-1].set_xlabel("C, inverse strength of the penalty (above: terms off zero, deviance explained)")
        figure.suptitle(f"Path of coefficients, {self._penalty}", x=0.01, ha="left", fontsize=11)
        return figure


def logistic_path(
    X: Any,
    y: Any,
    *,
    Cs: int | Sequence[float] = 100,
    l1_ratio: float = 1.0,
    fit_intercept: bool = True,
    standardize: bool = True,
    penalty_factors: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-6,
    n_jobs: int | None = None,
) -> Path:
    """Fit a path of penalties to arrays, each fit from the last one's optimum.

    Args:
        X: `(m, n_features)`, dense or CSR or CSC, as `zeroloop.LogisticRegression` takes it.
        y: `(m,)`, two or more classes.
        Cs: values of C, or how many: so many are spread from the largest that leaves all coefficients zero to 10,000
            times it (100 with fewer rows than columns), evenly in their logarithm, as glmnet does.
        l1_ratio: share of the L1 penalty.
        fit_intercept: whether there is an intercept, which is not penalised.
        standardize: whether the penalty is of columns scaled to unit variance (glmnet's default; sparse columns are
            scaled by their largest absolute value), or of the columns as they are (scikit-learn's).
        penalty_factors: `(n_features,)`, multiplies each column's penalty; 0 leaves it unpenalised.
        sample_weight: `(m,)`, at least 0.
        tol: stop each fit at `max |smallest subgradient| <= tol`, columns scaled to unit variance.
        n_jobs: number of threads; None or -1 for every core, -2 for all but one.

    Raises:
        ValueError: for arrays that do not fit, NaN or infinity, one class, or an option out of its range or of another
            type.

    """
    from zeroloop.arrays import prepare
    from zeroloop.parameters import threads_of

    with importing():  # here, because a table's path does not need scikit-learn
        from zeroloop.constraints import check_path_parameters

    check_path_parameters(
        Cs=Cs,
        l1_ratio=l1_ratio,
        fit_intercept=fit_intercept,
        standardize=standardize,
        penalty_factors=penalty_factors,
        tol=tol,
        n_jobs=n_jobs,
    )
    options = Options(l1_ratio=float(l1_ratio), tol=float(tol))
    prepared = prepare(X, y, sample_weight, threads=threads_of(n_jobs, thread_count(None)))
    scale = prepared.units.scale
    shape = plain_shape(scale if standardize else np.ones_like(scale))
    if penalty_factors is not None:
        factors = numbers_of("penalty_factors", penalty_factors)
        factors = np.full(prepared.n_features, factors) if factors.ndim == 0 else factors
        if factors.shape != (prepared.n_features,):
            raise OptionError(
                f"penalty_factors has shape {factors.shape}; X has {number_of(prepared.n_features, 'column')}."
            )
        shape = Shape(shape.unit, np.append(1.0, factors), shape.lower, shape.upper)
    grid = Grid(
        options=options,
        units=prepared.units,
        shape=shape,
        classes=prepared.classes.tolist(),
        fit_intercept=bool(fit_intercept),
    )
    return _path(prepared.source, grid, Cs, prepared.names, scale[1:])


def path(
    data: TableLike,
    target: str,
    *,
    positive: Any = None,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    dates: Mapping[str, str | Sequence[str]] | None = None,
    weights: str | None = None,
    Cs: int | Sequence[float] = 100,
    l1_ratio: float = 1.0,
    penalty_factors: dict[str, float] | None = None,
    missing: Missing = "impute",
    tol: float = 1e-6,
    memory: str | int | None = None,
    spill: str | None = None,
    skip_bad_files: bool = False,
    csv: CsvOptions = AS_FOUND,
    threads: int | None = None,
    scheduler: Any = None,
    progress: Progress | bool = unheard,
) -> Path:
    """Fit a path of penalties to a table, each fit from the last one's optimum.

    All rows are used. For `Cs` and `l1_ratio` see `logistic_path`, for the rest `zeroloop.train`.

    Raises:
        DataError: for data that cannot be used as asked, naming file, column, row or value.
        OptionError: for an option out of its range.

    """
    options = Options(l1_ratio=l1_ratio, tol=tol)
    with shown(progress) as told:
        table = prepare_table(
            data,
            column_name(target),
            positive=positive,
            features=column_names(features),
            drop=column_names(drop),
            categorical=column_names(categorical),
            dates=dates,
            weights=column_name(weights),
            missing=missing,
            test_fraction=0.0,
            seed=0,
            reference=False,
            resources=Resources(
                threads=threads,
                memory=memory,
                spill=spill,
                skip_bad_files=skip_bad_files,
                csv=csv,
                progress=told,
                scheduler=scheduler,
            ),
        )
        schema = table.schema
        shape = shape_of(schema, penalty_factors or {}, {})
        grid = Grid(
            options=options,
            units=Units(schema.centre, schema.scale),
            shape=shape,
            classes=schema.target.levels,
            seed=table.roles.seed,
        )
        deviations = schema.deviations(table.counts.training)[1:]
        return _path(table.training, grid, Cs, schema.terms[1:], deviations, told)


def _path(
    source: Source,
    grid: Grid,
    Cs: int | Sequence[float],
    terms: Sequence[str],
    scale: FloatArray,
    progress: Progress = unheard,
) -> Path:
    values = fits_wanted(source, grid, Cs)
    labels = count_labels(source, grid.classes)
    fits = fit_grid(source, grid, values, lambda done: progress(Work(doing=f"fitting, C {done} of {values.size}")))
    shares = labels.shares if grid.fit_intercept else np.full(len(labels.shares), 1 / len(labels.shares))
    null_loss = float(-np.sum(labels.shares * log(shares)))
    losses = np.array([one.loss for one in fits])
    coefs = np.array([one.coef for one in fits])
    return Path(
        Cs=values,
        l1_ratio=grid.options.l1_ratio,
        terms=tuple(terms),
        classes=tuple(grid.classes),
        coef=coefs[:, :, 1:],
        intercept=coefs[:, :, 0],
        scale=scale,
        loss=losses,
        deviance_explained=np.maximum(1 - losses / null_loss, 0.0),  # at the all-zero end rounding may be below 0
        violation=np.array([one.worst.last.gradient_norm for one in fits]),
        converged=np.array([one.converged for one in fits]),
        passes=sum(one.passes for one in fits),
    )
