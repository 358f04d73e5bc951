"""How the core is compiled: no level's code reaches a processor that cannot run it, and what is missing is said."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
OBJECTS = [
    path for path in sorted(ROOT.glob("build/*/CMakeFiles/*.dir/src/core/*.o")) if "-sanitize/" not in path.as_posix()
]
LEVELS = [path for path in OBJECTS if "level_" in str(path)]
HARMLESS = {"DW.ref.__gxx_personality_v0", "__clang_call_terminate"}  # a pointer; a call of std::terminate
WIDE = {"plain": r"%[yz]mm", "core": r"%[yz]mm", "v3": r"%zmm"}

needs_objects = pytest.mark.skipif(not LEVELS, reason="the core was not built in this working tree")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the tools print otherwise elsewhere")


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"no {program} here")


def shared_symbols(compiled: Path, level: str) -> list[str]:
    """Symbols that the linker would take from any one of several levels: weak, and not in the level's namespace."""
    listed = subprocess.run(["nm", "-C", "--defined-only", compiled], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\S+ ([WwVvu]) (.+)$", listed, re.MULTILINE)
    return [name for _, name in found if f"{level}::" not in name and name not in HARMLESS]


@on_linux
@needs_objects
@needs("nm")
def test_levels_share_no_symbol() -> None:
    for compiled in LEVELS:
        level = compiled.parent.parent.parent.name.removeprefix("level_").removesuffix(".dir")
        assert shared_symbols(compiled, level) == [], compiled


@on_linux
@needs("nm")
@needs("g++")
def test_a_shared_symbol_is_found(tmp_path: Path) -> None:
    source = tmp_path / "level.cpp"
    source.write_text(
        "inline __attribute__((noinline)) int shared(int x) { return x; }\n"
        "namespace v4 { inline __attribute__((noinline)) int own(int x) { return x; } }\n"
        "int called(int x) { return shared(x) + v4::own(x); }\n"
    )
    subprocess.run(["g++", "-O3", "-c", source, "-o", tmp_path / "level.o"], check=True)
    assert shared_symbols(tmp_path / "level.o", "v4") == ["shared(int)"]


@on_linux
@needs_objects
@needs("objdump")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the registers are those of x86-64")
def test_registers_are_those_of_the_level() -> None:
    for compiled in OBJECTS:
        level = compiled.parent.parent.parent.name.removeprefix("level_").removesuffix(".dir")
        if level in WIDE:
            code = subprocess.run(["objdump", "-d", compiled], capture_output=True, text=True, check=True).stdout
            assert not re.search(WIDE[level], code), compiled


def backend() -> ModuleType:
    spec = importlib.util.spec_from_file_location("backend", ROOT / "tools" / "backend.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is not None, reason="there is always Zig's compiler here")
def test_no_compiler_is_said_in_one_sentence() -> None:
    where = {name: value for name, value in os.environ.items() if name not in ("CXX", "PATH")}
    command = [sys.executable, str(ROOT / "tools" / "backend.py")]
    done = subprocess.run(command, env={**where, "PATH": ""}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "The core cannot be built: there is no C++ compiler on PATH (gcc 11, clang 12 or newer) and no package "
        "ziglang. Install one of them, then try again.\n"
    )


def test_no_headers_are_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(SystemExit) as raised:
        backend().set_compiler()
    assert str(raised.value) == (
        f"The core cannot be built: {tmp_path / 'Python.h'} is missing. Install the headers of this Python "
        "(python3-dev on Debian and Ubuntu, python3-devel on Fedora), then try again."
    )
