"""scikit-learn's base classes, for estimators that do not wait for scikit-learn to be imported.

Importing scikit-learn takes many times as long as a fit of small arrays, and a script that fits and predicts asks
nothing of it. But an estimator must be one of scikit-learn's: an instance of `BaseEstimator`, with all that it has in
whichever version is installed. So a class of ours begins with a placeholder for a base, and gets scikit-learn's own
in its place (by `cls.__bases__`, which Python lets one assign) the moment anybody has imported them: its instances
and whoever holds the class see no other class than before, and nothing that needs scikit-learn's classes can run
before they are there. What is asked of the placeholder that scikit-learn would have, imports scikit-learn.

Not a metaclass, which a subclass with another (`ABCMeta`, say) could not have; not a copy of what `BaseEstimator`
does, which would be one version's; not ducks, which `isinstance` does not take for estimators.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

# Which classes of which module are the bases, in their order. The second module came with scikit-learn 1.9, and is not
# imported with the first.
BASE, CALLBACK = "sklearn.base", "sklearn.callback"

_lock = threading.RLock()  # held while bases are assigned, and never while anything is imported
_importing = threading.RLock()
_estimators: list[type] = []
_found: dict[str, tuple[type, ...]] = {}


@contextmanager
def importing() -> Iterator[None]:
    """Hold off other threads of ours while scikit-learn is imported, and give the estimators its bases.

    Its modules import each other in circles: threads that begin with different ones may find them half made.
    """
    with _importing:
        if len(_found) < 2:
            _import_bases()
        yield


def load() -> None:
    """Import scikit-learn's bases, and give them to the estimators."""
    with importing():
        pass


def _import_bases() -> None:
    import sklearn.base

    _take(sklearn.base)
    try:
        import sklearn.callback
    except ModuleNotFoundError as error:
        if error.name != CALLBACK:
            raise
        _take(None)
    else:
        _take(sklearn.callback)


class OfSklearn:
    """A name of the class itself (`LogisticRegression.get_params`) that scikit-learn's bases have."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        load()
        if owner in (Placeholder, Callbacks):  # help() looks at them, if it began before
            owner = next((one for one in _bases() if hasattr(one, self._name)), object)
        return getattr(owner if instance is None else instance, self._name)


class Callbacks:
    """In place of scikit-learn's mixin of callbacks, while its other bases are there."""

    set_callbacks, _init_callback_context = OfSklearn(), OfSklearn()


class Placeholder:
    """In place of scikit-learn's bases."""

    get_params, set_params, get_metadata_routing = OfSklearn(), OfSklearn(), OfSklearn()
    set_fit_request, set_score_request, set_callbacks = OfSklearn(), OfSklearn(), OfSklearn()
    _get_param_names = OfSklearn()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if Placeholder in cls.__bases__:  # an estimator of ours
            super().__init_subclass__(**kwargs)
            with _lock:
                _estimators.append(cls)
                if BASE in _found:
                    _give_bases(cls, first=True)
        else:  # a subclass of one
            load()
            super(cls, cls).__init_subclass__(**kwargs)

    def __getattr__(self, name: str) -> Any:
        # Other libraries ask for protocols of theirs (`__array__`, `__deepcopy__`), and a fitted attribute is the
        # instance's own: scikit-learn's bases have neither.
        protocol = name.startswith("__") and not name.startswith("__sklearn_")
        if protocol or (name.endswith("_") and not name.startswith("_")):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        load()
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        load()
        return repr(self)

    def __dir__(self) -> list[str]:
        load()
        return dir(self)

    def __sklearn_tags__(self) -> Any:
        load()
        return self.__sklearn_tags__()


if TYPE_CHECKING:
    from importlib.abc import Loader

    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.callback import CallbackSupportMixin

    class SklearnBases(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
        """What an estimator inherits."""
else:
    SklearnBases = Placeholder


def _take(module: ModuleType | None) -> None:
    """Give the estimators the bases that a module has, once; None for a scikit-learn without callbacks."""
    with _lock:
        first = BASE not in _found
        if module is None:
            _found.setdefault(CALLBACK, ())
        elif module.__name__ == BASE:
            _found.setdefault(BASE, (module.ClassifierMixin, module.BaseEstimator))
        else:
            _found.setdefault(CALLBACK, (module.CallbackSupportMixin,))
        if BASE in _found:
            for cls in _estimators:
                _give_bases(cls, first)
        if len(_found) == 2 and _finder in sys.meta_path:
            sys.meta_path.remove(_finder)


def _bases() -> tuple[type, ...]:
    return (*_found.get(CALLBACK, (Callbacks,)), *_found[BASE])


def _give_bases(cls: Any, first: bool) -> None:
    if cls.__bases__ != _bases():
        cls.__bases__ = _bases()
        if first:  # what a class statement does: it makes `set_fit_request` and its like
            super(cls, cls).__init_subclass__()


class _Loader:
    """A module's own loader, and then its bases are taken."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return cast("ModuleType | None", self.loader.create_module(spec))

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        _take(module)


class _Finder:
    """Finds scikit-learn's modules as those after it on `sys.meta_path` do."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in (BASE, CALLBACK):
            return None
        finders = sys.meta_path[:]
        for finder in finders[finders.index(self) + 1 :] if self in finders else ():
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = cast("Loader", _Loader(spec.loader))
                return spec
        return None


# In this order: a thread that imports scikit-learn just now either finds its modules by this, or is waited for.
_finder = _Finder()
sys.meta_path.insert(0, _finder)
if sys.modules.get("sklearn") is not None:
    load()
