"""Small pieces of HTML that notebooks show: lines, tables, notes, a chart; every value escaped, nothing asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup

from zeroloop.figures import Listing
from zeroloop.model import Model
from zeroloop.plain_text import number_of
from zeroloop.report.template import render
from zeroloop.summary import SCORES, in_short, summarise

STRONGEST = 10  # terms of a model


def model_card(model: Model) -> str:
    """Return a model as a piece of HTML: what it is in short, its scores, its strongest terms."""
    tables = [summarise(model).strongest(model, STRONGEST)]
    if model.held_out:
        scores = model.held_out | {"rows": None}
        rows = [
            [name, *("-" if one[key] is None else f"{one[key]:.4f}" for one in (scores, scores["base_rate"]))]
            for key, name in SCORES.items()
        ]
        titles = ("", "model", "base rate")
        caption = number_of(model.held_out["rows"], "held-out row")
        tables.insert(
            0, Listing(caption=caption, header=titles, words=(True, False, False), rows=rows, n_rows=len(rows))
        )
    return card(lines=in_short(model), tables=tables)


def card(lines: Sequence[str] = (), tables: Sequence[Listing] = (), notes: Sequence[str] = (), chart: str = "") -> str:
    """Return a piece of HTML.

    Args:
        lines: the first is the title.
        tables: what they show.
        notes: sentences below.
        chart: an SVG, put in as it is.

    """
    here = files("zeroloop.report")
    style = (here / "tables.css").read_text("utf-8") + (here / "card.css").read_text("utf-8")
    # Rules of the style hold within the piece alone: a notebook has its own.
    context = {
        "style": Markup(f".zeroloop {{\n{style}}}"),
        "lines": lines,
        "tables": tables,
        "notes": notes,
        "chart": Markup(chart),
    }
    return render("card.html", context)
