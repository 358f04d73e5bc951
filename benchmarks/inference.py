"""A summary with standard errors: the flights with all columns, against R's `glm` and statsmodels.

`python -m benchmarks.inference zeroloop|statsmodels` measures one thing in a process of its own and prints it as JSON.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.csv as pacsv
import pyarrow.parquet as pq

REPEATS = 3  # of ours; the others take a minute each
FLIGHTS = str(files("zeroloop") / "data" / "flights.parquet")

Figures = dict[str, Any]

# From a data frame in memory to the printed summary; reading the file is not counted.
R_SCRIPT = """
d <- na.omit(read.csv(commandArgs(TRUE)[1], stringsAsFactors = TRUE))
seconds <- system.time({
  f <- glm(late ~ ., binomial, d)
  s <- capture.output(print(summary(f)))
})[["elapsed"]]
cat(sprintf('{"seconds": [%g], "deviance": %.17g}', seconds, f$deviance))
"""


def inference() -> Figures:
    """Return the seconds from a table in memory to the text of its summary, of each tool."""
    found = {tool: _run([sys.executable, "-m", "benchmarks.inference", tool]) for tool in ("zeroloop", "statsmodels")}
    rscript = shutil.which("Rscript")
    if rscript is not None:
        with tempfile.TemporaryDirectory() as folder:
            pacsv.write_csv(pq.read_table(FLIGHTS), f"{folder}/flights.csv")
            script = Path(folder) / "glm.R"
            script.write_text(R_SCRIPT)
            found["R glm"] = _run([rscript, str(script), f"{folder}/flights.csv"])
    return found


def _run(command: list[str]) -> Figures:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found | {"first": found["seconds"][0], "seconds": median(found["seconds"])}


def _timed(summarise: Callable[[], tuple[str, float]], repeats: int) -> Figures:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        text, deviance = summarise()
        seconds.append(time.perf_counter() - start)
        assert "hour" in text
    return {"seconds": seconds, "deviance": deviance}


def measure_zeroloop() -> Figures:
    """Return our seconds: kinds, levels and missing values found, rows encoded, fitted, summarised."""
    import zeroloop

    table = pq.read_table(FLIGHTS)

    def summarise() -> tuple[str, float]:
        model = zeroloop.train(table, target="late", C=float("inf"), missing="drop", test_fraction=0)
        summary = model.summary()
        return str(summary), summary.figures["deviance"]

    return _timed(summarise, REPEATS)


def measure_statsmodels() -> Figures:
    """Return statsmodels' seconds: from a frame of complete rows, by its formula, with Newton's method."""
    import statsmodels.formula.api as smf

    frame = pq.read_table(FLIGHTS).to_pandas().dropna()
    formula = "late ~ " + " + ".join(name for name in frame.columns if name != "late")

    def summarise() -> tuple[str, float]:
        fit = smf.logit(formula, frame).fit(disp=0)
        return str(fit.summary()), -2 * float(fit.llf)

    return _timed(summarise, 1)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps({"zeroloop": measure_zeroloop, "statsmodels": measure_statsmodels}[sys.argv[1]]()))
