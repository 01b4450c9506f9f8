"""TOML tables into frozen dataclasses, strictly: an unknown key or a wrong type is an error."""

import datetime
import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from captionstew.errors import CorpusError

T = TypeVar("T")
UNKNOWN = "unknown"  # how a TOML says that a fact is not known; null in the dataclass


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint of an error about `word`: the closest of `known`, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean `{close[0]}`?" if close else f"one of: {', '.join(names)}"


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over` on top; tables are merged in depth, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merged(below, value)
        result[key] = value
    return result


def build(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """The dataclass `kind` filled from `table`; `where` names the file and table in errors.

    A field whose name differs from its TOML key (`with`, or a plural) has the key in its `metadata`.
    """
    hints = get_type_hints(kind)
    known = {field.metadata.get("key", field.name): field for field in fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise CorpusError(f"unknown key `{key}`", where=where, hint=nearest(key, known))
    values: dict[str, Any] = {}
    for key, field in known.items():
        if key in table:
            values[field.name] = _value(hints[field.name], table[key], f"{where}, {key}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise CorpusError(f"the key `{key}` is missing", where=where, hint="add it to the facts")
    return kind(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):  # only `X | None`
        return None if value == UNKNOWN else _value(inner[0], value, where)
    if origin is Literal:
        if value in inner:
            return value
        raise CorpusError(f"{value!r} is not allowed", where=where, hint=nearest(str(value), inner))
    if origin is tuple:
        items = value if isinstance(value, list) else [value]
        return tuple(_value(inner[0], item, where) for item in items)
    if origin is Mapping:
        return {str(key): _value(inner[1], item, where) for key, item in _table(value, where).items()}
    if is_dataclass(hint):
        return build(hint, _table(value, where), where)  # type: ignore[arg-type]
    return _plain(hint, value, where)


def _plain(hint: Any, value: Any, where: str) -> Any:
    if hint is str and isinstance(value, datetime.date):
        return value.isoformat()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise CorpusError(f"{value!r} is not a {hint.__name__}", where=where, hint=f"write a {hint.__name__}")


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise CorpusError(f"{value!r} is not a table", where=where, hint="write it as a [table]")
