"""Python processes that begin with zeroloop imported, which is most of a command's time: forks of one that has it.

Each is a process of its own, with its own streams, folder and signals, and ends as any does. What depends on how an
interpreter begins (what it imports, what it makes of its environment, closed streams) is tested in one from nothing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

MAIN = "from zeroloop.__main__ import main; main()"
COMMAND = [sys.executable, "-I", "-S", __file__]  # `zeroloop` in a shell below such a process
ASKED = "ZEROLOOP_FORKED"  # where processes are asked for, in the environment
MOST = 1 << 17  # bytes of a request: arguments and environment


class Forked:
    """A process that runs some code; the part of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        code: str,
        arguments: Sequence[str],
        asked: socket.socket,
        streams: Sequence[int] = (0, 1, 2),
        cwd: Path | None = None,
        env: Mapping[str, str] = os.environ,
    ) -> None:
        request = {"code": code, "arguments": list(arguments), "cwd": str(cwd or Path.cwd()), "env": dict(env)}
        self._told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(asked, [json.dumps(request).encode()], [*streams, theirs.fileno(), asked.fileno()])
        self.pid = int(self._told.recv(64))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return how the process has ended: negative for a signal."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(64))
            except TimeoutError as error:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from error
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to a process that may have ended."""
        try:
            if self.returncode is None:
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.wait(0.0)
        except (subprocess.TimeoutExpired, BlockingIOError):
            self.send_signal(signal.SIGKILL)
            self.wait()
        self._told.close()


@cache
def server() -> socket.socket:
    """Return where processes are asked for; what makes them ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        maker = [sys.executable, __file__, "--serve", str(theirs.fileno())]
        _makers.append(subprocess.Popen(maker, pass_fds=[theirs.fileno()], start_new_session=True))
    return ours


_makers: list[subprocess.Popen[bytes]] = []


def run_forked(
    code: str,
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | None = None,
    timeout: float | None = 120,
) -> subprocess.CompletedProcess[str]:
    """Return what became of some code in a process of its own, as `subprocess.run` does."""
    import tempfile

    with Path(os.devnull).open() as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = [nothing.fileno() if stdin is None else stdin, out.fileno(), err.fileno()]
        with Forked(code, arguments, server(), streams, cwd, os.environ | (env or {})) as process:
            returncode = process.wait(timeout)
        return subprocess.CompletedProcess(list(arguments), returncode, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="surrogateescape")


def serve(asked: socket.socket) -> str:
    """Return, in a fork of this process, the code that it is to run; never in this process itself."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for a process is a fork as well
    while True:
        content, descriptors, _, _ = socket.recv_fds(asked, MOST, 5)
        if not content:
            os._exit(0)
        if os.fork() == 0:
            asked.close()
            return _begun(json.loads(content), descriptors[:3], socket.socket(fileno=descriptors[3]), descriptors[4])
        for one in descriptors:
            os.close(one)


def _begun(request: dict[str, Any], streams: list[int], told: socket.socket, asked: int) -> str:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        for one in (*streams, asked):
            os.close(one)
        told.send(b"%d" % pid)
        told.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    told.close()
    for number, one in enumerate(streams):
        os.dup2(one, number)
        os.close(one)
    os.environ.clear()
    os.environ.update(request["env"], **{ASKED: str(asked)})
    os.set_inheritable(asked, True)
    os.chdir(request["cwd"])
    sys.argv = ["-c", *request["arguments"]]
    sys.path[0] = ""
    sys.stdin, sys.stdout, sys.stderr = (
        open(  # noqa: SIM115, as long as the process
            number, mode, encoding="utf-8", errors=errors, closefd=False
        )
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
    return str(request["code"])


def _import_all() -> None:
    """Import what commands import, but for Dask."""
    import importlib
    import pkgutil

    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg  # noqa: F401

    import zeroloop

    for module in pkgutil.walk_packages(zeroloop.__path__, "zeroloop."):
        if not any(word in module.name for word in ("dask", "cluster", "__main__", "mine_child")):
            importlib.import_module(module.name)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        place = socket.socket(fileno=int(sys.argv[2]))
        place.set_inheritable(False)
        _import_all()
        exec(compile(serve(place), "-c", "exec"), {"__name__": "__main__"})
    else:  # a command, among those of a shell
        with Forked(MAIN, sys.argv[1:], socket.socket(fileno=int(os.environ[ASKED]))) as command:
            code = command.wait()
        sys.exit(code if code >= 0 else 128 - code)
