"""Recipes are Python files: run one, take the value it defines, explain what is wrong with it in its own lines."""

import math
import re
import runpy
import sys
import traceback
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar, get_args, get_origin

from captionstew.corpora.strict import nearest
from captionstew.errors import RecipeError, StewError

T = TypeVar("T")

_YES_NO = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_NO_FIELD = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")
_NO_NAME = re.compile(r"name '(\w+)' is not defined")
_NO_IMPORT = re.compile(r"cannot import name '(\w+)'")
_OF_BUILD = {"pyflac", "ray", "scipy", "soxr"}  # the packages of the extra `build` that stages import
KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def load(path: Path, kind: type[T], example: str) -> T:
    """The one value of a kind at the top level of a file; RecipeError with the line if the file is not right."""
    try:
        values = runpy.run_path(str(path))  # not imported: classes written in it travel to workers by value
    except (Exception, SystemExit) as error:
        raise _explained(error, path) from error
    found: dict[int, T] = {id(value): value for value in values.values() if isinstance(value, kind)}
    if len(found) != 1:
        names = ", ".join(str(getattr(value, "name", "?")) for value in found.values()) or "none"
        hint = f"write one {example} at the top level"
        raise RecipeError(f"{path.name} must hold one {kind.__name__}", cause=f"it holds {names}", hint=hint)
    return next(iter(found.values()))


def typed(text: str, kind: Any) -> Any:
    """A value as a field's type asks for it; ValueError or KeyError if it is none, TypeError for other types."""
    if get_origin(kind) is tuple:
        return tuple(typed(part.strip(), get_args(kind)[0]) for part in text.split(",") if part.strip())
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise KeyError(text)
        return text
    if kind is bool:
        return _YES_NO[text.lower()]
    if kind is float:
        number = float(text)
        if math.isnan(number):
            raise ValueError(text)
        return number
    if kind in (int, str):
        return kind(text)
    raise TypeError(kind)


def field_names(kind: object) -> list[str]:
    """The fields of a dataclass or of an instance of one; none of anything else."""
    return [field.name for field in fields(kind)] if is_dataclass(kind) else []


def _explained(error: BaseException, path: Path) -> RecipeError:
    """What went wrong in a recipe, with the line of the recipe and the remedy."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, text = error.lineno or 1, (error.text or "").strip()
        return _fault(path, "this is not Python", error.msg, line=line, text=text)
    names, line, text = _place(error.__traceback__, path)
    fault = partial(_fault, path, line=line, text=text)
    if match := _NO_FIELD.match(str(error)):
        known = field_names(names.get(match[1]))
        hint = f"{nearest(match[2], known)} fields: {', '.join(known)}" if known else "it has no fields"
        return fault(f'{match[1]} has no field "{match[2]}"', hint=hint)
    if match := _NO_NAME.match(str(error)):
        hint = nearest(match[1], [name for name in names if not name.startswith("_")])
        return fault(f'nothing is called "{match[1]}"', hint=hint)
    if isinstance(error, ImportError):
        return fault(*_unknown_import(error))
    if isinstance(error, StewError):
        return fault(error.message, cause=error.cause, hint=error.hint)
    return fault("the recipe does not run", cause=f"{type(error).__name__}: {error}")


def _unknown_import(error: ImportError) -> tuple[str, str, str]:
    """Message, cause and hint about a module or a name in it that does not exist."""
    module = error.name or ""
    if isinstance(error, ModuleNotFoundError):
        return f"there is no module {module}", "", _module_hint(module)
    if match := _NO_IMPORT.match(str(error)):
        names = [name for name in vars(sys.modules[module]) if name[:1].isupper()]
        return f'{module} has no "{match[1]}"', "", nearest(match[1], names)
    return "an import fails", str(error), ""


def _module_hint(module: str) -> str:
    if module.startswith("captionstew."):
        files = sorted((Path(__file__).parent / "stages").glob("[a-z]*.py"))
        return nearest(module, [f"captionstew.stages.{file.stem}" for file in files])
    return "pip install 'captionstew[build]'" if module in _OF_BUILD else "check the spelling, or install it"


def _fault(path: Path, message: str, cause: str = "", hint: str = "", *, line: int, text: str) -> RecipeError:
    where = f"line {line}, {text}" if text else str(path)
    return RecipeError(f"{path.name}: {message}", cause=cause, where=where, hint=hint)


def _place(trace: TracebackType | None, path: Path) -> tuple[dict[str, Any], int, str]:
    """Of the innermost frame of the recipe itself: its names, the line, and the expression there."""
    names: dict[str, Any] = {}
    line, text = 0, ""
    for (frame, _), at in zip(traceback.walk_tb(trace), traceback.extract_tb(trace), strict=True):
        if at.filename == str(path):
            last, lines = at.end_lineno or at.lineno or 0, path.read_text(encoding="utf-8").splitlines()
            rows = [row.encode() for row in lines[(at.lineno or 1) - 1 : last]] or [b""]
            rows[-1] = rows[-1][: at.end_colno]
            rows[0] = rows[0][at.colno :]
            words = b" ".join(row.strip() for row in rows).decode()
            names, line, text = frame.f_globals, at.lineno or 0, words[:100]
    return names, line, text
