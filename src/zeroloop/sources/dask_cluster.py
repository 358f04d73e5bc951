"""A Dask cluster as a fit needs it: connect, check the workers, run tasks under readable names, say what went wrong."""

from __future__ import annotations

import asyncio
import atexit
import logging
import socket
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from distributed import Client, Future, KilledWorker, get_client, get_worker
from distributed.comm import connect as connect_comm
from distributed.comm.addressing import get_address_host_port, normalize_address, resolve_address
from distributed.security import Security

from zeroloop.errors import ClusterError, OptionError, ZeroloopError, ZeroloopWarning, first_line
from zeroloop.plain_text import number_of

S = TypeVar("S")

CONNECTING = 10.0  # seconds to wait for a scheduler
JOINING = 30.0  # seconds to wait for a first worker
RETURNING = 60.0  # seconds to wait for a worker when all are gone
TELLING = 0.25  # seconds between two looks at how far a pass is
MUST_AGREE = ("zeroloop", "python")
SHOULD_AGREE = ("numpy", "pyarrow")
NO_SCHEDULER = "Start one with `dask scheduler`, and workers with `dask worker ADDRESS`."

_numbers = count(1)


class Cluster:
    """A scheduler and its workers.

    Args:
        client: connected to the scheduler.
        ours: whether no one else has it, so that it may be closed.

    Raises:
        ClusterError: when there is no worker, or one has no zeroloop, or another version of it.

    """

    def __init__(self, client: Client, ours: bool = False) -> None:
        if client.asynchronous:
            raise OptionError("scheduler: the Dask client is asynchronous; give one that is not, or its address.")
        self._client = client
        self._ours = ours
        self._checked: dict[str, bool] = {}  # by a worker's address: whether it may be given work
        self._run = uuid4().hex[:8]
        with self._said("while it was connected to"):
            try:
                client.wait_for_workers(1, timeout=JOINING)
            except TimeoutError as error:
                raise ClusterError(
                    f"The scheduler at {self.address} has no worker, and none joined in {JOINING:.0f} seconds; start "
                    f"one with `dask worker {self.address}`."
                ) from error
            self._check(client.nthreads(), late=False)

    @property
    def address(self) -> str:
        """The scheduler's."""
        scheduler = self._client.scheduler
        return str(scheduler.address if scheduler is not None else "an unknown address")

    @property
    def client(self) -> Client:
        """Dask's own client, for what only it can do."""
        return self._client

    def workers(self) -> dict[str, int]:
        """Return the number of threads of each worker that may be given work, by address, those new ones included."""
        with self._said("between two passes"):
            found = self._client.nthreads()
            new = {worker: n for worker, n in found.items() if worker not in self._checked}
            if new:
                self._check(new, late=True)
        return {worker: n for worker, n in found.items() if self._checked.get(worker, False)}

    def memory_limits(self) -> dict[str, int]:
        """Return the memory that each worker may take, by address, in bytes, of those that have a limit."""
        with self._said("before the rows were read"):
            found = self._client.run(_memory_limit, workers=list(self.workers()), on_error="ignore")
        return {worker: limit for worker, limit in found.items() if limit}

    def map(
        self, name: str, function: Callable[..., Any], *arguments: Sequence[Any], at: Sequence[str | None] | None = None
    ) -> list[Any]:
        """Return a task for each item of `arguments`, called `name` on the dashboard; futures in them are awaited.

        Args:
            name: in words with hyphens.
            function: what each does.
            arguments: of each, position by position.
            at: the worker of each, as long as it is there; None for any that may be given work.

        """
        keys = self.keys(name, len(arguments[0]))
        tasks: list[Any] = [None] * len(keys)
        groups: dict[str | None, list[int]] = {}
        for i in range(len(keys)):
            groups.setdefault(None if at is None else at[i], []).append(i)
        with self._said(f"when {name} was begun"):
            for worker, which in groups.items():
                chosen = self._allowed() if worker is None else [worker]
                found = self._client.map(
                    function,
                    *([argument[i] for i in which] for argument in arguments),
                    key=[keys[i] for i in which],
                    workers=chosen,
                    allow_other_workers=chosen is not None,
                    pure=False,
                )
                for i, task in zip(which, found, strict=True):
                    tasks[i] = task
        return tasks

    def shared(self, value: Any) -> Future[Any]:
        """Return a task with a value as its result: given to many tasks, it travels once to each worker."""
        return self.map("share", _same, [value])[0]

    def keys(self, name: str, n: int) -> list[str]:
        """Return the keys of n tasks that the dashboard calls `zeroloop-NAME`, and no other task has."""
        token = f"{self._run}{next(_numbers)}"
        return [f"zeroloop-{name}-{token}-{i}" for i in range(n)]

    def result(
        self,
        future: Future[Any],
        watched: Sequence[Future[Any]] = (),
        tell: Callable[[Iterable[int]], None] = lambda finished: None,
    ) -> Any:
        """Return what a task returns, and tell meanwhile which of the `watched` ones are done.

        Raises:
            ClusterError: when the scheduler, or workers again and again, are lost.

        """
        alone = time.monotonic()  # since when there may have been no worker
        with self._said("during a pass"):
            while True:
                try:
                    found = future.result(timeout=TELLING)
                    tell(range(len(watched)))
                    return found
                except (TimeoutError, UnboundLocalError):  # distributed's, of one that comes just then
                    if future.status not in ("pending", "lost"):
                        if future.status == "finished":
                            continue
                        raise
                    tell(i for i, one in enumerate(watched) if one.status == "finished")
                    alone = time.monotonic() if self._client.nthreads() else alone
                    if time.monotonic() - alone > RETURNING:
                        raise ClusterError(
                            f"No worker of the scheduler at {self.address} is left, for {RETURNING:.0f} seconds now; "
                            "start some and run the same again (with a checkpoint folder it goes on where it was)."
                        ) from None

    def errors(self, futures: Sequence[Future[Any]]) -> dict[int, BaseException]:
        """Return what went wrong with which of some tasks, once all of them have ended."""
        with self._said("while errors were looked for"):
            found = [future.exception() for future in futures]
        return {i: error for i, error in enumerate(found) if error is not None}

    def where(self, futures: Sequence[Future[Any]]) -> list[str | None]:
        """Return a worker that has each task's result; None where it is yet to be made."""
        with self._said("between two passes"):
            found = self._client.who_has(futures)
        return [next(iter(found.get(future.key, ())), None) for future in futures]

    def moved(self, future: Future[Any], worker: str) -> Future[Any]:
        """Return a task with the same result, on another worker."""
        return self.map("move", _same, [future], at=[worker])[0]

    def _allowed(self) -> list[str] | None:
        """Return the workers that may be given work, or None where all may."""
        if all(self._checked.values()):
            return None
        return [worker for worker, fit in self._checked.items() if fit]

    def _check(self, workers: Collection[str], late: bool) -> None:
        """Look at the versions of some workers."""
        here = versions()
        found = self._client.run(_versions_there(), workers=list(workers), on_error="return")
        for worker, theirs in found.items():
            if isinstance(theirs, BaseException):
                if not late:
                    raise ClusterError(f"The worker {worker} could not be asked for its versions ({theirs!r}).")
                continue  # it left as soon as it had come
            differs = [name for name in MUST_AGREE if theirs[name] != here[name]]
            self._checked[worker] = not differs
            if differs:
                name = differs[0]
                sentence = f"The worker {worker} has {_told(name, theirs)}, and this process has {name} {here[name]}"
                remedy = "install the same on every machine (`pip install 'zeroloop[dask]'`)."
                if not late:
                    raise ClusterError(f"{sentence}; {remedy}")
                warnings.warn(f"{sentence}, so it gets no work; {remedy}", ZeroloopWarning, stacklevel=2)
            others = [name for name in SHOULD_AGREE if theirs[name] != here[name]]
            if others and not differs:
                warnings.warn(
                    f"The worker {worker} has {_told(others[0], theirs)}, and this process has {others[0]} "
                    f"{here[others[0]]}; the model is right, but its last digits may depend on which worker does what.",
                    ZeroloopWarning,
                    stacklevel=2,
                )

    @contextmanager
    def _said(self, when: str) -> Iterator[None]:
        """Turn what goes wrong with a cluster into one sentence."""
        address = self.address
        try:
            yield
        except ZeroloopError:
            raise
        except KilledWorker as error:
            raise ClusterError(
                f"{number_of(error.allowed_failures + 1, 'worker')} of {address} went, one after the other, working on "
                "the same rows, as happens when memory runs out; give the workers more, or the rows less with memory."
            ) from error
        except (CancelledError, OSError) as error:
            if self._client.status == "running" and not isinstance(error, CancelledError | ConnectionError):
                raise  # a worker's own trouble with a file
            self._close()
            raise ClusterError(
                f"The connection to the scheduler at {address} was lost {when}; when it is back, run the same again "
                "(with a checkpoint folder it goes on where it was)."
            ) from error

    def _close(self) -> None:
        if self._ours:
            with suppress(Exception), quiet():
                self._client.close(timeout=2)  # else it would try to come back


_connected: dict[str, Client] = {}  # this process's own clients, by address as given


def connect(scheduler: Any) -> Cluster:
    """Return the cluster of a scheduler.

    Args:
        scheduler: an address such as "tcp://host:8786", a Dask client, or None for the client there is.

    Raises:
        ClusterError: when none answers.
        OptionError: for None where there is no client.

    """
    if isinstance(scheduler, Client):
        return Cluster(scheduler)
    if scheduler is None:
        try:
            return Cluster(get_client())
        except ValueError as error:
            raise OptionError(
                "A Dask collection needs a Dask client; make one with `distributed.Client(ADDRESS)`, or with "
                "`distributed.Client()` for workers on this machine."
            ) from error
    if not isinstance(scheduler, str):
        raise OptionError(f"scheduler is {scheduler!r}; it must be an address such as tcp://host:8786.")
    client = _connected.get(scheduler)
    if client is None or client.status != "running":
        try:
            _check_answers(scheduler)
            with quiet():
                client = Client(scheduler, set_as_default=False, timeout=CONNECTING, name="zeroloop")
        except Exception as error:  # Dask raises what it likes of an address
            raise ClusterError(
                f"No Dask scheduler answers at {scheduler} ({first_line(error)}). {NO_SCHEDULER}"
            ) from error
        _connected[scheduler] = client
    return Cluster(client, ours=True)


def _check_answers(address: str) -> None:
    """Raise an error where nothing answers, or what is no scheduler: a client that cannot connect takes 20 seconds."""
    if address.startswith(("tcp://", "tls://")) or "://" not in address:
        with socket.create_connection(get_address_host_port(address), timeout=CONNECTING):
            pass
    with ThreadPoolExecutor(1) as thread:  # this one may have an event loop, as notebooks do
        thread.submit(asyncio.run, _greet(address)).result()


async def _greet(address: str) -> None:
    """Ask who answers at an address."""
    address = resolve_address(normalize_address(address))
    try:
        async with asyncio.timeout(CONNECTING):
            comm = await connect_comm(address, CONNECTING, **Security().get_connection_args("client"))
            try:
                await comm.write({"op": "identity", "reply": True})
                what = str((await comm.read())["type"])
            finally:
                comm.abort()
    except TimeoutError as error:
        raise OSError(f"no answer in {CONNECTING:g} seconds") from error
    except OSError:
        raise
    except Exception as error:  # what is no Dask may send anything
        raise OSError("what answers there does not speak as Dask does") from error
    if what != "Scheduler":
        raise OSError(f"what answers there is a {what.lower()}")


@atexit.register
def _disconnect() -> None:
    for client in _connected.values():
        with suppress(Exception), quiet():
            client.close(timeout=1)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Dask from logging what is said in a sentence anyway."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]  # each has a level of its own
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@dataclass(frozen=True, slots=True)
class Room:
    """What a worker has for rows.

    Attributes:
        worker: its address.
        memory: its limit in bytes; None where it has none.
        folder: where it keeps files for a while.

    """

    worker: str
    memory: int | None
    folder: Path


def _memory_limit(dask_worker: Any) -> int | None:
    limit: int | None = dask_worker.memory_manager.memory_limit
    return limit


def worker_room() -> Room:
    """Return what the worker that this task runs on has for rows."""
    worker = get_worker()
    limit = worker.memory_manager.memory_limit
    return Room(worker.address, None if limit is None else int(limit), Path(worker.local_directory))


def versions() -> dict[str, str | None]:
    """Return what must, and what should, be alike on all machines."""
    return _versions_there()()


def _versions_there() -> Callable[[], dict[str, str | None]]:
    """Return `versions` as a function that travels by value: a worker may have no zeroloop to import it from."""
    wanted = ("zeroloop", *SHOULD_AGREE)

    def found() -> dict[str, str | None]:
        import platform
        from importlib.metadata import PackageNotFoundError, version

        there: dict[str, str | None] = {"python": ".".join(platform.python_version_tuple()[:2])}
        for name in wanted:
            try:
                there[name] = version(name)
            except PackageNotFoundError:
                there[name] = None
        return there

    return found


def _told(name: str, there: dict[str, str | None]) -> str:
    return f"no {name}" if there[name] is None else f"{name} {there[name]}"


def _same(value: S) -> S:
    return value
