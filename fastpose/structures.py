"""JSON-able data and typed dataclasses, one into the other, with errors that name the field."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from fastpose.errors import UserError, nearest

T = TypeVar("T")
# Evaluated anew for every part they are most of the time that reading a template takes.
_hints = functools.cache(typing.get_type_hints)


def from_dict(kind: type[T], data: Any, where: str) -> T:
    """A dataclass from what ``dataclasses.asdict`` and JSON made of it.

    Args:
        kind: the dataclass; its fields' annotations say what is expected.
        data: field name to value.
        where: what the data is called in errors.

    Raises:
        UserError: an unknown, missing or wrong field.
    """
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: expected fields of {kind.__name__}, got {data!r}")
    hints = _hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in data:
        if key not in names:
            raise UserError(f"{where}: no field '{key}'{nearest(str(key), names)}")
    values = {k: convert(v, hints[k], f"{where}.{k}") for k, v in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise UserError(f"{where}: {error}") from None


def convert(value: Any, kind: Any, where: str) -> Any:
    """``value``, as JSON gives it, as the annotated ``kind``; UserError where it is none."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        options = [a for a in arguments if a is not type(None)]
        fitting = [a for a in options if isinstance(a, type) and isinstance(value, a)]
        return convert(value, (fitting or options)[0], where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, kind):
            return value
        named = getattr(kind, "named", None)  # such as a template: by its name or file
        if named is not None and isinstance(value, str):
            return named(value)
        return from_dict(kind, value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(convert(v, arguments[0], f"{where}[{i}]") for i, v in enumerate(value))
        if len(value) == len(arguments):
            return tuple(convert(v, a, where) for v, a in zip(value, arguments, strict=True))
    if isinstance(value, Mapping) and isinstance(origin, type) and issubclass(origin, Mapping):
        return {str(k): convert(v, arguments[1], f"{where}.{k}") for k, v in value.items()}
    if kind in (bool, int, str) and type(value) is kind:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if kind is float:
            return float(value)
        if kind is str:
            return str(value)
    wanted = getattr(kind, "__name__", None) if origin is None else str(kind)
    raise UserError(f"{where}: expected {wanted}, got {value!r}")
