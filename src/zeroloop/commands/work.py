"""What several commands do: train and show, predict to a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zeroloop.commands.as_json import training_json
from zeroloop.csv_options import AS_FOUND, CsvOptions


def trained(data: Any, out: Path, as_json: bool, **options: Any) -> None:
    """Train, save and show a model; `options` are those of `zeroloop.train`."""
    from zeroloop import training
    from zeroloop.summary import summarise
    from zeroloop.terminal import MOST_COLUMNS, STRONGEST, console, show_summary, show_training, styled
    from zeroloop.terminal_bar import ProgressBar

    report = options.get("report")
    before = _when(report)
    with ProgressBar() as bar:
        model = training.train(data, progress=bar, out=out, **options)
    if as_json:
        print(json.dumps(training_json(model, out)))
    else:
        show_training(model, MOST_COLUMNS)
        show_summary(model, summarise(model), STRONGEST)
        console.print(styled("Saved ", (str(out), "bold")))
        if report is not None and _when(report) != before:  # else a warning has said why
            console.print(styled("Wrote ", (str(report), "bold"), ": open it in a browser"))


def _when(path: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from the one that replaces it; None where there is none."""
    if path is None or not path.exists():
        return None
    return path.stat().st_ino, path.stat().st_mtime_ns


def predicted(
    model: Any,
    data: Any,
    out: str | Path,
    keep: list[str],
    interval: float | None,
    threads: int | None,
    scheduler: str | None = None,
    csv: CsvOptions = AS_FOUND,
) -> int:
    """Write a model's predictions to a file; return how many."""
    from zeroloop.predict import predict_file
    from zeroloop.terminal_bar import ProgressBar

    with ProgressBar() as bar:
        return predict_file(
            model, data, out, keep=keep, interval=interval, threads=threads, scheduler=scheduler, csv=csv, progress=bar
        )
