"""What a run has found so far, in a folder: the same run started again reads it instead of the rows.

Solvers are functions of what passes return. So a checkpoint keeps no solver's state, but every pass's sums: a run that
goes on replays them to the solver, which comes to the same point, to the last bit, without a pass over the rows.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from zeroloop.blocks import Block, Source, Sums, TableSource
from zeroloop.errors import CheckpointError, OutputError, ZeroloopWarning
from zeroloop.kernels.totals import DiagonalSums, VectorSums
from zeroloop.outputs import is_temporary, is_uri, replacing
from zeroloop.sources.over import Over
from zeroloop.sources.together import Parts

S = TypeVar("S")

FORMAT, FORMAT_VERSION = "zeroloop checkpoint", 2
HEADER = "run.json"
OWN_NAMES = re.compile(r"run\.json|(scan|pass-\d{6,})\.npz")
SCAN = "scan"
DIGEST_BYTES = 32  # of SHA-256, after a record's content
KINDS: dict[str, type] = {kind.__name__: kind for kind in (Sums, DiagonalSums, VectorSums, Parts)}


class Checkpoint:
    """A folder that keeps what one run has found.

    Args:
        folder: made where it does not exist.
        run: what the run is: data, options, versions; JSON-able.

    Raises:
        CheckpointError: when the folder holds an unfinished run of other data, options or versions.
        OutputError: when it cannot be written.

    """

    def __init__(self, folder: Path, run: dict[str, Any]) -> None:
        if is_uri(folder):
            raise OutputError(
                f"checkpoint: {_short(str(folder))} is a URI, and a checkpoint is kept on a disk; name a folder."
            )
        self.folder = folder
        self._run = json.loads(json.dumps(run))
        found = self._header()
        if found is not None and found.get("run") == self._run:
            self.resumed = True
        elif found is None or found.get("finished"):
            self.resumed = False
            self._begin()
        else:
            raise CheckpointError(
                f"{folder}: the checkpoint is of another run ({_difference(found.get('run', {}), self._run)}); "
                "name another folder, or remove this one to start anew."
            )
        self._identity = json.dumps(self._run, sort_keys=True).encode()
        self.n_passes = 0  # kept of this run, replayed or made

    def _header(self) -> dict[str, Any] | None:
        path = self.folder / HEADER
        try:
            path.stat()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:  # a name too long, a folder that may not be entered, a null character
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise OutputError(
                f"checkpoint: the folder {_short(str(self.folder))!r} cannot be used ({reason})."
            ) from error
        try:
            found = json.loads(path.read_text("utf-8"))
            if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("run"), dict):
                raise ValueError("no checkpoint of zeroloop")
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError(
                f"{path}: cannot be read ({error}); name another folder for the checkpoint, or remove this one."
            ) from error
        return found

    def _begin(self) -> None:
        """Take the folder: remove what another run, finished, has left in it, and nothing else."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            found = sorted(self.folder.iterdir())
            has_header = self.folder / HEADER in found  # without it names alone do not make a file ours
            strange = [path.name for path in found if not _is_own(path, has_header)]
            if strange:
                raise CheckpointError(
                    f"{self.folder}: the folder holds other files than a checkpoint ({_short(strange[0])}); "
                    "name another."
                )
            for path in found:
                if path.name != HEADER:  # which is replaced: were this killed before, the rest is still known as ours
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be made a checkpoint's folder ({error.strerror}).") from error
        self._write_header(finished=False)

    def finish(self) -> None:
        """Say that the run is complete: another may have the folder."""
        self._write_header(finished=True)

    def _write_header(self, finished: bool) -> None:
        header = {"format": FORMAT, "format_version": FORMAT_VERSION, "run": self._run, "finished": finished}
        with replacing(self.folder / HEADER) as file:
            file.write(json.dumps(header, indent=1).encode())

    @property
    def has_scan(self) -> bool:
        """Whether what the table's scan learned is kept."""
        return (self.folder / f"{SCAN}.npz").exists()

    def load(self, name: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return a record and its arrays; None where it was never kept, or is damaged, or another in its place.

        Then it is made anew, to the same bits, and kept.
        """
        path = self.folder / f"{name}.npz"
        try:
            stored = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror}).") from error
        content, digest = stored[:-DIGEST_BYTES], stored[-DIGEST_BYTES:]
        if self._digest(name, content) != digest:
            warnings.warn(
                f"{path}: the record is damaged, or not of this run or place; it is made anew.",
                ZeroloopWarning,
                stacklevel=2,
            )
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as parts:
            arrays = {key: parts[key] for key in parts.files}
        return json.loads(str(arrays.pop("record"))), arrays

    def save(self, name: str, record: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Keep a record, JSON-able, and its arrays, in one step.

        Raises:
            OutputError: when they cannot be written.

        """
        content = io.BytesIO()
        np.savez(content, record=np.array(json.dumps(record)), **arrays)
        with replacing(self.folder / f"{name}.npz") as file:
            file.write(content.getbuffer())
            file.write(self._digest(name, content.getbuffer()))

    def _digest(self, name: str, content: bytes | memoryview) -> bytes:
        """Return what tells a record that is whole, of this run and in its place, from any other."""
        digest = hashlib.sha256()
        for part in (self._identity, name.encode(), content):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.digest()

    def once(self, asked: str, make: Callable[[], S]) -> S:
        """Return the next pass's result: what was kept of it, or else what `make` makes, which is then kept.

        Args:
            asked: tells this pass from any other.
            make: makes it.

        Raises:
            CheckpointError: when another pass was kept in this one's place.

        """
        name = f"pass-{self.n_passes + 1:06d}"
        kept = self.load(name)
        if kept is not None:
            record, arrays = kept
            if record["asked"] != asked:
                raise CheckpointError(
                    f"{self.folder}: the run kept here took another course at pass {self.n_passes + 1}: was it made "
                    "on another machine? Remove the folder to start anew."
                )
            self.n_passes += 1
            result: S = _unpacked(record["result"], arrays)
            return result
        result = make()
        packed: dict[str, Any] = {}
        shape = _packed(result, packed)
        if shape is not None:
            self.save(name, {"asked": asked, "result": shape}, packed)
            self.n_passes += 1
        return result


@dataclass(frozen=True, slots=True)
class Recorded(Over[TableSource]):
    """A source whose passes are kept in a checkpoint.

    Attributes:
        source: the rows.
        checkpoint: where results are kept.

    """

    checkpoint: Checkpoint

    @property
    def threads(self) -> int:
        """Number of threads that sweep it."""
        return self.source.threads

    def reduce(self, statistic: Callable[[Block], S]) -> S:
        """Sum `statistic(block)` over all blocks, in block order, or return the sum that was kept."""
        return self.checkpoint.once(_told(statistic), lambda: self.source.reduce(statistic))

    def reduce_together(self, sources: Sequence[Self], statistic: Callable[[list[Block]], S]) -> S:
        """Sum `statistic` of the blocks of several views, or return the sum that was kept."""
        below = [source.source for source in sources]
        return self.checkpoint.once(_told(statistic), lambda: self.source.reduce_together(below, statistic))

    def viewed(self, view: Callable[[Block], Block]) -> Recorded:
        """Return a source over `view(block)` of each block."""
        return Recorded(self.source.viewed(view), self.checkpoint)

    def sample(self, fractions: Sequence[float], seed: int) -> Source:
        """Return a source over some rows, whose passes are not kept: they are in memory, and few."""
        return self.source.sample(fractions, seed)


def _is_own(path: Path, has_header: bool) -> bool:
    """Return whether a file of a checkpoint's folder is the checkpoint's."""
    named = has_header and OWN_NAMES.fullmatch(path.name) is not None
    return path.is_file() and (named or is_temporary(path.name))


def _difference(found: dict[str, Any], run: dict[str, Any]) -> str:
    """Say what tells two runs apart."""
    for part in run:
        here, there = run[part], found.get(part)
        if here == there:
            continue
        if isinstance(here, dict) and isinstance(there, dict):
            key = next(key for key in (*here, *there) if here.get(key) != there.get(key))
            return f"{part}: {key} is {_short(here.get(key))} here, {_short(there.get(key))} there"
        return f"{part} differs"
    return "it knows more than this one"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:60] + "..."


def _packed(value: Any, arrays: dict[str, Any]) -> Any:
    """Put a result's arrays into `arrays` and return its shape, JSON-able; None for what is not kept."""
    if isinstance(value, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, float | int) or value is None:
        return {"value": value}
    if isinstance(value, list):
        parts = [_packed(part, arrays) for part in value]
        return None if None in parts else {"list": parts}
    if isinstance(value, Parts):
        parts = _packed(value.parts, arrays)
        return None if parts is None else {"kind": "Parts", "fields": {"parts": parts}}
    if is_dataclass(value) and type(value).__name__ in KINDS:
        packed = {field.name: _packed(getattr(value, field.name), arrays) for field in fields(value)}
        return None if None in packed.values() else {"kind": type(value).__name__, "fields": packed}
    return None  # columns picked out of the rows: as many values as rows


def _unpacked(shape: dict[str, Any], arrays: dict[str, Any]) -> Any:
    if "array" in shape:
        return arrays[shape["array"]]
    if "list" in shape:
        return [_unpacked(part, arrays) for part in shape["list"]]
    if "kind" in shape:
        return KINDS[shape["kind"]](**{name: _unpacked(part, arrays) for name, part in shape["fields"].items()})
    return shape["value"]


def _told(statistic: Any) -> str:
    """Return what tells a statistic, its arguments included, from any other."""
    digest = hashlib.sha256()

    def tell(part: Any) -> None:
        if isinstance(part, partial):
            tell(part.func)
            tell(part.args)
            tell(sorted(part.keywords.items()))
        elif isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode() + part.tobytes())
        elif isinstance(part, list | tuple):
            digest.update(f"{len(part)}(".encode())
            for item in part:
                tell(item)
        else:
            name = getattr(part, "__qualname__", None)
            digest.update((f"{part.__module__}.{name}" if name else repr(part)).encode())

    tell(statistic)
    return digest.hexdigest()
