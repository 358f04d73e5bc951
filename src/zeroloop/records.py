"""JSON as typed records: read with every fault said, and where it is; written with every bit."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

T = TypeVar("T")

NO_NUMBER = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}  # JSON has none for them


class RecordError(ValueError):
    """Something that is no such record; the message says what was found, and where."""


def parse(content: bytes) -> Any:
    """Return a JSON document.

    Raises:
        RecordError: for what is no JSON, or has one key twice.

    """
    try:
        return json.loads(content, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecordError:
        raise
    except UnicodeDecodeError as error:
        raise RecordError("not JSON, nor any text") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from error


def record(kind: type[T], value: Any, place: str) -> T:
    """Return a dataclass, or another type, from what JSON has of it.

    Where a number is expected, and only there, "inf", "-inf" and "nan" are numbers.

    Args:
        kind: what is expected.
        value: as parsed.
        place: of the value in its document, such as `$.training`.

    Raises:
        RecordError: for a part that is missing, of another type, or not known.

    """
    import msgspec  # here: only what reads files needs it

    try:
        return msgspec.convert(_with_numbers(value, kind, place), kind, dec_hook=_as_it_is)
    except UnicodeEncodeError as error:
        raise RecordError(f"Text with half a character, {error.object[error.start]!a} - at `{place}`") from error
    except (msgspec.ValidationError, OverflowError) as error:
        said = str(error)
        raise RecordError(said.replace("`$", f"`{place}", 1) if "`$" in said else f"{said} - at `{place}`") from error


def dumped(value: Any) -> str:
    """Return a JSON document, with text for infinities and NaN."""
    return json.dumps(_plain(value), indent=1, allow_nan=False) + "\n"


def whole_text(value: Any, place: str) -> None:
    """Check that all text is of whole characters, which `json` does not ask for.

    Raises:
        RecordError: for text that is not.

    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise RecordError(f"Text with half a character, {error.object[error.start]!a} - at `{place}`") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise RecordError(f"the key {twice!r} is there twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise RecordError(f"not JSON: {name}")


def _as_it_is(_: type, value: Any) -> Any:
    """Take what msgspec has no rules for, such as an array, as it was made before."""
    return value


def _with_numbers(value: Any, kind: Any, place: str) -> Any:
    """Return a value with numbers for "inf" where `kind` has a float; refuse keys that `kind` has no field for."""
    if isinstance(value, str):
        return NO_NUMBER.get(value, value) if _is_number(kind) else value
    if get_origin(kind) in (Union, UnionType):
        others = [one for one in get_args(kind) if one is not NoneType]
        return _with_numbers(value, others[0], place) if len(others) == 1 else value
    if isinstance(value, dict):
        if is_dataclass(kind) or is_typeddict(kind):
            hints = _hints(kind)
            for key in value:
                if key not in hints:
                    raise RecordError(f"The key {key!r} is not known - at `{place}`")
            return {key: _with_numbers(item, hints[key], f"{place}.{key}") for key, item in value.items()}
        if get_origin(kind) is dict:
            of = get_args(kind)[1]
            return {key: _with_numbers(item, of, f"{place}[...]") for key, item in value.items()}
    if isinstance(value, list) and get_origin(kind) in (list, tuple):
        of = get_args(kind)[0]
        return [_with_numbers(item, of, f"{place}[{at}]") for at, item in enumerate(value)]
    return value


@cache
def _is_number(kind: Any) -> bool:
    """Return whether a type is that of a real number, which text is not."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return float in kinds and str not in kinds


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
