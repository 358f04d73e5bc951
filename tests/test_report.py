"""The report: its figures against scikit-learn's, and the page itself in headless Chromium."""

from __future__ import annotations

import html
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

import zeroloop
from command_line import run
from zeroloop.again import read_again
from zeroloop.report.curves import curves, intervals
from zeroloop.report.provenance import command_of, fingerprint
from zeroloop.report.sums import GroupSums

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
browser_only = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; on Debian: apt-get install chromium")
MOST_BYTES = 1_500_000
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "x" * 300, "a$b$_{c}^\\frac & 'q'")


def drawn(m: int = 3_000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(m)
    g = rng.choice(["red", "green", "blue"], m)
    z = x + (g == "red") - 0.5
    u = np.where(rng.random(m) < 0.1, np.nan, rng.standard_normal(m))
    return pd.DataFrame(
        {"x": x, "u": u, "g": g, "one": 1, "y": np.where(rng.random(m) < 1 / (1 + np.exp(-z)), "yes", "no")}
    )


def held_out(model: zeroloop.Model, data: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that were not trained on, found by their probabilities' block."""
    table = read_again(model, data)
    rows: list[Any] = []

    def collect(block: Any) -> int:
        rows.append(block.numeric.T.copy())
        return 0

    table.held_out.reduce(collect)
    kept = np.concatenate(rows)[:, 0]
    return data[np.isin(data.x, kept)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def trained(folder: Path) -> tuple[zeroloop.Model, pd.DataFrame, Path]:
    """A free fit of two classes, its data and its report."""
    data = drawn()
    with pytest.warns(zeroloop.ZeroloopWarning, match="'one' is left out"):
        model = zeroloop.train(data, "y", C=math.inf, test_fraction=0.3, report=folder / "two.html")
    return model, data, folder / "two.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


class Seen:
    """What a page did that it should not: errors, and requests beside the one for itself."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))


def opened(browser: Browser, path: Path, width: int = 1280) -> tuple[Page, Seen]:
    page = browser.new_page(viewport={"width": width, "height": 900})
    seen = Seen(page)
    page.goto(path.as_uri())
    return page, seen


def number(page: Page, element: str) -> float:
    return float(page.inner_text(f"#{element}").replace(",", ""))


@browser_only
def test_the_slider_shows_scikit_learn_s_figures(
    browser: Browser, trained: tuple[zeroloop.Model, pd.DataFrame, Path]
) -> None:
    model, data, path = trained
    rows = held_out(model, data)
    y, p = rows.y == "yes", model.predict_proba(rows)[:, 1]
    page, seen = opened(browser, path)
    for thousandths in (0, 137, 500, 804, 1000):
        page.evaluate(
            "k => { const s = document.getElementById('threshold-slider'); s.value = k;"
            " s.dispatchEvent(new Event('input')); }",
            thousandths,
        )
        called = p >= thousandths / 1000
        tn, fp, fn, tp = confusion_matrix(y, called, labels=[False, True]).ravel()
        assert [number(page, name) for name in ("tn", "fp", "fn", "tp")] == [tn, fp, fn, tp]
        assert number(page, "accuracy") == pytest.approx(accuracy_score(y, called), abs=5e-5)
        assert number(page, "recall") == pytest.approx(recall_score(y, called), abs=5e-5)
        if called.any():
            assert number(page, "precision") == pytest.approx(precision_score(y, called), abs=5e-5)
        assert page.inner_text("#threshold-value") == f"{thousandths / 1000:.3f}"
    page.fill("#cost-negative", "9")
    page.click("#cheapest")
    best = number(page, "threshold-value")
    costs = [np.sum((p >= t) & ~y) + 9 * np.sum((p < t) & y) for t in np.arange(1001) / 1000]
    assert number(page, "cost") == min(costs)
    assert costs[round(best * 1000)] == min(costs)
    assert seen.errors == []


@browser_only
def test_the_page_asks_for_nothing_and_says_no_error(
    browser: Browser, trained: tuple[zeroloop.Model, pd.DataFrame, Path]
) -> None:
    page, seen = opened(browser, trained[2])
    assert seen.requests == [trained[2].as_uri()]
    assert seen.errors == []
    assert trained[2].stat().st_size < MOST_BYTES
    assert page.title() == "y: a logistic regression"
    assert page.locator("figure svg").count() == 5


@browser_only
def test_the_search_filters(browser: Browser, trained: tuple[zeroloop.Model, pd.DataFrame, Path]) -> None:
    page, _ = opened(browser, trained[2])

    def names() -> list[str]:
        return [name.strip() for name in page.locator(".forest li:visible .name").all_inner_texts()]

    assert len(names()) == 5
    page.fill("#search", "RED")
    assert names() == ["red"]
    assert page.inner_text("#found") == "1 found"
    page.fill("#search", "g re")
    assert set(names()) == {"red"}
    page.fill("#search", "missing")
    assert set(names()) == {"u is missing"}
    page.fill("#search", "nothing like it")
    assert names() == []
    page.fill("#search", "")
    assert len(names()) == 5


@browser_only
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["two", "many", "hostile"])
@pytest.mark.filterwarnings("ignore::zeroloop.ZeroloopWarning")
def test_nothing_overflows(
    browser: Browser, trained: tuple[zeroloop.Model, pd.DataFrame, Path], folder: Path, width: int, kind: str
) -> None:
    path = {"two": trained[2], "many": folder / "many.html", "hostile": folder / "hostile.html"}[kind]
    if not path.exists():
        data = drawn().assign(y=lambda t: t.g) if kind == "many" else hostile()
        target = "y" if kind == "many" else HOSTILE[0]
        zeroloop.train(data.drop(columns="g", errors="ignore"), target, C=math.inf, report=path)
    page, seen = opened(browser, path, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Nothing reaches over the edge of the page, but for what scrolls in a box of its own.
    over = page.evaluate(
        "w => [...document.querySelectorAll('main *, header *')].filter(e => !e.closest('.wide, svg')"
        " && e.getBoundingClientRect().right > w + 0.5).map(e => e.tagName + '.' + e.className)",
        width,
    )
    assert over == []
    assert seen.errors == []


def hostile() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(2_000)
    levels = np.array(HOSTILE)[rng.integers(0, len(HOSTILE), 2_000)]
    target = np.where(rng.random(2_000) < 1 / (1 + np.exp(-x)), HOSTILE[1], HOSTILE[0])
    return pd.DataFrame({HOSTILE[1]: x, HOSTILE[2]: levels, HOSTILE[3]: rng.standard_normal(2_000), HOSTILE[0]: target})


@browser_only
def test_hostile_names_are_text(browser: Browser, folder: Path) -> None:
    path = folder / "hostile.html"
    if not path.exists():
        zeroloop.train(hostile(), HOSTILE[0], C=math.inf, report=path)
    page, seen = opened(browser, path)
    assert seen.errors == []
    assert seen.requests == [path.as_uri()]
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    text = page.inner_text("body")
    for name in HOSTILE:
        assert name in text
    page.fill("#search", HOSTILE[1])
    assert page.locator(".forest li:visible").count() >= 1


@browser_only
def test_on_paper_and_in_the_dark(browser: Browser, trained: tuple[zeroloop.Model, pd.DataFrame, Path]) -> None:
    page, _ = opened(browser, trained[2])
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) != light
    page.emulate_media(media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert len(page.pdf()) > 10_000


def shown_scores(path: Path) -> dict[str, list[float]]:
    text = path.read_text("utf-8")
    table = text[text.index('id="scores"') :]
    rows = re.findall(r'<th scope="row">([^<]+)</th>(.*?)</tr>', table[: table.index("</table>")], re.DOTALL)
    return {name: [float(value) for value in re.findall(r"\d+\.\d{4}", cells)] for name, cells in rows}


def test_scores_are_scikit_learn_s_and_intervals_hold_them(
    trained: tuple[zeroloop.Model, pd.DataFrame, Path],
) -> None:
    model, data, path = trained
    rows = held_out(model, data)
    y, p = (rows.y == "yes").to_numpy(), model.predict_proba(rows)[:, 1]
    shown = shown_scores(path)
    expected = {
        "log loss": log_loss(y, p),
        "AUC": roc_auc_score(y, p),
        "Brier score": brier_score_loss(y, p),
        "accuracy": accuracy_score(y, p >= 0.5),
    }
    for name, value in expected.items():
        assert shown[name][0] == pytest.approx(value, abs=5e-5)
        lower, upper = shown[name][1:3]
        assert lower < value < upper
    # As wide as those of rows drawn one by one.
    rng = np.random.default_rng(0)
    again = [rng.integers(0, y.size, y.size) for _ in range(500)]
    for name, score in (("AUC", roc_auc_score), ("log loss", log_loss)):
        width = 2 * 1.96 * np.std([score(y[i], p[i]) for i in again])
        assert shown[name][2] - shown[name][1] == pytest.approx(width, rel=0.25)


def test_curves_are_scikit_learn_s() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(500)
    y = rng.random(500) < p
    z = np.log(p / (1 - p))
    order = np.argsort(z)
    points = np.stack([z[order], y[order].astype(float), 1.0 - y[order]])
    found = curves(points, 2_000)
    assert found is not None
    false, true, _ = roc_curve(y, p, drop_intermediate=False)
    theirs = set(zip(false.round(9).tolist(), true.round(9).tolist(), strict=True))
    assert (
        set(zip(found.false_positive.round(9).tolist(), found.true_positive.round(9).tolist(), strict=True)) <= theirs
    )
    assert np.trapezoid(found.true_positive, found.false_positive) == pytest.approx(roc_auc_score(y, p), abs=2e-3)
    area = -np.sum(np.diff(found.recall[::-1], append=0) * found.precision[::-1])
    assert area == pytest.approx(average_precision_score(y, p), abs=0.02)
    observed, expected = calibration_curve(y, p, n_bins=20, strategy="quantile")
    np.testing.assert_allclose(found.expected, expected, atol=0.02)
    np.testing.assert_allclose(found.observed, observed, atol=0.08)
    assert found.counts.sum() == 500
    assert found.positive.sum() == pytest.approx(1)
    assert curves(points[:, y[order]], 500) is None


def test_too_few_rows_get_no_interval() -> None:
    sums = GroupSums(np.ones((4, 200)), np.ones((1, 2, 200, 8)))
    assert intervals(sums, 0.5, 29, 0) == {}
    assert set(intervals(sums, None, 300, 0)) == {"log_loss", "brier", "accuracy"}


@pytest.mark.parametrize("how", [{}, {"memory": "64KiB"}, {"memory": "64KiB", "spill": "none"}])
def test_the_same_page_from_memory_and_from_files(
    how: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = drawn(60_000).drop(columns="one")
    monkeypatch.chdir(tmp_path)
    data.to_parquet("rows.parquet")
    pages = []
    for options in ({}, how):
        model = zeroloop.train("rows.parquet", "y", report="page.html", **options)  # type: ignore[arg-type]
        page = Path("page.html").read_text("utf-8")
        pages.append(page.replace(model.training.date, ""))
    assert pages[0] == pages[1]
    model.save("model.json")
    loaded = zeroloop.load("model.json")
    loaded.report("again.html", "rows.parquet")
    assert Path("again.html").read_text("utf-8").replace(model.training.date, "") == pages[1]


def test_many_rows_are_binned_and_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroloop.scoring.EXACT_VALUES", 500)
    data = drawn(250_000).drop(columns="one")
    zeroloop.train(data, "y", report=tmp_path / "binned.html")
    binned = (tmp_path / "binned.html").read_text("utf-8")
    assert "made from bins of the predictor" in binned
    assert "There are many rows: curves and AUC are made from" in binned
    monkeypatch.undo()
    zeroloop.train(data, "y", report=tmp_path / "exact.html")
    assert "made from bins" not in (tmp_path / "exact.html").read_text("utf-8")
    ours, theirs = (shown_scores(tmp_path / name) for name in ("binned.html", "exact.html"))
    for name, values in theirs.items():
        assert ours[name] == pytest.approx(values, abs=2e-3)


def test_other_data_are_scored_whole(trained: tuple[zeroloop.Model, pd.DataFrame, Path], tmp_path: Path) -> None:
    model, _, _ = trained
    other = drawn(700, seed=9)
    model.report(tmp_path / "other.html", other)
    text = (tmp_path / "other.html").read_text("utf-8")
    assert "scored on 700 rows of the table given" in text
    assert "Whether the model was trained on some of these rows is not known" in text
    y, p = other.y == "yes", model.predict_proba(other)[:, 1]
    assert shown_scores(tmp_path / "other.html")["log loss"][0] == pytest.approx(log_loss(y, p), abs=5e-5)


def test_a_model_that_does_not_know_its_rows_says_so(
    trained: tuple[zeroloop.Model, pd.DataFrame, Path], tmp_path: Path
) -> None:
    model, data, _ = trained
    old = replace(model, training=replace(model.training, roles={}))
    old.report(tmp_path / "old.html", data)
    text = (tmp_path / "old.html").read_text("utf-8")
    assert "scored on 3,000 rows of the table given" in text
    assert "Whether the model was trained on some of these rows is not known" in text


def test_what_the_page_says(trained: tuple[zeroloop.Model, pd.DataFrame, Path]) -> None:
    model, _, path = trained
    text = html.unescape(path.read_text("utf-8"))
    assert fingerprint(model) in text
    assert str(command_of(model)) in text
    assert "constant, 1 in every training row" in text
    assert re.search(r"<td class=\"n\">2\d\d \(\d+\.\d%\)</td>", text)  # the gaps of u
    stored = json.loads(re.search(r'id="counts">(.*?)</script>', text)[1])  # type: ignore[index]
    assert stored["negative"][0] + stored["positive"][0] == model.training.held_out_rows


def test_without_rows_held_out_it_says_so(tmp_path: Path) -> None:
    zeroloop.train(drawn().drop(columns="one"), "y", test_fraction=0, report=tmp_path / "r.html")
    assert (
        "No rows were held out, so the scores are of rows that the model has seen" in (tmp_path / "r.html").read_text()
    )


def test_the_command_that_the_page_names_makes_the_same_model(tmp_path: Path) -> None:
    drawn().drop(columns="one").to_csv(tmp_path / "rows.csv", index=False)
    options = ["--C", "inf", "--features", "x,g", "--test-fraction", "0.4", "--seed", "3", "--covariance", "hc0"]
    run("train", "rows.csv", "--target", "y", *options, "--report", "a.html", "-o", "a.json", cwd=tmp_path)
    text = html.unescape((tmp_path / "a.html").read_text("utf-8"))
    command = re.search(r"<code>(zeroloop train [^<]*)</code>", text)
    assert command is not None
    run(*command[1].split()[1:], "-o", "b.json", cwd=tmp_path)
    one, other = (zeroloop.load(tmp_path / name) for name in ("a.json", "b.json"))
    np.testing.assert_array_equal(one.coef, other.coef)
    assert fingerprint(one) == fingerprint(other)


def test_terms_that_a_penalty_left_out_are_counted(tmp_path: Path) -> None:
    model = zeroloop.train(drawn().drop(columns="one"), "y", l1_ratio=1.0, C=0.005, report=tmp_path / "r.html")
    n_zero = int(np.sum(model.coef == 0))
    assert n_zero > 0
    text = (tmp_path / "r.html").read_text("utf-8")
    assert f"The penalty has left out {n_zero} of {model.coef.size - 1} terms" in text
    assert text.count("<li data-name=") == model.coef.size - 1 - n_zero
    assert "No standard errors: the fit is penalised (C = 0.005)" in text
    assert 'id="warnings"' not in text


def test_bad_places_for_a_report(tmp_path: Path) -> None:
    data = drawn(200).drop(columns="one")
    with pytest.raises(zeroloop.ZeroloopError, match=r"a report is written as \.html; name the file so"):
        zeroloop.train(data, "y", report=tmp_path / "page.txt")
    with pytest.raises(zeroloop.ZeroloopError, match="does not exist"):
        zeroloop.train(data, "y", report=tmp_path / "nowhere" / "page.html")
    model = zeroloop.train(data, "y")
    model.save(tmp_path / "m.json")
    with pytest.raises(zeroloop.ZeroloopError, match="A model holds no rows"):
        zeroloop.load(tmp_path / "m.json").report(tmp_path / "page.html")
    with pytest.raises(zeroloop.ZeroloopError, match=r"no column 'y'|there is no column"):
        model.report(tmp_path / "page.html", data.drop(columns="y"))
    assert os.listdir(tmp_path) == ["m.json"]  # noqa: PTH208
