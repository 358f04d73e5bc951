"""The package as such: light to import, names as promised, documents that are true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

import zeroloop
from zeroloop.cli import app

ROOT = Path(__file__).parent.parent


def test_records_above_four_fields_are_made_by_name() -> None:
    by_position = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ClassDef):
                continue
            made = [ast.unparse(one) for one in node.decorator_list]
            n_fields = sum(isinstance(one, ast.AnnAssign) for one in node.body)
            if any(one.startswith("dataclass") and "kw_only=True" not in one for one in made) and n_fields > 4:
                by_position.append(f"{path.name}: {node.name}")
    assert by_position == []


def test_no_sentence_has_the_plural_of_one() -> None:
    """What is counted is written by `number_of`, which knows "1 row"."""
    counted = "row|column|level|term|pass|prediction|example|feature|iteration|bin|coefficient|worker|partition|loop"
    plural = re.compile(rf"^ (?:[a-z-]+ )?(?:{counted})e?s\b")
    by_hand = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        texts = [node.values for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.JoinedStr)]
        for number, text in [pair for values in texts for pair in pairwise(values)]:
            if isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant):
                what, word = ast.unparse(number.value), text.value
                constant, known = what.isupper(), what.startswith("number_of(")
                if isinstance(word, str) and plural.match(word) and not constant and not known:
                    by_hand.append(f"{path.name}:{number.lineno}: {{{what}}}{word}")
    assert not by_hand, "\n".join(by_hand)


def test_import_is_light() -> None:
    script = (
        "import sys, zeroloop\n"
        "heavy = {'numpy', 'sklearn', 'matplotlib', 'pyarrow', 'typer', 'rich', 'scipy', 'pandas', 'jinja2'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_training_needs_neither_scikit_learn_nor_matplotlib(tmp_path: Path) -> None:
    script = (
        "import sys, zeroloop\n"
        "from importlib.resources import files\n"
        "zeroloop.train(str(files('zeroloop') / 'data' / 'flights.parquet'), 'late', features=['hour'])\n"
        "sys.exit(', '.join({'sklearn', 'matplotlib', 'typer', 'rich', 'pandas', 'jinja2'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_line_does_not_wait_for_scikit_learn() -> None:
    script = (
        "import sys, zeroloop.terminal, zeroloop.training, zeroloop.paths\n"
        "sys.exit(', '.join({'sklearn', 'matplotlib', 'scipy', 'pandas', 'jinja2'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_names() -> None:
    for name in zeroloop.__all__:
        assert getattr(zeroloop, name).__doc__
        assert name in dir(zeroloop)
    assert callable(zeroloop.train)
    assert zeroloop.__version__ == version("zeroloop")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        zeroloop.nothing  # noqa: B018


def test_the_changelog_knows_this_version() -> None:
    assert f"## {version('zeroloop')}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_command_line_page_knows_every_option() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert "train" in commands
    for name, command in commands.items():
        section = page.partition(f"## `zeroloop {name}`")[2].partition("\n## ")[0]
        wanted = {option for one in command.params if one.param_type_name == "option" for option in one.opts}
        assert wanted <= set(re.findall(r"--?[a-zA-Z][a-zA-Z0-9-]*", section)), name
