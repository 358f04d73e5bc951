"""One error tree: what a person can get wrong, each in one clear sentence.

::

    ZeroloopError                 everything below; the command line prints it and exits with 2
    ├── OptionError (ValueError)  an option out of its range: C = -1, tol = nan
    ├── DataError (ValueError)    the data: a column, a row, a value
    │   └── BadFileError          a file that cannot be read, or not with the others
    │       ├── EmptyFileError    a file without rows, which is none where others have some
    │       └── MissingFileError  a file that is gone
    ├── CheckpointError           a checkpoint that does not belong to this run
    ├── ClusterError              a Dask cluster that cannot be reached, does not fit, or is lost
    ├── ModelFileError            a saved model that is damaged, foreign or too new
    └── OutputError               a place that cannot be written

    Interrupted (KeyboardInterrupt)  Ctrl-C, with what was kept
    ZeroloopWarning (UserWarning) the work goes on, and the reader should know
    └── NotConvergedWarning       the solver stopped before the optimum

A message says what was found, where, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


class ZeroloopError(Exception):
    """Anything a person can put right; base of all errors raised on purpose."""


class OptionError(ZeroloopError, ValueError):
    """An option's value is out of its range."""


class DataError(ZeroloopError, ValueError):
    """The data cannot be used as asked."""


class BadFileError(DataError):
    """A file that cannot be read, or not as one table with the others.

    Attributes:
        path: which.
        reason: what is wrong with it.

    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[BadFileError], tuple[str, str]]:
        return type(self), (self.path, self.reason)  # as it was made, when it travels


class EmptyFileError(BadFileError):
    """A file of a table that has no rows, and no types of columns either; it is bad where all are."""


class MissingFileError(BadFileError):
    """A file that is gone since it was found."""


class CheckpointError(ZeroloopError):
    """A checkpoint is of other data, options or versions."""


class ClusterError(ZeroloopError):
    """A Dask cluster cannot be reached, has other versions, or was lost."""


class ModelFileError(ZeroloopError):
    """A model file cannot be read as one."""


class OutputError(ZeroloopError):
    """A result cannot be written where it was asked for."""


class Interrupted(KeyboardInterrupt):
    """Work was interrupted; the message says what was kept and how to go on."""


class ZeroloopWarning(UserWarning):
    """Something the reader should know; the work goes on."""


class NotConvergedWarning(ZeroloopWarning):
    """The solver stopped before the optimum."""


def first_line(error: BaseException) -> str:
    """Return what an error says first, without a full stop."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


@contextmanager
def extra(what: str, name: str, *modules: str) -> Iterator[None]:
    """Say how to get what is needed and not there.

    Args:
        what: needs it, the first word of a sentence.
        name: of the extra of zeroloop that has it.
        modules: that it is, or is made of.

    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in modules:
            raise
        raise OptionError(
            f"{what} needs {modules[0]}, which is not installed here; get it with `pip install 'zeroloop[{name}]'`."
        ) from error


def dask_extra() -> AbstractContextManager[None]:
    """Say how to get Dask where it is needed and not there."""
    return extra("A Dask cluster", "dask", "dask", "distributed")
