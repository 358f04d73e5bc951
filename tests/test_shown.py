"""What is seen of a model, a summary, a path and figures that are looked at: a few lines, a piece of HTML, a table."""

from __future__ import annotations

import copy
import math
import pickle
import unicodedata
from html.parser import HTMLParser
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zeroloop
from zeroloop.figures import Figures

HOSTILE = "<script>alert(1)</script> & 'q' \x1b[31m\n\u202egnp"
TAGS = {"div", "style", "p", "table", "thead", "tbody", "tr", "th", "td"}


class Seen(HTMLParser):
    """The tags of a piece of HTML, and the cells of its tables; each tag that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self._open.append(tag)
        self.cells += [""] * (tag in ("td", "th"))
        assert not any(name.startswith("on") or name in ("href", "src") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("td", "th"):
            self.cells[-1] += data


def some_rows(target: str = "y", classes: int = 2, n_columns: int = 3) -> pa.Table:
    rng = np.random.default_rng(0)
    m = 300
    columns: dict[str, Any] = {f"x{i}": rng.standard_normal(m) for i in range(n_columns)}
    columns[HOSTILE] = rng.choice(["a", "b", HOSTILE], m)
    z = sum(columns[f"x{i}"] for i in range(2)) + rng.logistic(size=m)
    return pa.table(columns | {target: np.digitize(z, [0.0, 1.5][: classes - 1])})


@pytest.fixture(scope="module")
def penalised() -> zeroloop.Model:
    return zeroloop.train(some_rows(n_columns=90), "y")


@pytest.fixture(scope="module")
def free() -> zeroloop.Model:
    return zeroloop.train(some_rows(), "y", C=math.inf, tests=["x0"])


@pytest.fixture(scope="module")
def path() -> zeroloop.Path:
    return zeroloop.path(some_rows(), "y", Cs=20)


def test_a_model_is_three_lines(penalised: zeroloop.Model, free: zeroloop.Model) -> None:
    lines = repr(penalised).splitlines()
    assert lines[0] == "Model of y: probability of 1 (against 0) from 91 columns, 93 terms"
    rows = penalised.training.rows
    assert lines[1].startswith(f"Fit to {rows} rows of the table by newton, C = 1, converged in ")
    assert penalised.held_out is not None
    assert lines[2] == (
        f"On {300 - rows} held-out rows: AUC {penalised.held_out['auc']:.4f}, log loss "
        f"{penalised.held_out['log_loss']:.4f} (base rate {penalised.held_out['base_rate']['log_loss']:.4f})"
    )
    assert repr(free).splitlines()[2] == "No rows held out: no scores; summary() has standard errors"
    assert "no penalty" in repr(free)
    odd = repr(zeroloop.train(some_rows(HOSTILE, 3), HOSTILE))
    assert odd.startswith("Model of <script>alert(1)</script> & 'q' \\x1b[31m \\u202egnp: ")
    assert "probability of each of 3 classes (0, 1, 2)" in odd
    assert len(odd.splitlines()) == 3


def test_a_path_is_three_lines(path: zeroloop.Path) -> None:
    lines = repr(path).splitlines()
    assert len(lines) == 3
    assert lines[0] == f"Path of 20 values of C from {path.Cs[0]:.4g} to {path.Cs[-1]:.4g}: L1, 6 terms"
    assert lines[1].startswith(f"Terms off zero: 0 to {path.n_nonzero[-1]}; deviance explained: 0.0% to ")
    assert lines[2] == f"Converged: 20 of 20 fits, {path.passes} passes over the rows"


def test_a_summary_shows_its_first_terms(penalised: zeroloop.Model, free: zeroloop.Model) -> None:
    summary = penalised.summary()
    assert len(str(summary).splitlines()) == 1 + 94 + 2
    assert len(repr(summary).splitlines()) == 1 + 60 + 1 + 2
    assert "(34 more rows)" in repr(summary)
    assert repr(free.summary()) == str(free.summary())
    assert "\x1b" not in str(summary)


def test_html_is_whole_and_every_name_is_text(
    penalised: zeroloop.Model, free: zeroloop.Model, path: zeroloop.Path
) -> None:
    shown: dict[str, Any] = {"penalised": penalised, "free": free, "summary": free.summary(), "terms": free.terms()}
    shown["effects"] = free.marginal_effects(some_rows())
    for name, one in shown.items():
        seen = Seen(one._repr_html_())
        assert seen.tags <= TAGS, name
        odd = "<script>alert(1)</script> & 'q' \\x1b[31m\\n\\u202egnp"
        assert name == "penalised" or any(odd in cell for cell in seen.cells), name
    assert "AUC" in Seen(penalised._repr_html_()).cells
    drawn = path._repr_html_()
    assert "<script" not in drawn
    assert drawn.count("<svg") == 1
    assert "terms off zero" in Seen(drawn.partition("<svg")[0] + drawn.partition("</svg>")[2]).cells


def test_other_libraries_take_figures(free: zeroloop.Model) -> None:
    terms = free.terms()
    wanted = terms.to_pylist()
    assert len(terms) == len(wanted) == 6
    assert pl.DataFrame(terms).to_dicts() == wanted
    assert pa.table(terms).to_pylist() == wanted
    found = duckdb.sql("select term, coef from terms where p < 0.5")
    assert found is not None
    assert found.fetchall() == [(row["term"], row["coef"]) for row in wanted if row["p"] < 0.5]
    expected = terms.to_pandas()
    assert isinstance(expected, pd.DataFrame)
    if hasattr(pd.DataFrame, "from_arrow"):
        pd.testing.assert_frame_equal(pd.DataFrame.from_arrow(terms), expected)
    assert terms["p"].to_pylist() == [row["p"] for row in wanted]
    assert terms.column_names == list(wanted[0])
    for again in (pickle.loads(pickle.dumps(terms)), copy.deepcopy(terms)):
        assert again.equals(terms)
        assert terms.equals(again.arrow)


@given(
    st.lists(st.tuples(st.text(), st.one_of(st.none(), st.floats())), max_size=80),
)
def test_figures_are_a_line_a_row(rows: list[tuple[str, float | None]]) -> None:
    names = [name.encode("utf-8", "replace").decode() for name, _ in rows]
    values = [p for _, p in rows]
    figures = Figures(pa.table({"term": pa.array(names, pa.string()), "p": pa.array(values, pa.float64())}))
    lines = repr(figures).split("\n")
    assert len(lines) == 1 + min(len(rows), 60) + (len(rows) > 60)
    hidden = {one for line in lines for one in line if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp")}
    assert hidden <= {"\u200c", "\u200d"}
    assert len(Seen(figures._repr_html_()).cells) == 2 + 2 * min(len(rows), 60)
