"""Logistic regression with no loop in your code and as few passes over your data as possible.

>>> import zeroloop
>>> model = zeroloop.train("flights.parquet", target="late")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zeroloop.csv_options import CsvOptions as CsvOptions
    from zeroloop.errors import ZeroloopError as ZeroloopError
    from zeroloop.errors import ZeroloopWarning as ZeroloopWarning
    from zeroloop.estimator import LogisticRegression as LogisticRegression
    from zeroloop.estimator_cv import LogisticRegressionCV as LogisticRegressionCV
    from zeroloop.loading import load as load
    from zeroloop.model import Model as Model
    from zeroloop.paths import Path as Path
    from zeroloop.paths import logistic_path as logistic_path
    from zeroloop.paths import path as path
    from zeroloop.predict import predict_file as predict_file
    from zeroloop.scoring import evaluate as evaluate
    from zeroloop.tables.sql import Sql as Sql
    from zeroloop.training import train as train

# Where each public name lives; imported when first asked for, so that `import zeroloop` costs nothing.
_HOMES = {
    "CsvOptions": "csv_options",
    "LogisticRegression": "estimator",
    "LogisticRegressionCV": "estimator_cv",
    "Model": "model",
    "Path": "paths",
    "Sql": "tables.sql",
    "ZeroloopError": "errors",
    "ZeroloopWarning": "errors",
    "evaluate": "scoring",
    "load": "loading",
    "logistic_path": "paths",
    "path": "paths",
    "predict_file": "predict",
    "train": "training",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        from importlib.metadata import version

        return version("zeroloop")
    if name not in _HOMES:
        raise AttributeError(f"module 'zeroloop' has no attribute {name!r}")
    value = getattr(import_module(f"zeroloop.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
