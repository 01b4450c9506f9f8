"""Recipes by name, by file, or by the name of a corpus; and changes to the fields of their stages.

Recipes import stages, and this module runs recipes: it stands above both, and below the command line.
"""

import difflib
import math
import re
import runpy
import sys
import traceback
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, get_args, get_origin, get_type_hints

from captionstew.corpora.strict import nearest
from captionstew.errors import RecipeError, StewError
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.stage import Stage
from captionstew.rooms import room

ONE_CORPUS = "corpus"  # the recipe whose corpora are empty: it builds whichever corpus is named
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
_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def recipes() -> tuple[str, ...]:
    """The names of the recipes in the room."""
    return tuple(
        name for name in sorted(p.stem for p in room("pipelines").glob("*.py")) if name != ONE_CORPUS
    )


def recipe(name: str) -> Pipeline:
    """The pipeline of a recipe in the room, of a `.py` file or of one corpus; RecipeError if there is none."""
    pipeline = _load(recipe_file(name))
    if _is_corpus(name):
        return replace(pipeline, name=name, corpora=(name,))
    if not pipeline.corpora:
        hint = "name them in it; to build one corpus, name it instead: captionstew build clotho"
        raise RecipeError(f"the recipe {name} has no corpora", hint=hint)
    return pipeline


def recipe_file(name: str) -> Path:
    """Where a recipe is written; for the name of a corpus, the recipe of one corpus."""
    if name.endswith(".py") or "/" in name:
        path = Path(name).expanduser()
        if path.is_file():
            return path
        near = sorted(str(p) for p in path.parent.glob("*.py")) if path.parent.is_dir() else []
        hint = (
            nearest(name, near) if near else "captionstew recipes copy stew mine.py makes one to start from"
        )
        raise RecipeError(f"there is no recipe file {name}", hint=hint)
    if name in {*recipes(), ONE_CORPUS}:
        return room("pipelines") / f"{name}.py"
    if _is_corpus(name):
        return room("pipelines") / f"{ONE_CORPUS}.py"
    hint = nearest(name.lower(), [*recipes(), *_corpora()])
    raise RecipeError(f'there is no recipe or corpus "{name}"', hint=hint)


def source(name: str) -> str:
    """The text of a recipe, ready to be copied; that of one corpus names it."""
    text = recipe_file(name).read_text(encoding="utf-8")
    if not _is_corpus(name):
        return text
    return text.replace("corpora=(),", f'corpora=("{name}",),').replace(
        f'name="{ONE_CORPUS}"', f'name="{name}"'
    )


def override(pipeline: Pipeline, settings: Sequence[str]) -> Pipeline:
    """The pipeline with `field=value` or `Stage.field=value` set, each value of the field's type."""
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            hint = "write --set field=value, such as --set codec=opus or --set Duration.longest=30"
            raise RecipeError(f'--set "{setting}" sets nothing', hint=hint)
        stage, name = _field(pipeline, key.strip())
        changed = replace(stage, **{name: _read(text.strip(), stage, name)})
        pipeline = pipeline.with_stages(changed if one is stage else one for one in pipeline.stages)
    return pipeline


def _is_corpus(name: str) -> bool:
    return name in _corpora() and name not in recipes()


def _corpora() -> list[str]:
    return sorted(path.stem for path in (room("pipelines") / "corpora").glob("*.toml"))


def _load(path: Path) -> Pipeline:
    try:
        values = runpy.run_path(
            str(path)
        )  # not imported: the classes written in it travel to workers by value
    except (Exception, SystemExit) as error:
        raise _explained(error, path) from error
    pipelines = {id(value): value for value in values.values() if isinstance(value, Pipeline)}
    if len(pipelines) != 1:
        found = ", ".join(value.name for value in pipelines.values()) or "none"
        hint = "write one Pipeline(name=..., corpora=..., stages=...) at the top level"
        raise RecipeError(f"{path.name} must hold one Pipeline", cause=f"it holds {found}", hint=hint)
    return next(iter(pipelines.values()))


def _explained(error: BaseException, path: Path) -> RecipeError:
    """What went wrong in a recipe, with the line of the recipe and the remedy."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, text = error.lineno or 1, (error.text or "").strip()
        return _fault(path, "this is not Python", error.msg, line=line, text=text)
    names, line, text = _place(error.__traceback__, path)
    fault = partial(_fault, path, line=line, text=text)
    if match := _NO_FIELD.match(str(error)):
        known = _field_names(names.get(match[1]))
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


def _field_names(kind: object) -> list[str]:
    return [field.name for field in fields(kind)] if is_dataclass(kind) else []


def _field(pipeline: Pipeline, key: str) -> tuple[Stage, str]:
    """The stage and the field that a `--set` means."""
    label, _, name = key.rpartition(".")
    stages = [stage for stage in pipeline.stages if label.lower() in ("", stage.name)]
    if not stages:
        known = [type(stage).__name__ for stage in pipeline.stages]
        raise RecipeError(f'{pipeline.name} has no stage "{label}"', hint=nearest(label.capitalize(), known))
    owners = [stage for stage in stages if name in _field_names(stage)]
    if len(owners) > 1:
        choices = " or ".join(f"{type(stage).__name__}.{name}=..." for stage in owners)
        raise RecipeError(f'{len(owners)} stages have a field "{name}"', hint=f"say which: --set {choices}")
    if not owners:
        owner = {field: type(stage).__name__ for stage in stages for field in _field_names(stage)}
        close = difflib.get_close_matches(name, owner, n=1)
        listed = ", ".join(f"{stage}.{field}" for field, stage in owner.items()) or "none"
        hint = f"did you mean {owner[close[0]]}.{close[0]}?" if close else f"fields: {listed}"
        whose = f"{type(stages[0]).__name__} has no" if label else f"no stage of {pipeline.name} has a"
        raise RecipeError(f'{whose} field "{name}"', hint=hint)
    return owners[0], name


def _read(text: str, stage: Stage, name: str) -> Any:
    """A value as the field's type asks for it."""
    kind = get_type_hints(type(stage))[name]
    try:
        return _typed(text, kind)
    except (ValueError, KeyError):
        asked = _KINDS.get(kind, "something else")
        label = f"{type(stage).__name__}.{name}"
        hint = f"write --set {label}={getattr(stage, name)} or the like"
        raise RecipeError(f'{label} is {asked}, not "{text}"', hint=hint) from None
    except TypeError:
        hint = "copy the recipe and write it there: captionstew recipes copy NAME mine.py"
        raise RecipeError(f"{type(stage).__name__}.{name} cannot be set here", hint=hint) from None


def _typed(text: str, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        return tuple(_typed(part.strip(), get_args(kind)[0]) for part in text.split(",") if part.strip())
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
