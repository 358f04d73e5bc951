"""What the command line shows: models and scores as tables, work under way as a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table
from rich.text import Text

from zeroloop.errors import OptionError
from zeroloop.estimates import troubles
from zeroloop.figures import p_text
from zeroloop.ladder.race import Result
from zeroloop.model import Model
from zeroloop.outputs import is_stdout
from zeroloop.paths import Path
from zeroloop.plain_text import number_of, plain
from zeroloop.sources.threads import thread_count
from zeroloop.summary import NAMES, NO_HELD_OUT, SCORES, Summary, columns_test_text, dropped_text, figure_text
from zeroloop.tables.schema import Schema
from zeroloop.terminal_bar import PlainConsole
from zeroloop.training_record import CrossValidationRecord

STRONGEST, MOST_COLUMNS = 10, 20  # terms, and columns of a kind, shown after a fit


# Piped into a file or a program, tables are not cut to a terminal's width, however long a name is.
console = PlainConsole(soft_wrap=True, width=None if sys.stdout.isatty() else 100_000)


def console_beside(out: Any, as_json: bool) -> PlainConsole:
    """Return where words go beside a table that is written to `out`, or None: not where the table itself goes.

    Raises:
        OptionError: when both a table and JSON would go to standard output.

    """
    if out is None or not is_stdout(out):
        return console
    if as_json:
        raise OptionError("json: prints on standard output, and so does --out -; name a file for one.")
    return PlainConsole(stderr=True, soft_wrap=True)


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return a line of parts, each plain text, or text and the style it has."""
    return Text.assemble(*(plain(one) if isinstance(one, str) else (plain(one[0]), one[1]) for one in parts))


def show_training(model: Model, most: int | None = None) -> None:
    """Print what was read, each column's part, the fit, and the held-out scores.

    After a fit `most` columns of a kind are shown, and none that a warning has said to be left out.
    """
    training = model.training
    console.print(
        styled(
            "Read ",
            (training.data, "bold"),
            f": {number_of(training.rows_read, 'row')}; {training.rows:,} to train on"
            + (f", {training.held_out_rows:,} held out" if training.held_out_rows else "")
            + (f", {training.dropped_no_target:,} dropped without a target" if training.dropped_no_target else "")
            + (f", {training.dropped_incomplete:,} dropped as incomplete" if training.dropped_incomplete else ""),
        )
    )
    if training.dropped_incomplete:
        console.print(dropped_text(training))
    console.print(f"Encoded rows: {training.storage}")
    for one in training.skipped:
        console.print(styled(("Skipped", "yellow"), f" {one['path']}: {one['reason']}"))
    console.print(_target(model))
    console.print(_columns_table(model.schema, most))
    seconds = ", ".join(f"{name} {value:.2f} s" for name, value in training.seconds.items())
    if training.cross_validation:
        show_cross_validation(training.cross_validation, training.C)
    penalty = "no penalty" if np.isinf(training.C) else f"C = {training.C:.4g}"
    penalty += f", l1_ratio = {training.l1_ratio:g}" if training.l1_ratio > 0 else ""
    penalty += ", each class against the rest" if training.multi_class == "ovr" and len(model.coef) > 1 else ""
    console.print(
        styled(
            f"Fit by {training.solver}, {penalty}: ",
            "converged" if training.converged else ("not converged", "bold red"),
            f" in {number_of(training.passes, 'pass')}, mean log loss {training.loss:.6f}, max |gradient| "
            f"{training.gradient_norm:.1e} ({seconds})",
        )
    )
    if model.held_out:
        show_scores(model.held_out, number_of(model.held_out["rows"], "held-out row"))
    elif not training.held_out_rows:
        console.print(NO_HELD_OUT)


def show_summary(model: Model, summary: Summary, most: int | None = None) -> None:
    """Print what is known of the coefficients: of all with figures of the fit, or of the `most` strongest."""
    if not summary.figures:
        show_terms(model, most)
        if most is None:
            console.print(*summary.notes, sep="\n")
        return
    if most is None:
        table = _table("The fit", ["", ">"])
        table.show_header = False
        for name, value in summary.figures.items():
            table.add_row(NAMES[name], figure_text(name, value))
        console.print(table)
    listing = summary.listing(summary.terms) if most is None else summary.strongest(model, most)
    titles = [name if left else f">{name}" for name, left in zip(listing.header, listing.words, strict=True)]
    table = _table(listing.caption, titles)
    for row in listing.rows:
        table.add_row(*row)
    console.print(table)
    for test in summary.tests:
        console.print(columns_test_text(test))
    warned = troubles(model.estimates, model.coef, model.schema.centre, model.schema.scale) if most is not None else []
    for note in summary.notes:
        if note in (NO_HELD_OUT, dropped_text(model.training), *warned):
            continue  # said of the training, or when it was done
        console.print(styled(("Note:", "yellow"), f" {note}"))


def show_effects(effects: pa.Table, level: float) -> None:
    """Print average marginal effects."""
    rows = effects.to_pylist()
    named = ["class"] if rows and "class" in rows[0] else []
    titles = [*named, "term", "change", ">effect", ">std. error", ">z", ">p", f">{level * 100:.4g}% interval"]
    table = _table("Average marginal effects on the probability", titles)
    for row in rows:
        words = [str(row[name]) for name in (*named, "term", "change")]
        effect = "-" if row["effect"] is None else f"{row['effect']:.5g}"
        if row["std_err"] is None:
            table.add_row(*words, effect, "no finite estimate", "", "", "")
            continue
        figures = [f"{row['std_err']:.4g}", f"{row['z']:.2f}", p_text(row["p"])]
        table.add_row(*words, effect, *figures, f"{row['ci_lower']:.4g} to {row['ci_upper']:.4g}")
    console.print(table)


def show_scores(scores: dict[str, Any], title: str) -> None:
    """Print scores beside those of the base rate."""
    table = _table(title, ["", ">model", ">base rate"])
    for key, name in SCORES.items():
        table.add_row(name, _score(scores[key]), _score(scores["base_rate"][key]))
    console.print(table)
    if "auc_bins" in scores:
        console.print(f"(AUC from {number_of(scores['auc_bins'], 'bin')} of the predictor, as there are many rows)")


def show_terms(model: Model, most: int | None = None) -> None:
    """Print terms with odds ratios: all in order, or the `most` strongest first.

    Strength is |coef| times the term's standard deviation over the training rows, so that a rare level does not
    come before a column that moves every row.
    """
    coef, deviations = model.coef, model.schema.deviations(model.training.rows)
    several = len(coef) > 1
    terms, levels = model.schema.terms, model.schema.target.levels
    places = [(k, j) for k in range(len(coef)) for j in range(1, coef.shape[1])]
    n_terms = len(places)
    if most is not None:
        places = sorted(places, key=lambda at: -abs(coef[at] * deviations[at[1]]))[:most]
        places = [at for at in places if coef[at] != 0]
    zero = int(np.sum(coef[:, 1:] == 0))
    title = f"{len(places)} strongest of " * (len(places) < n_terms) + number_of(n_terms, "term")
    title += f"; {zero} of them 0" if zero else ""
    table = _table(title, [*(["class"] if several else []), "term", ">coef", ">odds ratio", ">odds ratio a std. dev."])
    for k in range(len(coef)):
        named = [str(levels[k])] if several else []
        table.add_row(*named, terms[0], f"{coef[k, 0]:.5g}", "", "")
    for k, j in places:
        named = [str(levels[k])] if several else []
        value = coef[k, j]
        table.add_row(*named, terms[j], f"{value:.5g}", _ratio(value), _ratio(value * deviations[j]))
    console.print(table)


def show_cross_validation(record: CrossValidationRecord, C: float) -> None:
    """Print the held-out loss at each C, the chosen one marked."""
    rule = "least log loss" if record["rule"] == "min" else "strongest penalty within a standard error of the least"
    table = _table(f"C by cross-validation, {record['folds']} folds: {rule}", [">C", ">log loss", ">std. error", ""])
    for value, loss, error in zip(record["C"], record["log_loss"], record["standard_error"], strict=True):
        table.add_row(f"{value:.4g}", f"{loss:.5f}", f"{error:.5f}", "chosen" if value == C else "")
    console.print(table)


def show_path(path: Path, to: PlainConsole = console) -> None:
    """Print some points of a path, and the terms that each adds."""
    table = _table(
        f"{number_of(len(path.Cs), 'value')} of C, {number_of(path.passes, 'pass')}",
        [">C", ">terms off zero", ">deviance explained", "new terms"],
    )
    for i, new in path.milestones():
        state = () if path.converged[i] else (("  not converged", "bold red"),)
        explained = f"{path.deviance_explained[i]:.2%}"
        table.add_row(f"{path.Cs[i]:.4g}", f"{path.n_nonzero[i]:,}", explained, styled(", ".join(new), *state))
    to.print(table)
    if not np.all(path.converged):
        said = f"{int(np.sum(~path.converged))} of {len(path.Cs)} fits are not converged"
        to.print(styled((said, "bold red")))


def _target(model: Model) -> Text:
    target, shares = model.schema.target, model.training.shares
    if len(target.levels) == 2:
        negative, positive = target.levels
        return styled(
            "Target ",
            (target.name, "bold"),
            f": the model gives the probability of {positive!r} (against {negative!r}); base rate {shares[1]:.1%}",
        )
    listed = ", ".join(f"{level!r} {share:.1%}" for level, share in zip(target.levels, shares, strict=True))
    return styled("Target ", (target.name, "bold"), f": the model gives the probability of each class ({listed})")


def show_race(results: Sequence[Result], n_examples: int, n_features: int) -> None:
    """Print the article's two comparisons: speed, and lines and loops."""
    table = _table(
        f"One gradient over {number_of(n_examples, 'example')} x {number_of(n_features, 'feature')}",
        ["rung", ">time", f">speed-up over {results[0].rung}", "timed on"],
    )
    for result in results:
        share = result.timed_examples / n_examples
        scaled = f", scaled from {share:.0%} of the examples" if share < 1 else ""
        table.add_row(
            result.rung,
            seconds(result.seconds),
            f"{result.speedup:,.1f}x",
            f"fastest of {result.repeats}, the slowest {result.slowest / result.seconds:.1f}x{scaled}",
        )
    console.print(table)
    code = _table("The code", ["rung", ">lines", ">explicit loops"])
    for result in results:
        code.add_row(result.rung, str(result.lines), f"{result.loops}{', compiled' * result.compiled}")
    console.print(code)
    console.print(f"NumPy's products run on one thread; what is compiled on {number_of(thread_count(None), 'core')}.")


def seconds(value: float) -> str:
    """Return a time with its unit."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def _columns_table(schema: Schema, most: int | None) -> Table:
    table = _table("Columns", ["column", "kind", "detail"])
    origins = schema.origins
    for numeric in schema.numeric[:most]:
        gaps = "; missing values have a term" if numeric.missing else ""
        gaps += f"; counted from {origins[numeric.name]}" if numeric.name in origins else ""
        table.add_row(numeric.name, "numeric", f"mean {numeric.mean:.5g}, std. dev. {numeric.scale:.5g}{gaps}")
    _add_rest(table, "numeric", len(schema.numeric), most)
    if schema.sparse is not None:
        detail = f"{number_of(schema.n_sparse, 'column')}, scaled by their largest value"
        table.add_row(schema.sparse.name, "sparse", detail)
    for column in schema.categorical[:most]:
        detail = number_of(len(column.levels), "level")
        detail += "; rarer ones pooled" * (column.other > 0) + "; missing values are a level" * (column.missing > 0)
        detail += f"; reference {column.levels[0]}" if column.reference else ""
        table.add_row(column.name, "categorical", detail)
    _add_rest(table, "categorical", len(schema.categorical), most)
    for left_out in schema.left_out if most is None else ():
        table.add_row(left_out.name, styled(("left out", "yellow")), left_out.reason)
    return table


def _add_rest(table: Table, kind: str, n_columns: int, most: int | None) -> None:
    if most is not None and n_columns > most:
        table.add_row(f"and {n_columns - most:,} more", kind, "")


def _table(title: str, columns: Sequence[str]) -> Table:
    """Return an empty table; a column whose name starts with ">" is right-aligned."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", no_wrap=True)
    return table


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _ratio(coef: float) -> str:
    with np.errstate(over="ignore"):
        return f"{np.exp(coef):.4g}"
