"""What is known of a model, as R prints it: the figures of the fit, a row a term, tests, and what to be warned of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zeroloop.estimates import ColumnsTest, Estimates, State, chi_squared, troubles
from zeroloop.figures import MOST_SHOWN, Listing, p_text, ratio_text
from zeroloop.model import Model
from zeroloop.plain_text import number_of, one_line, plain
from zeroloop.tables.schema import INTERCEPT
from zeroloop.training_record import Training

COVARIANCES = {"model": "from the model", "hc0": "robust (HC0)", "hc1": "robust (HC1)"}
METHODS = {"ml": "maximum likelihood", "firth": "Firth's bias-reduced fit"}
WEIGHTS = {"frequency": "how often a row was met", "sampling": "how many a row stands for"}
ILL_CONDITIONED = 1e3  # from here on it is said
MOST_GAPS = 5  # columns with gaps that are named
LONG, MOST_CLASSES = 60, 5  # characters of a name, and classes, in short
NO_HELD_OUT = (
    "All rows were used for the estimates, so there are no scores on rows held out; test_fraction=0.2 "
    "(--test-fraction 0.2) holds some out for them."
)
NAMES = {
    "method": "Fit",
    "covariance": "Standard errors",
    "clusters": "Clusters",
    "weights": "Weights",
    "reference": "Relative to",
    "observations": "Observations",
    "parameters": "Parameters",
    "log_likelihood": "Log-likelihood",
    "null_deviance": "Null deviance",
    "deviance": "Deviance",
    "aic": "AIC",
    "bic": "BIC",
    "pseudo_r2": "McFadden's pseudo R2",
    "likelihood_ratio": "Likelihood ratio against the intercept",
    "likelihood_ratio_df": "its degrees of freedom",
    "likelihood_ratio_p": "its p-value",
    "condition": "Condition number",
    "degrees_of_freedom": "Degrees of freedom of t",
}
SCORES = {"log_loss": "log loss", "auc": "AUC", "brier": "Brier score", "accuracy": "accuracy"}
FEW_CLUSTERS = 40  # Angrist and Pischke, "Mostly Harmless Econometrics", 2009, have 42; Stata and survey users about so


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Summary:
    """A model's summary; shows itself as a table.

    Attributes:
        figures: of the fit, by name; see `fit_figures`. Empty where there are none.
        terms: a row a term, as `Model.terms`.
        tests: of columns.
        notes: sentences to read before the figures are used.
        level: confidence of the intervals.

    """

    figures: dict[str, Any]
    terms: list[dict[str, Any]]
    tests: tuple[ColumnsTest, ...]
    notes: tuple[str, ...]
    level: float

    def __str__(self) -> str:
        return self._text(len(self.terms))

    def __repr__(self) -> str:
        return self._text(MOST_SHOWN)

    def _repr_html_(self) -> str:
        from zeroloop.report.cards import card  # loads what fills templates

        figures = Listing(
            caption="The fit",
            header=("", ""),
            words=(True, False),
            rows=[[NAMES[name], figure_text(name, value)] for name, value in self.figures.items()],
            n_rows=len(self.figures),
        )
        terms = self.listing(self.terms[:MOST_SHOWN])
        notes = [*map(columns_test_text, self.tests), *self.notes]
        return card(tables=[figures, terms] if self.figures else [terms], notes=notes)

    def _text(self, most: int) -> str:
        """Return the summary with at most so many terms."""
        parts = [
            [f"{NAMES[name]}: {figure_text(name, value)}" for name, value in self.figures.items()],
            self.listing(self.terms[:most]).lines(),
            list(map(columns_test_text, self.tests)),
            self.notes,
        ]
        return "\n\n".join("\n".join(map(plain, lines)) for lines in parts if lines)

    def listing(self, terms: Sequence[dict[str, Any]], caption: str = "") -> Listing:
        """Return some of the terms as a table."""
        header = self.header()
        first = header.index("coef")
        return Listing(
            caption=caption or number_of(len(self.terms) - self.n_intercepts, "term"),
            header=header,
            words=[i < first for i in range(len(header))],
            rows=[self.row(term) for term in terms],
            n_rows=len(self.terms),
        )

    def strongest(self, model: Model, most: int) -> Listing:
        """Return intercepts and the terms with the largest |coef| a standard deviation, the `most` at most."""
        n_terms = len(self.terms) - self.n_intercepts
        if n_terms <= most:
            return self.listing(self.terms)
        deviations = model.schema.deviations(model.training.rows)
        strength = [abs(term["coef"]) * deviations[j % deviations.size] for j, term in enumerate(self.terms)]
        order = sorted(range(len(self.terms)), key=lambda j: -strength[j])
        shown = [term for term in self.terms if term["term"] == INTERCEPT]
        shown += [self.terms[j] for j in order if self.terms[j]["term"] != INTERCEPT][:most]
        return self.listing(shown, f"{most} strongest of {number_of(n_terms, 'term')}")

    @property
    def n_intercepts(self) -> int:
        """How many of the terms are intercepts."""
        return sum(term["term"] == INTERCEPT for term in self.terms)

    def header(self) -> list[str]:
        """Return the titles of the terms' columns."""
        named = ["class"] if self.terms and "class" in self.terms[0] else []
        if not self.figures:
            return [*named, "term", "coef", "odds ratio"]
        ratio = "t" if "degrees_of_freedom" in self.figures else "z"
        return [*named, "term", "coef", "std. error", ratio, "p", "odds ratio", f"{self.level * 100:.4g}% interval"]

    def row(self, term: dict[str, Any]) -> list[str]:
        """Return a term as text, in the order of the header."""
        named = [str(term["class"])] if "class" in term else []
        named.append(term["term"])
        state = term["state"]
        coef = f"{term['coef']:.6g}"
        if not self.figures:
            return [*named, coef, ratio_text(term["odds_ratio"])]
        if state is not None:
            coef = {State.ALIASED: "-", State.NO_MAXIMUM: term.get("limit") or "-"}.get(state, coef)
            return [*named, coef, state, "", "", "", ""]
        ends = [ratio_text(term[f"odds_ratio_{end}"]) for end in ("lower", "upper")]
        figures = [f"{term['std_err']:.4g}", f"{term['z']:.2f}", p_text(term["p"]), ratio_text(term["odds_ratio"])]
        return [*named, coef, *figures, " to ".join(ends)]


def summarise(model: Model, level: float = 0.95, tests: Sequence[ColumnsTest] = ()) -> Summary:
    """Return a model's summary.

    Args:
        model: to be described.
        level: confidence of the intervals.
        tests: of columns, beside those made when it was trained.

    """
    estimates = model.estimates
    terms = model.terms(level).to_pylist()
    if estimates is None:
        return Summary(
            figures={}, terms=terms, tests=(), notes=(f"No standard errors: {model.no_estimates}.",), level=level
        )
    made = {test.columns: test for test in (*estimates.tests, *tests)}
    figures = fit_figures(estimates)
    if len(model.coef) > 1:
        figures["reference"] = str(model.schema.target.levels[0])
    return Summary(
        figures=figures, terms=terms, tests=tuple(made.values()), notes=tuple(_notes(model, estimates)), level=level
    )


def in_short(model: Model) -> list[str]:
    """Return a model in three lines: what it predicts from what, how it was found, how good it is."""
    schema, training, held_out = model.schema, model.training, model.held_out
    levels = [_short(str(level)) for level in schema.target.levels]
    what = f"probability of {levels[1]} (against {levels[0]})"
    if len(levels) > 2:
        what = f"probability of each of {len(levels)} classes ({', '.join(levels[:MOST_CLASSES])}"
        what += ", ...)" if len(levels) > MOST_CLASSES else ")"
    columns = number_of(len(schema.features), "column")
    penalty = "no penalty" if math.isinf(training.C) else f"C = {training.C:.4g}"
    penalty += f", l1_ratio = {training.l1_ratio:g}" if training.l1_ratio > 0 else ""
    state = "converged" if training.converged else "not converged"
    found = f"{training.solver}, {penalty}, {state} in {number_of(training.passes, 'pass')}"
    lines = [
        f"Model of {_short(schema.target.name)}: {what} from {columns}, {number_of(model.coef.shape[1] - 1, 'term')}",
        f"Fit to {number_of(training.rows, 'row')} of {_short(training.data)} by {found}; log loss {training.loss:.4f}",
        "No rows held out: no scores; summary() has " + ("standard errors" if model.estimates else "the coefficients"),
    ]
    if held_out:
        auc = "" if held_out["auc"] is None else f"AUC {held_out['auc']:.4f}, "
        loss = f"log loss {held_out['log_loss']:.4f} (base rate {held_out['base_rate']['log_loss']:.4f})"
        lines[2] = f"On {number_of(held_out['rows'], 'held-out row')}: {auc}{loss}"
    return [one_line(line) for line in lines]


def _short(name: str) -> str:
    return name if len(name) <= LONG else f"{name[:LONG]}..."


def fit_figures(estimates: Estimates) -> dict[str, Any]:
    """Return the figures of a fit; those that compare likelihoods only where they can be compared."""
    e, k = estimates, estimates.n_estimated
    figures: dict[str, Any] = {"method": e.method, "covariance": e.kind}
    if e.n_clusters is not None:
        figures["clusters"] = e.n_clusters
    if e.weights is not None:
        figures["weights"] = e.weights
    if e.degrees_of_freedom is not None:
        figures["degrees_of_freedom"] = e.degrees_of_freedom
    figures |= {"observations": e.n, "parameters": k, "log_likelihood": e.log_likelihood}
    figures |= {"null_deviance": -2 * e.null_log_likelihood, "deviance": -2 * e.log_likelihood + 0.0}  # no -0
    if e.compares_likelihoods:
        statistic = max(2 * (e.log_likelihood - e.null_log_likelihood), 0.0)
        df = k - e.n_outputs
        figures |= {
            "aic": 2 * k - 2 * e.log_likelihood,
            "bic": math.log(e.n) * k - 2 * e.log_likelihood,
            "pseudo_r2": 1 - e.log_likelihood / e.null_log_likelihood if e.null_log_likelihood else None,
            "likelihood_ratio": statistic,
            "likelihood_ratio_df": df,
            "likelihood_ratio_p": chi_squared(statistic, df) if df else None,
        }
    return figures | {"condition": e.condition}


def dropped_text(training: Training) -> str:
    """Return how many rows were dropped as incomplete, and for which columns; empty where none were."""
    n, gaps = training.dropped_incomplete, training.gaps
    if not n:
        return ""
    shown = [f"{name} ({gap:,})" for name, gap in list(gaps.items())[:MOST_GAPS]]
    shown += [f"and {len(gaps) - MOST_GAPS} more"] * (len(gaps) > MOST_GAPS)
    where = f", without a value in {', '.join(shown)}" if shown else ""
    were = "was" if n == 1 else "were"
    return f"{n:,} of {number_of(training.rows_read, 'row')} {were} dropped as incomplete{where}."


def _notes(model: Model, estimates: Estimates) -> list[str]:
    notes = troubles(estimates, model.coef, model.schema.centre, model.schema.scale)
    training = model.training
    if training.held_out_rows:
        n = training.rows + training.held_out_rows
        notes.append(
            f"The estimates are of {training.rows:,} of {number_of(n, 'row')} ({training.rows / n:.0%}): the others "
            "were held out for the scores. With test_fraction=0 (--test-fraction 0) they are of all."
        )
    else:
        notes.append(NO_HELD_OUT)
    if training.dropped_incomplete:
        notes.append(dropped_text(training))
    if not model.training.converged:
        notes.append("The fit is not converged; the figures are of where it stopped.")
    if estimates.condition > ILL_CONDITIONED:
        notes.append(
            f"Some columns nearly repeat others (condition number {estimates.condition:.2g}): their coefficients have "
            "wide intervals, and none of them should be read by itself."
        )
    notes += _few_clusters(estimates)
    if not estimates.compares_likelihoods:
        why = {
            estimates.method == "firth": "Firth's estimates are no maximum of the likelihood",
            estimates.n_clusters is not None: "rows of a cluster are not independent",
            estimates.weights == "sampling": "rows are a weighted sample",
        }[True]
        notes.append(f"Likelihood ratios, AIC and BIC are left out: {why}.")
    return notes


def _few_clusters(estimates: Estimates) -> list[str]:
    """Return what to think of errors from few clusters."""
    n, df = estimates.n_independent, estimates.degrees_of_freedom
    if n is None or n >= FEW_CLUSTERS:
        return []
    what = "clusters" if estimates.n_clusters is not None else "rows with sampling weights, each its own cluster"
    notes = [
        f"There are {n:.0f} {what}: with fewer than some {FEW_CLUSTERS}, robust standard errors tend to be too small, "
        "and p-values with them. "
        + (
            "degrees_of_freedom='clusters' (--df clusters) takes them from t with one degree of freedom less than that."
            if df is None
            else f"Taken from t with {df:g} degrees of freedom, they are less so."
        )
    ]
    if n <= estimates.n_estimated:
        notes.append(
            f"Of {number_of(estimates.n_estimated, 'coefficient')} {n:.0f} {what.split()[0]} cannot tell as many "
            f"errors apart: the covariance has a rank of at most {n - 1:.0f}, and tests of more coefficients together "
            "are left out."
        )
    return notes


def columns_test_text(test: ColumnsTest) -> str:
    """Return a test as a line."""
    columns = " + ".join(test.columns)
    wald = f"Wald {test.wald:.4g}, p {p_text(test.wald_p)}" if not math.isnan(test.wald) else "no finite Wald statistic"
    wald += f" (F with {test.df} and {test.wald_df:g} df)" if test.wald_df is not None else ""
    line = f"Test of {columns} ({test.df} df): {wald}"
    if test.likelihood_ratio is not None and test.likelihood_ratio_p is not None:
        line += f"; likelihood ratio {test.likelihood_ratio:.4g}, p {p_text(test.likelihood_ratio_p)}"
    return line


def figure_text(name: str, value: Any) -> str:
    """Return a figure of the fit as text."""
    words = {"method": METHODS, "covariance": COVARIANCES, "weights": WEIGHTS}.get(name)
    if words is not None:
        return words[value]
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if name.endswith("_p"):
        return p_text(value)
    if name in ("pseudo_r2", "condition"):
        return f"{value:.4g}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}"
