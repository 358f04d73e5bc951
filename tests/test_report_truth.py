"""What a report claims is so: the curve is of the fit, rows are called unseen where they are, names are all there."""

from __future__ import annotations

import html
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import zeroloop
from zeroloop.report.page import ROWS_SEEN, ROWS_UNKNOWN

HELD_OUT = "rows held out of the training"


def a_frame(m: int = 800, seed: int = 0, names: tuple[str, ...] = ("no", "yes")) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, u = rng.standard_normal((2, m))
    z = np.outer(x, np.arange(len(names))) + rng.gumbel(size=(m, len(names)))
    g = rng.choice(["a", "b", "c"], m)
    return pd.DataFrame({"x": x, "u": u, "g": g, "o": x / 5, "y": np.array(names)[np.argmax(z, axis=1)]})


def text_of(path: Path) -> str:
    return html.unescape(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "options",
    [
        {"features": ["x", "u", "g"]},
        {"features": ["x", "g"], "offset": "o"},
        {"features": ["x", "u", "g"], "method": "firth"},
    ],
    ids=["plain", "offset", "firth"],
)
def test_the_curve_is_of_the_fit_alone(options: dict[str, Any]) -> None:
    frame = a_frame()
    tests = ["x", "g", ["x", "g"]]
    alone = zeroloop.train(frame, "y", C=math.inf, **options).training
    tested = zeroloop.train(frame, "y", C=math.inf, tests=tests, **options).training
    assert len(alone.history) > 2
    assert tested.history == alone.history
    losses = [one["loss"] for one in alone.history]
    assert losses[-1] == pytest.approx(alone.loss, rel=1e-9)
    assert losses[0] is not None
    assert losses[-1] is not None
    assert losses[0] > losses[-1]


def test_of_a_fit_a_class_there_is_no_curve(tmp_path: Path) -> None:
    frame = a_frame(names=("one", "two", "three"))
    model = zeroloop.train(frame, "y", multi_class="ovr", report=tmp_path / "page.html")
    assert model.training.history == []
    assert "Loss and gradient by pass" not in text_of(tmp_path / "page.html")
    assert len(zeroloop.train(frame, "y").training.history) > 2


def extended(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[:1]], ignore_index=True)


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=1).reset_index(drop=True)


def halved(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[::2].reset_index(drop=True)


def with_a_change(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(x=lambda t: t.x.where(t.index % 40 != 5, 0.125))


def with_one_more_column(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(more=1.5 * frame.u**2)


def with_other_labels(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(y=frame.y.sample(frac=1, random_state=2).to_numpy())


def others(frame: pd.DataFrame) -> pd.DataFrame:
    return a_frame(seed=99)


@pytest.mark.parametrize(
    "change", [extended, shuffled, halved, with_a_change, with_one_more_column, with_other_labels, others]
)
@pytest.mark.parametrize("test_fraction", [0.0, 0.3])
def test_rows_are_never_called_unseen_that_may_have_been_seen(
    change: Any, test_fraction: float, tmp_path: Path
) -> None:
    frame = a_frame()
    model = zeroloop.train(frame, "y", test_fraction=test_fraction)
    model.report(tmp_path / "page.html", change(frame))
    text = text_of(tmp_path / "page.html")
    assert "not trained on" not in text
    assert HELD_OUT not in text
    assert ROWS_UNKNOWN in text
    assert "rows of the table given" in text


@pytest.mark.parametrize("test_fraction", [0.0, 0.3])
def test_of_the_same_table_it_is_known(test_fraction: float, tmp_path: Path) -> None:
    frame = a_frame()
    model = zeroloop.train(frame, "y", test_fraction=test_fraction)
    model.report(tmp_path / "page.html", frame.copy())
    text = text_of(tmp_path / "page.html")
    assert ROWS_UNKNOWN not in text
    assert (HELD_OUT in text) == (test_fraction > 0)
    assert (ROWS_SEEN in text) == (test_fraction == 0)


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_rows_of_few_values_are_not_taken_for_others_with_the_same_counts(multi_class: str, tmp_path: Path) -> None:
    """Each column by itself is as it was, but rows are put together in another way."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"a": rng.integers(0, 2, 300), "b": rng.integers(0, 2, 300)})
    frame["y"] = np.where(rng.random(300) < 0.2, rng.integers(0, 2, 300), frame.a)
    model = zeroloop.train(frame, "y", C=math.inf, multi_class=multi_class)
    other = frame.assign(y=np.sort(frame.y))
    model.report(tmp_path / "page.html", other)
    assert ROWS_UNKNOWN in text_of(tmp_path / "page.html")
    with pytest.raises(zeroloop.ZeroloopError, match="not the table that the model was trained on"):
        model.test("a", data=other)


UNDERSCORED = ("_hidden", "__", "$a^{", "_$_")


@pytest.mark.parametrize("n", [2, 4])
def test_every_class_is_in_every_legend(n: int, tmp_path: Path) -> None:
    frame = a_frame(names=UNDERSCORED[:n])
    zeroloop.train(frame, "y", report=tmp_path / "page.html")
    figures = dict(re.findall(r"<figure><h3>(.*?)</h3>(.*?)<figcaption>", text_of(tmp_path / "page.html"), re.S))
    shown = ["Probabilities by class"] if n == 2 else ["ROC curve", "Precision and recall", "Calibration"]
    for name in shown:
        letters = re.findall(r"<text[^>]*>(.*?)</text>", figures[name], re.S)
        drawn = ["".join(re.findall(r">([^<]+)<", f">{one}<")) for one in letters]
        assert set(UNDERSCORED[:n]) <= set(drawn), (name, drawn)


def test_every_term_is_in_the_legend_of_a_path(tmp_path: Path) -> None:
    frame = a_frame(names=("_a", "$b^{", "c")).rename(columns={"x": "_x", "u": "$u_{", "o": ""})
    zeroloop.path(frame, "y", Cs=4, features=["_x", "$u_{", "g"]).plot(tmp_path / "path.svg")
    text = html.unescape((tmp_path / "path.svg").read_text())
    for name in ("_x", "$u_{", "g=a", "class _a", "class $b^{"):
        assert f"<!-- {name} -->" in text
