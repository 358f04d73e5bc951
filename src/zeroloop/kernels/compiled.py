"""How this package compiles: Numba, no GIL, cached on disk in a folder of ours."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import caching
from numba.core.caching import FunctionCache
from numpy.typing import NDArray

from zeroloop.errors import ZeroloopWarning
from zeroloop.own_folders import is_ours

F = TypeVar("F", bound=Callable[..., Any])

# For sums: may be reordered into vector lanes (the same lanes each time, so still the same bits). Not
# "nnan"/"ninf": an overflow must stay visible.
SUMS = frozenset({"reassoc", "contract", "nsz"})

# For scalar functions whose steps must stay in order (error-free reductions): fused multiply-add only.
EXACT = frozenset({"contract"})

_KERNELS = Path(__file__).parent
_SOURCES = [_KERNELS.parent / "blocks.py", *sorted(_KERNELS.glob("*.py"))]


def compiled(fastmath: frozenset[str]) -> Callable[[F], F]:
    """Compile a function that Python calls: on its first call with given types, GIL released, with what it calls."""

    def decorate(function: F) -> F:
        made: Any = _njit(function, fastmath)
        if not numba.config.DISABLE_JIT:
            try:
                made._cache = _Cache(function)
            except RuntimeError:  # no folder of ours to cache in: compiled anew in each process
                _say_that_nothing_is_kept()
        return made  # type: ignore[no-any-return]

    return decorate


def inlined(fastmath: frozenset[str]) -> Callable[[F], F]:
    """Compile a function that compiled functions call: each of them has its own copy, in place of the call.

    Else a copy is shared by all that a process has loaded: that of whichever was first, optimised along with it, so
    that the last bits of a sum depend on what a process has called, or compiled, before.
    """
    return lambda function: _njit(function, fastmath, forceinline=True, no_cpython_wrapper=True)


def _njit(function: F, fastmath: frozenset[str], **options: bool) -> F:
    how = {"nogil": True, "fastmath": set(fastmath), "error_model": "numpy", "no_cfunc_wrapper": True}
    made: F = numba.njit(**how, **options)(function)
    return made


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written to: to Numba that is another type, and one is compiled, not two.

    Arrays come either way: a memory map, a chunk from another process or what pandas lends cannot be written to.
    """
    view = array.view()
    view.setflags(write=False)
    return view


_strange: dict[Path, bool] = {}  # folders that were looked at: whether they are not ours


class _OurFolder:
    """A place for a cache, if it is ours: what is read from a cache is executed."""

    def ensure_cache_path(self) -> None:
        """Make the folder, and see that it is ours; raise an `OSError` where it is not, as Numba expects it."""
        folder = self.folder()
        if folder not in _strange:
            _strange[folder] = not is_ours(folder)  # before anything is made in it
            if not _strange[folder]:
                super().ensure_cache_path()  # type: ignore[misc]
                _strange[folder] = not is_ours(folder)
        if _strange[folder]:
            raise PermissionError(f"{folder} is not ours alone")

    def folder(self) -> Path:
        """Return where the cache is to be; without a HOME, and a name, it begins with a "~" that leads nowhere."""
        return Path(self.get_cache_path())  # type: ignore[attr-defined]


class _Named(_OurFolder, caching.UserProvidedCacheLocator):  # type: ignore[misc]
    """The folder that NUMBA_CACHE_DIR names."""

    def folder(self) -> Path:
        """Return the folder, which may be named from the current one."""
        return super().folder().absolute()


class _Beside(_OurFolder, caching.InTreeCacheLocator):  # type: ignore[misc]
    """The folder of bytecode beside the kernels."""


class _OfUser(_OurFolder, caching.UserWideCacheLocator):  # type: ignore[misc]
    """The user's folder for caches."""


class _Places(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_Named, _Beside, _OfUser)


@cache
def _say_that_nothing_is_kept() -> None:
    found = [folder for folder, strange in _strange.items() if strange and folder.is_absolute()]
    if found:
        warnings.warn(
            "Compiled kernels are not kept, and compiled anew in each process: others than this user own, or may write "
            f"to, {found[0]}, a file in it or a folder above, and what lies there would be executed. Set "
            "NUMBA_CACHE_DIR to a folder of your own.",
            ZeroloopWarning,
            stacklevel=2,
        )


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's cache on disk, but one that can never break a fit.

    Numba's own executes what others may have put there; raises where a file is damaged or its folder has become
    unwritable; takes the code of one signature for another's where two processes have compiled at once; and knows when
    a kernel's own file changed, not one that it calls into.
    """

    _impl_class = _Places
    _state = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()

    def _index_key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(signature, codegen), self._state)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return the code of a signature, None where the cache has it not, or not whole."""
        try:
            found = super().load_overload(signature, target_context)
        except Exception:  # noqa: BLE001  unpickling a damaged file may raise anything
            with suppress(OSError):
                self.flush()
            return None
        return None if found is None or tuple(found.signature.args) != tuple(signature) else found

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep the code of a signature, where that can be done."""
        with suppress(OSError):
            super().save_overload(signature, data)
