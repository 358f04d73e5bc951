"""Compiled kernels are read from folders of ours alone: what lies there is executed."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from test_cache import RUN
from zeroloop.own_folders import is_ours

STRANGER = 12345

pytestmark = [
    pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give folders away"),
]


class Planted:
    """What runs when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (self.path, "w")


def run(cwd: Path, **environment: str | None) -> tuple[int, str]:
    """Call a kernel in a process; return how often it came from a cache, and what was said."""
    names = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | environment
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(before=""), "int64"],
        env={name: value for name, value in names.items() if value is not None},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout), done.stderr


def given_away(folder: Path) -> None:
    os.chown(folder, STRANGER, STRANGER)


def open_to_all(folder: Path) -> None:
    folder.chmod(0o777)


def open_to_a_group(folder: Path) -> None:
    folder.chmod(0o775)
    os.chown(folder, 0, STRANGER)


def given_away_above(folder: Path) -> None:
    os.chown(folder.parent, STRANGER, STRANGER)


def open_above(folder: Path) -> None:
    folder.parent.chmod(0o777)


@pytest.mark.parametrize("damage", [given_away, open_to_all, open_to_a_group, given_away_above, open_above])
def test_nothing_is_executed_from_a_folder_that_others_may_write_to(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "above" / "cache"
    folder.mkdir(parents=True)
    run(tmp_path, NUMBA_CACHE_DIR=str(folder))
    planted = tmp_path / "executed"
    files = [path for path in folder.rglob("*") if path.suffix in (".nbi", ".nbc")]
    assert len(files) >= 2
    for path in files:
        path.write_bytes(pickle.dumps(Planted(str(planted))))
    holds = files[0].parent
    damage(holds if damage in (given_away, open_to_all, open_to_a_group) else folder)
    run(tmp_path, NUMBA_CACHE_DIR=str(folder))
    assert not planted.exists()


def test_it_is_said_when_nothing_is_kept(tmp_path: Path) -> None:
    script = (
        "import sys, warnings; from pathlib import Path\n"
        "from zeroloop.kernels import compiled\n"
        "compiled._Places._locator_classes = (compiled._Named,)\n"
        "compiled._strange.clear()\n"
        "compiled.compiled(compiled.EXACT)(compiled.read_only)\n"
        "compiled.compiled(compiled.EXACT)(compiled.read_only)\n"
    )
    folder = tmp_path / "cache"
    folder.mkdir()
    open_to_all(folder)
    names = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", script], env=names, capture_output=True, text=True, check=True)
    assert done.stderr.count("Set NUMBA_CACHE_DIR to a folder of your own") == 1
    assert done.stderr.count(str(folder)) == 1


def test_a_file_of_a_stranger_in_our_folder_is_not_executed(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    run(tmp_path, NUMBA_CACHE_DIR=str(folder))
    planted = tmp_path / "executed"
    for path in [one for one in folder.rglob("*.nb?") if "split_columns" in one.name]:
        path.write_bytes(pickle.dumps(Planted(str(planted))))
        os.chown(path, STRANGER, STRANGER)
    run(tmp_path, NUMBA_CACHE_DIR=str(folder))
    assert not planted.exists()


def test_planted_pickles_would_run_where_the_folder_is_ours(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    run(tmp_path, NUMBA_CACHE_DIR=str(folder))
    planted = tmp_path / "executed"
    for path in folder.rglob("*.nbi"):
        path.write_bytes(pickle.dumps(Planted(str(planted))))
    run(tmp_path, NUMBA_CACHE_DIR=str(folder))
    assert planted.exists()  # else the tests above would prove nothing


def test_a_folder_of_ours_in_tmp_is_used(tmp_path: Path) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    assert [run(tmp_path, NUMBA_CACHE_DIR=str(shared / "cache"))[0] for _ in range(2)] == [0, 1]


def test_links_are_followed_only_through_folders_of_ours(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "ours")
    assert is_ours(link)
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
    assert not is_ours(link)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert not is_ours(loop)
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    through = tmp_path / "through"
    through.symlink_to(open_folder / "inner")
    assert not is_ours(through)
    assert not is_ours(open_folder / "none" / "yet")
    assert is_ours(tmp_path / "none" / "yet")
    assert not is_ours(Path("~/.cache"))


def test_no_home_makes_no_folder_in_the_current_one(tmp_path: Path) -> None:
    # A user without a name, and no HOME; the modules are loaded before, by one who can read them.
    folder = tmp_path / "here"
    folder.mkdir()
    tmp_path.chmod(0o755)
    os.chown(folder, 54321, 54321)
    script = (
        "import os, sys\n"
        "from zeroloop.kernels.compiled import _OfUser\n"
        "from zeroloop.kernels import sparse\n"
        "os.environ.pop('HOME', None)\n"
        "os.setuid(54321)\n"
        "place = _OfUser(sparse.split_columns.py_func, sparse.__file__)\n"
        "assert place.get_cache_path().startswith('~'), place.get_cache_path()\n"
        "assert _OfUser.from_function(sparse.split_columns.py_func, sparse.__file__) is None\n"
    )
    names = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=names, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []
