"""Build zeroloop: scikit-build-core, with a C++ compiler from PyPI where this machine has none.

As a program it builds the core of this working tree in place, `src/zeroloop/core.*`, anew where sources changed:

    python tools/backend.py [--sanitize] [FOLDER]

`CXX` names another compiler, FOLDER another place for the module. `python tools/backend.py requires` prints what has to
be installed first.
"""

import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ZIG = "ziglang>=0.13"
if os.name == "nt":
    os.environ.setdefault("CMAKE_GENERATOR", "Ninja")  # Visual Studio's takes no other compiler


def works(compiler):
    """Whether a compiler knows C++20 and, on x86-64, every level: gcc 11, clang 12 and newer do."""
    command = shlex.split(compiler)
    if not shutil.which(command[0]):
        return False
    level = ["-march=x86-64-v4"] if platform.machine() in ("x86_64", "AMD64") else []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "tried.cpp")
        source.write_text("#include <new>\nint main() { return 0; }\n", encoding="utf-8")
        tried = [*command, "-std=c++20", *level, str(source), "-o", str(Path(folder, "tried"))]
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def compiler():
    """Return `CXX`, or the first compiler on PATH that works; None where there is none."""
    return os.environ.get("CXX") or next(filter(works, ("c++", "g++", "clang++")), None)


def set_compiler():
    """Let CMake take that compiler, else Zig's."""
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.is_file():
        sys.exit(
            f"The core cannot be built: {header} is missing. Install the headers of this Python "
            "(python3-dev on Debian and Ubuntu, python3-devel on Fedora), then try again."
        )
    found = compiler()
    if found is None:
        if importlib.util.find_spec("ziglang") is None:
            sys.exit(
                "The core cannot be built: there is no C++ compiler on PATH (gcc 11, clang 12 or newer) and no "
                "package ziglang. Install one of them, then try again."
            )
        found = zig()
    os.environ["CXX"] = found


def zig():
    """Return the command of Zig's C++ compiler, its archiver handed to CMake as a program of its own."""
    import ziglang

    program = Path(ziglang.__file__).with_name("zig.exe" if os.name == "nt" else "zig")
    archiver = ROOT / "build" / ("zig-ar.cmd" if os.name == "nt" else "zig-ar")
    archiver.parent.mkdir(exist_ok=True)
    archiver.write_text(f'@"{program}" ar %*\n' if os.name == "nt" else f'#!/bin/sh\nexec "{program}" ar "$@"\n')
    archiver.chmod(0o755)
    defined = f"-DCMAKE_AR={archiver} -DCMAKE_CXX_COMPILER_AR={archiver} -DCMAKE_RANLIB= -DCMAKE_CXX_COMPILER_RANLIB="
    os.environ["CMAKE_ARGS"] = f"{os.environ.get('CMAKE_ARGS', '')} {defined}".strip()
    return f"{program} c++"


def build_in_place(folder=ROOT / "src" / "zeroloop", sanitize=False):
    """Build the module into `folder`; a module that a process runs at this time is replaced, not written to."""
    set_compiler()
    name = "-".join(re.sub(r"[^\w.+]", "", Path(word).name) for word in shlex.split(os.environ["CXX"]))
    build = ROOT / "build" / f"{sys.implementation.cache_tag}-{name}{'-sanitize' if sanitize else ''}"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    cmake = shutil.which("cmake", path=path)
    if cmake is None:
        sys.exit(f"The core cannot be built: no cmake. Install it: {sys.executable} -m pip install cmake ninja")
    ninja = shutil.which("ninja", path=path)
    generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja else []
    kind = "-DSANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo" if sanitize else "-DCMAKE_BUILD_TYPE=Release"
    options = [f"-DPython_EXECUTABLE={sys.executable}", *kind.split()]
    given = shlex.split(os.environ.get("CMAKE_ARGS", ""))
    configure = [cmake, "-S", str(ROOT), "-B", str(build), *generator, *options, *given]
    for command in (configure, [cmake, "--build", str(build), "--parallel"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = f"{done.stdout}\n{done.stderr}".strip()
            sys.exit(f"{said}\n\nThe core cannot be built: this failed, as said above: {shlex.join(command)}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    for module in (*build.glob("core.*.so"), *build.glob("core*.pyd")):
        target = Path(folder, module.name)
        if not target.exists() or target.stat().st_mtime_ns != module.stat().st_mtime_ns:
            written = target.with_name(f"{module.name}.{os.getpid()}")
            shutil.copy2(module, written)
            written.replace(target)


def _hooks():
    from scikit_build_core import build

    return build


def get_requires_for_build_sdist(config_settings=None):
    """See PEP 517."""
    return _hooks().get_requires_for_build_sdist(config_settings)


def get_requires_for_build_wheel(config_settings=None):
    """See PEP 517; where no compiler works, Zig's is asked for."""
    return [*_hooks().get_requires_for_build_wheel(config_settings), *([] if compiler() else [ZIG])]


def get_requires_for_build_editable(config_settings=None):
    """See PEP 660; the core is built as for a wheel."""
    return get_requires_for_build_wheel(config_settings)


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """See PEP 517."""
    return _hooks().prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def build_sdist(sdist_directory, config_settings=None):
    """See PEP 517."""
    return _hooks().build_sdist(sdist_directory, config_settings)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """See PEP 517."""
    set_compiler()
    return _hooks().build_wheel(wheel_directory, config_settings, metadata_directory)


# An editable install is a wheel with nothing but the path of src/: unlike scikit-build-core's own, whose finder comes
# before PYTHONPATH, it lets another working tree be run in the same environment.
POINTER = {"wheel.cmake": "false", "wheel.exclude": "zeroloop/**", "wheel.py-api": "py3"}


def prepare_metadata_for_build_editable(metadata_directory, config_settings=None):
    """See PEP 660."""
    return _hooks().prepare_metadata_for_build_wheel(metadata_directory, {**(config_settings or {}), **POINTER})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """See PEP 660; the core is built in place."""
    build_in_place()
    pointer = ROOT / "build" / "zeroloop.pth"
    pointer.write_text(f"{ROOT / 'src'}\n", encoding="utf-8")
    settings = {**(config_settings or {}), **POINTER, f"wheel.force-include.{pointer}": pointer.name}
    return _hooks().build_wheel(wheel_directory, settings, metadata_directory)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--sanitize"]
    if words == ["requires"]:
        import tomllib

        if not compiler():
            print("No C++ compiler (gcc 11, clang 12 or newer) on PATH: Zig's is fetched from PyPI.", file=sys.stderr)
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        print(*project["build-system"]["requires"], "cmake>=3.26", "ninja", *([] if compiler() else [ZIG]))
    else:
        build_in_place(*words, sanitize="--sanitize" in sys.argv)
