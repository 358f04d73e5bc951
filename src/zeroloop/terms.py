"""Coefficients and what is known of them, as a table: a row a term."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from zeroloop.algebra import exp
from zeroloop.blocks import FloatArray
from zeroloop.errors import OptionError
from zeroloop.estimates import Estimates, State, reach_of, relative, two_sided
from zeroloop.tables.schema import Schema

FIGURES = ("std_err", "z", "p", "ci_lower", "ci_upper", "odds_ratio_lower", "odds_ratio_upper")
LIMITS = {1: "+inf", -1: "-inf", 0: None}


def terms_table(schema: Schema, coef: FloatArray, estimates: Estimates | None, level: float) -> pa.Table:
    """Return a row a term; see `zeroloop.model.Model.terms`."""
    if not 0 < level < 1:
        raise OptionError(f"level is {level}; it must be between 0 and 1, such as 0.95.")
    terms, classes = list(schema.terms), list(schema.target.levels)
    several = len(coef) > 1
    if several and estimates is not None:
        coef, classes = relative(coef), classes[1:]
    named: dict[str, Any] = {"class": [one for one in classes for _ in terms]} if several else {}
    values = coef.ravel()
    known: dict[str, FloatArray] = {}
    states = [State.OFFSET if name == schema.offset else None for name in terms * len(coef)]
    if estimates is not None:
        error = estimates.standard_errors(schema.centre, schema.scale).ravel()
        df = estimates.degrees_of_freedom
        reach = reach_of(level, df) * error
        known = {"std_err": error, "z": values / error, "p": two_sided(values / error, df)}
        known |= {"ci_lower": values - reach, "ci_upper": values + reach}
        states = list(estimates.states)
    with np.errstate(over="ignore"):
        ratios = {"odds_ratio": exp(values)}
        if known:
            ratios |= {f"odds_ratio_{end}": exp(known[f"ci_{end}"]) for end in ("lower", "upper")}
    nothing = pa.nulls(values.size, pa.float64())
    columns: dict[str, Any] = named | {
        "term": terms * len(coef),
        "coef": values,
        "odds_ratio": ratios["odds_ratio"],
    }
    for name in FIGURES:
        figure = known.get(name, ratios.get(name))
        columns[name] = nothing if figure is None else pa.array(figure, mask=np.isnan(figure))
    if estimates is not None:
        infinite = np.array([state == State.NO_MAXIMUM for state in states])
        columns["odds_ratio"] = pa.array(ratios["odds_ratio"], mask=infinite)
    shown = [None if state is None or state == State.ESTIMATED else str(state) for state in states]
    columns["state"] = pa.array(shown, pa.string())
    if estimates is not None and estimates.separation is not None:
        columns["limit"] = pa.array([LIMITS[sign] for sign in estimates.separation.signs_of(states)], pa.string())
    return pa.table(columns)
