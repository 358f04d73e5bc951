"""Environments of peers that would change those beside them: each in `build/peers/NAME`, made when first needed.

scikit-learn-intelex takes the place of scikit-learn, adelie needs an older NumPy, and torch is large.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMON = ("numpy", "scipy", "scikit-learn", "pyarrow")
PACKAGES = {"scikit-learn-intelex": "scikit-learn-intelex", "adelie": "adelie", "torch": "torch"}
"""By how the names of peers begin."""
AS_INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Of a process that is measured as a whole: pip compiles the Python files of what it installs, but those of an editable
install are compiled at every start, unless Python may keep them."""


@functools.cache
def python_of(peer: str) -> str:
    """Return the interpreter of a peer.

    Raises:
        subprocess.CalledProcessError: where its environment could not be made.

    """
    name = next((name for name in PACKAGES if peer.startswith(name)), None)
    if name is None:
        return sys.executable
    folder = ROOT / "build" / "peers" / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if not (folder / "whole").exists():
        print(f"installing {PACKAGES[name]} into {folder.relative_to(ROOT)} ...", flush=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, PACKAGES[name], *COMMON], check=True)
        (folder / "whole").touch()
    return str(python)


def versions() -> dict[str, str]:
    """Return the versions of the packages in the environments there are."""
    found = {}
    for name, package in PACKAGES.items():
        if (ROOT / "build" / "peers" / name / "whole").exists():
            script = f"import importlib.metadata, json; print(json.dumps(importlib.metadata.version({package!r})))"
            ran = subprocess.run([python_of(name), "-c", script], capture_output=True, text=True, check=True)
            found[package] = json.loads(ran.stdout)
    return found
