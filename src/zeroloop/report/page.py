"""A model and rows to score in, one HTML page out: self-contained, with every value of the data escaped."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from zeroloop.again import is_same, prepare_again
from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError, OptionError, OutputError, ZeroloopWarning
from zeroloop.estimates import State
from zeroloop.figures import p_text, ratio_text
from zeroloop.model import Model
from zeroloop.outputs import check_writable, replacing
from zeroloop.plain_text import number_of
from zeroloop.prepared import PreparedTable
from zeroloop.reading import MANY_ROWS, check_resources
from zeroloop.report import charts
from zeroloop.report.curves import Curves, bin_edges, curves, intervals, n_bins_of
from zeroloop.report.provenance import IN_MEMORY, command_of, fingerprint
from zeroloop.report.sums import THRESHOLDS, Performance, Scoring, group_sums, performance
from zeroloop.report.template import render
from zeroloop.resources import Resources
from zeroloop.scored import Labelled
from zeroloop.summary import (
    NAMES,
    NO_HELD_OUT,
    Summary,
    columns_test_text,
    dropped_text,
    figure_text,
    summarise,
)
from zeroloop.tables.conflicts import check_outputs
from zeroloop.tables.read import TableLike
from zeroloop.tables.schema import INTERCEPT

SCORES = {
    "log_loss": ("log loss", "mean surprise at the true class; lower is better"),
    "auc": ("AUC", "chance that a positive row is ranked above a negative one"),
    "brier": ("Brier score", "mean squared error of the probability; lower is better"),
    "accuracy": ("accuracy", "share of rows whose most probable class is the true one"),
}
ROWS_SEEN = "No rows were held out, so the scores are of rows that the model has seen: expect worse on others."
ROWS_UNKNOWN = (
    "Whether the model was trained on some of these rows is not known: the table is not the one that it was trained "
    "on, as that was then and was read then. Of rows that it has seen, scores are too good."
)
MOST_TERMS = 1_000  # on the page
MOST_CLASSES = 5  # drawn in one chart
RANK_BINS, MOST_RANK_BINS = 512, 8_192  # of a ranking drawn again; of all rankings together


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows that a report scores the model on.

    Attributes:
        source: with one verb, `reduce`.
        n_rows: how many, or `MANY_ROWS`.
        what: in words.
        caution: why the scores may be too good, in a sentence; empty where they are not.

    """

    source: Any
    n_rows: int
    what: str
    caution: str = ""


def report(
    model: Model, path: str | PathLike[str], data: TableLike | None = None, resources: Resources | None = None
) -> None:
    """Write a page about a model: HTML in one file, that asks for nothing from anywhere.

    Args:
        model: to be described.
        path: ends in .html or .htm; an existing file is replaced in one step.
        data: a labelled table to score it on; of the table it was trained on, the rows that were held out are taken.
            None for what `zeroloop.train` was given.
        resources: how the table is read.

    Raises:
        OutputError: when the file cannot be written.
        OptionError: without data where none are known, and for resources out of their range.
        DataError: for data that the model cannot be scored on.

    """
    if resources is not None:
        check_resources(resources)
    check_page_path(Path(path))
    check_outputs({"out": path}, data)
    write_page(model, scored_rows(model, data, resources), Path(path))


def check_page_path(path: Path) -> None:
    """Raise OutputError unless a page can be written at `path`."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{path}: a report is written as .html; name the file so.")
    check_writable(path)


def scored_rows(model: Model, data: TableLike | None, resources: Resources | None) -> Scored:
    """Return which rows of a table to score a model on."""
    if data is None or model.training.roles:
        try:
            table = prepare_again(model, data, resources)
        except (DataError, OptionError):
            if data is None:
                raise
        else:
            if is_same(model, table):
                return rows_of(table)
            if data is None:
                raise DataError(f"{table.table.name}: has changed since the model was trained on it; give data.")
    assert data is not None
    rows = Labelled(model, data, resources or Resources())
    return Scored(source=rows, n_rows=MANY_ROWS, what="rows of the table given", caution=ROWS_UNKNOWN)


def rows_of(table: PreparedTable) -> Scored:
    """Return the rows held out of a table; the training rows where there are none."""
    if table.held_out.n_rows:
        return Scored(table.held_out, table.held_out.n_rows, "rows held out of the training")
    return Scored(table.training, table.training.n_rows, "rows that it was trained on", ROWS_SEEN)


def write_page(model: Model, rows: Scored, path: Path) -> None:
    """Write the page of a model and rows to score it on."""
    here = files("zeroloop.report")
    context = _context(model, rows) | {
        "style": Markup((here / "tables.css").read_text("utf-8") + (here / "page.css").read_text("utf-8")),
        "script": Markup((here / "page.js").read_text("utf-8")),
    }
    page = render("page.html", context)
    with replacing(path) as file:
        file.write(page.encode("utf-8", "backslashreplace"))  # a file's name may be any bytes


def _context(model: Model, rows: Scored) -> dict[str, Any]:
    """Return everything the page shows."""
    scoring = Scoring(model.coef, model.training.multi_class)
    found = rows.source.reduce(partial(performance, scoring=scoring))
    if found is None or not found.scores.weight > 0:
        raise DataError(f"No row has a value of the target {model.schema.target.name!r} to score against.")
    summary = summarise(model)
    drawn = _drawn(model, found)
    groups, scale = _term_groups(model, summary)
    return {
        "model": model,
        "target": model.schema.target,
        "training": model.training,
        "rows": rows,
        "n_scored": found.scores.rows,
        "weighted": model.schema.weights is not None,
        "binned": found.scores.rankings[0].bins is not None,
        "scores": _scores(model, rows, scoring, found),
        "classes": list(map(str, model.schema.target.levels)),
        "charts": _charts(model, drawn, found),
        "shown_classes": [name for name, _, _ in drawn],
        "thresholds": _thresholds(found) if len(found.scores.classes) == 2 else None,
        "confusion": _confusion(model, found),
        "groups": groups,
        "axis": [ratio_text(float(f"{_exp(end):.2g}")) for end in (-scale, 0.0, scale)],
        "n_terms": len(summary.terms) - summary.n_intercepts - (model.schema.offset is not None),
        "n_zero": sum(map(_is_zero, summary.terms)),
        "no_errors": "" if summary.figures else " ".join(summary.notes),
        "n_shown": sum(len(group["terms"]) for group in groups),
        "has_errors": bool(summary.figures),
        "intercepts": [_intercept(term) for term in summary.terms if term["term"] == INTERCEPT],
        "fit": [(NAMES[name], figure_text(name, value)) for name, value in summary.figures.items()],
        "tests": [columns_test_text(test) for test in summary.tests],
        "columns": list(_columns(model)),
        "warnings": list(_warnings(model, summary, rows, found)),
        "command": command_of(model),
        "in_memory": IN_MEMORY,
        "fingerprint": fingerprint(model),
        "calibration_bins": n_bins_of(found.scores.rows),
    }


def _scores(model: Model, rows: Scored, scoring: Scoring, found: Performance) -> list[dict[str, Any]]:
    """Return each score beside the base rate's, with its bootstrap interval."""
    rankings = found.scores.rankings
    n_bins = max(8, min(RANK_BINS, MOST_RANK_BINS // len(rankings)))
    edges = np.stack([bin_edges(ranking.points(), n_bins) for ranking in rankings])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)  # said in the pass before
        groups = rows.source.reduce(partial(group_sums, scoring=scoring, edges=edges))
    values = found.scores.beside_base_rate(model.training.shares)
    ends = intervals(groups, values["auc"], found.scores.rows, model.training.seed)
    return [
        {
            "name": name,
            "meaning": meaning,
            "value": values[key],
            "base": values["base_rate"][key],
            "interval": ends.get(key),
        }
        for key, (name, meaning) in SCORES.items()
        if values[key] is not None
    ]


def _drawn(model: Model, found: Performance) -> list[tuple[str, float, Curves]]:
    """Return the name, the share and the curves of each class that is drawn: the positive one, or the largest."""
    rankings, weights = found.scores.rankings, found.scores.classes
    levels = model.schema.target.levels
    if len(levels) == 2:
        places = [(1, rankings[0])]
    else:
        largest = np.argsort(-weights, kind="stable")[:MOST_CLASSES]
        places = [(int(k), rankings[int(k)]) for k in largest]
    shares = weights / np.sum(weights)
    made = [
        (charts.short(levels[k]), float(shares[k]), curves(r.points(), found.scores.rows, len(levels) > 2))
        for k, r in places
    ]
    return [(name, share, curve) for name, share, curve in made if curve is not None]


def _charts(model: Model, drawn: list[tuple[str, float, Curves]], found: Performance) -> dict[str, Markup]:
    named = [(name, curve) for name, _, curve in drawn]
    made: dict[str, str] = {}
    if named:
        made["roc"] = charts.roc(named)
        made["precision_recall"] = charts.precision_recall(named, [share for _, share, _ in drawn])
        made["calibration"] = charts.calibration(named)
        if len(found.scores.classes) == 2:
            negative, positive = map(charts.short, model.schema.target.levels)
            made["distribution"] = charts.distribution(named[0][1], negative, positive)
    if model.training.history:
        made["descent"] = charts.descent(model.training.history)
    return {name: Markup(svg) for name, svg in made.items()}


def _thresholds(found: Performance) -> str:
    """Return, as JSON, the weight of negative and positive rows above each threshold."""
    negative, positive = (_rounded(line) for line in found.above)
    return json.dumps({"thresholds": len(THRESHOLDS), "negative": negative, "positive": positive})


def _rounded(values: FloatArray) -> list[float]:
    return [int(v) if float(v).is_integer() else float(f"{v:.10g}") for v in values.tolist()]


def _confusion(model: Model, found: Performance) -> list[dict[str, Any]]:
    """Return, of more than two classes, a row for each true class: how often each was the most probable."""
    if len(found.confusion) == 2:
        return []
    totals = np.sum(found.confusion, axis=1)
    return [
        {
            "name": str(level),
            "cells": [
                {"weight": float(w), "share": float(w / total) if total else 0.0, "right": j == k}
                for j, w in enumerate(line)
            ],
        }
        for k, (level, line, total) in enumerate(zip(model.schema.target.levels, found.confusion, totals, strict=True))
    ]


def _term_groups(model: Model, summary: Summary) -> tuple[list[dict[str, Any]], float]:
    """Return the terms by column, the largest first, and so within each; and the largest log odds drawn.

    At most `MOST_TERMS`, the largest.
    """
    schema = model.schema
    columns, deviations = schema.columns_of_terms, schema.deviations(model.training.rows)
    numeric = {column.name: column.scale for column in schema.numeric}
    n = len(columns)
    terms = []
    for at, term in enumerate(summary.terms):
        j = at % n
        if term["term"] == INTERCEPT or term["state"] == State.OFFSET or _is_zero(term):
            continue
        # Numbers by their standard deviation, so that what they do can be compared.
        unit = numeric[columns[j]] if 1 <= j <= len(schema.numeric) else 1.0
        strength = abs(term["coef"]) * deviations[j] if term["state"] is None else 0.0
        terms.append((strength, columns[j], unit, term))
    terms.sort(key=lambda one: -one[0])
    shown = terms[:MOST_TERMS]
    known = [(term, unit) for _, _, unit, term in shown if term["state"] is None]
    ends = np.array([_log_ends(term, unit) for term, unit in known])
    scale = charts.forest_scale(ends, np.array([term["coef"] * unit for term, unit in known]))
    groups: dict[str, list[dict[str, Any]]] = {}
    for _, column, unit, term in shown:
        groups.setdefault(column, []).append(_term(term, column, unit, scale))
    return [
        {"column": column, "per_deviation": column in numeric, "unit": f"{numeric.get(column, 1.0):.4g}", "terms": rows}
        for column, rows in groups.items()
    ], scale


def _is_zero(term: dict[str, Any]) -> bool:
    """Return whether a penalty has left a term out."""
    return term["coef"] == 0 and term["state"] is None and term["std_err"] is None


def _log_ends(term: dict[str, Any], unit: float) -> tuple[float, float]:
    if term["ci_lower"] is None:
        return term["coef"] * unit, term["coef"] * unit
    return term["ci_lower"] * unit, term["ci_upper"] * unit


def _term(term: dict[str, Any], column: str, unit: float, scale: float) -> dict[str, Any]:
    """Return a term's row of the forest plot; places are from 0 to 100, no effect at 50."""
    low, high = _log_ends(term, unit)

    def place(value: float) -> float:
        return round(50 + 48 * max(-1.0, min(1.0, value / scale)), 2)

    value = term["coef"] * unit
    known = term["state"] is None
    name = str(term["term"]).removeprefix(f"{column}=")
    return {
        "name": f"{name} (for {term['class']})" if "class" in term else name,
        "state": term["state"],
        "at": place(value),
        "low": place(low),
        "high": place(high),
        "cut_low": low < -scale,
        "cut_high": high > scale,
        "ratio": ratio_text(_exp(value)) if known else {"+inf": "→ ∞", "-inf": "→ 0"}.get(term.get("limit") or "", ""),
        "interval": f"{ratio_text(_exp(low))} to {ratio_text(_exp(high))}" if term["ci_lower"] is not None else "",
        "p": "" if term["p"] is None else p_text(term["p"]),
    }


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf


def _intercept(term: dict[str, Any]) -> str:
    of_class = f" (for {term['class']})" if "class" in term else ""
    error = f", std. error {term['std_err']:.3g}" if term["std_err"] is not None else ""
    return f"{term['coef']:.5g}{error}{of_class}"


def _columns(model: Model) -> Iterator[dict[str, str]]:
    """Yield each column: its kind, what it holds, and what is missing."""
    schema, rows, origins = model.schema, model.training.rows, model.schema.origins

    def missing(n: int) -> str:
        return f"{n:,} ({n / rows:.1%})" if n else "none"

    for numeric in schema.numeric:
        detail = f"mean {numeric.mean:.4g}, standard deviation {numeric.scale:.4g}"
        detail += f"; counted from {origins[numeric.name]}" if numeric.name in origins else ""
        kind = "offset" if numeric.name == schema.offset else "numbers"
        yield {"name": numeric.name, "kind": kind, "detail": detail, "missing": missing(numeric.missing)}
    if schema.sparse is not None:
        yield {
            "name": schema.sparse.name,
            "kind": "sparse",
            "detail": number_of(schema.n_sparse, "column"),
            "missing": "none",
        }
    for column in schema.categorical:
        detail = number_of(len(column.levels), "level")
        detail += f", {number_of(column.other, 'row')} of rarer ones" if column.other else ""
        detail += f"; compared with {column.levels[0]}" if column.reference else ""
        yield {"name": column.name, "kind": "levels", "detail": detail, "missing": missing(column.missing)}
    for left_out in schema.left_out:
        yield {"name": left_out.name, "kind": "left out", "detail": left_out.reason, "missing": ""}


def _warnings(model: Model, summary: Summary, rows: Scored, found: Performance) -> Iterator[str]:
    """Yield, in plain words, what a reader should know before relying on the model."""
    training = model.training
    if not training.converged:
        yield f"The fit is not converged: the solver {training.outcome}."
    if rows.caution:
        yield rows.caution
    said = (NO_HELD_OUT, dropped_text(training))  # in words of the page's own
    yield from (note for note in summary.notes if note not in said) if summary.figures else ()
    if len(found.scores.classes) == 2 and np.min(found.scores.classes) < 50:
        level = model.schema.target.levels[int(np.argmin(found.scores.classes))]
        n = float(np.min(found.scores.classes))
        yield f"Few of the rows scored have {model.schema.target.name} {level!r} ({n:,.0f}): scores are uncertain."
    if found.scores.rankings[0].bins is not None:
        n_bins = found.scores.rankings[0].bins.shape[1]
        bins = number_of(n_bins, "bin")
        yield f"There are many rows: curves and AUC are made from {bins} of the predictor, not from each row."
    if training.dropped_incomplete:
        yield dropped_text(training)
    if training.dropped_no_target:
        yield f"Dropped without a value of the target: {number_of(training.dropped_no_target, 'row')}."
    for one in training.skipped:
        yield f"Skipped {one['path']}: {one['reason']}"
