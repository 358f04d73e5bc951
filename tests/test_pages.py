"""What README and docs print runs as printed: a page's blocks in order, in an empty folder.

`sh` blocks are run by a shell, `python` blocks of a page in one process. Other blocks show what is printed, or name a
place that is not here; of their commands only the options are looked at.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

import forked
from zeroloop.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "cli.md")]
ELSEWHERE = ("s3://", "://host")  # what is not to be had where tests run
COMMAND = re.compile(r"^(?:\$ )?(zeroloop [a-z].*|zeroloop\.[a-z]\w*\(.*|(?:from|import) zeroloop.*)$", re.MULTILINE)
TOOL = """#!/bin/sh
exec {zeroloop} "$@"
"""
DRIVER = """
import json, os, subprocess, sys
names = {"__name__": "__main__"}
asked = [int(os.environ["ZEROLOOP_FORKED"])]
for where, language, text in json.loads(sys.argv[1]):
    if language == "python":
        exec(compile(text, where, "exec"), names)
    else:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], stdin=subprocess.DEVNULL, pass_fds=asked)
        if done.returncode:
            sys.exit(f"{where}: ended with {done.returncode}")
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: where it stands, its language, its text."""

    where: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order; a Python one has its lines where they stand on the page."""
    content = page.read_text()
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", content, re.MULTILINE | re.DOTALL):
        line = content.count("\n", 0, match.start()) + 1
        text = match[2]
        found.append(Block(f"{page.name}:{line}", match[1], "\n" * line + text if match[1] == "python" else text))
    return found


def page_id(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", [page for page in PAGES if re.search("```(sh|python)", page.read_text())], ids=page_id)
def test_a_page_runs_as_printed_in_an_empty_folder(page: Path, tmp_path: Path) -> None:
    run = [[one.where, one.language, one.text] for one in blocks(page) if one.language in ("sh", "python")]
    tools, folder = tmp_path / "bin", tmp_path / "empty"
    tools.mkdir()
    folder.mkdir()
    command = tools / "zeroloop"
    command.write_text(TOOL.format(zeroloop=shlex.join(forked.COMMAND)))
    command.chmod(0o755)
    path = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = forked.run_forked(DRIVER, [json.dumps(run)], cwd=folder, env=path, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_what_is_not_run_names_a_place_elsewhere(page: Path) -> None:
    for block in blocks(page):
        if block.language not in ("sh", "python") and COMMAND.search(block.text):
            assert any(place in block.text for place in ELSEWHERE), f"{block.where} could be run: name it sh or python"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_on_a_page_has_its_options(page: Path) -> None:
    """Also in sentences, and in blocks that are not run."""
    printed = [one[1] for block in blocks(page) for one in COMMAND.finditer(block.text)]
    printed += re.findall(r"`(zeroloop [a-z][^`]*)`", page.read_text())
    commands = typer.main.get_command(app)
    for line in printed:
        if not line.startswith("zeroloop ") or "..." in line:
            continue
        name, *arguments = shlex.split(line, comments=True)[1:]
        command = commands.commands[name]  # type: ignore[attr-defined]
        context = command.context_class(command)
        command.make_parser(context).parse_args(arguments)  # raises for an option that there is not
