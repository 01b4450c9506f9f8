"""Recipes by name, by file, or by the name of a corpus; and changes to the fields of their stages.

Recipes import stages, and this module runs recipes: it stands above both, and below the command line.
"""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

from captionstew.corpora.strict import nearest
from captionstew.errors import RecipeError
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.stage import Stage
from captionstew.rooms import room
from captionstew.written import KINDS, field_names, load, typed

ONE_CORPUS = "corpus"  # the recipe whose corpora are empty: it builds whichever corpus is named


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
    return load(path, Pipeline, "Pipeline(name=..., corpora=..., stages=...)")


def _field(pipeline: Pipeline, key: str) -> tuple[Stage, str]:
    """The stage and the field that a `--set` means."""
    label, _, name = key.rpartition(".")
    stages = [stage for stage in pipeline.stages if label.lower() in ("", stage.name)]
    if not stages:
        known = [type(stage).__name__ for stage in pipeline.stages]
        raise RecipeError(f'{pipeline.name} has no stage "{label}"', hint=nearest(label.capitalize(), known))
    owners = [stage for stage in stages if name in field_names(stage)]
    if len(owners) > 1:
        choices = " or ".join(f"{type(stage).__name__}.{name}=..." for stage in owners)
        raise RecipeError(f'{len(owners)} stages have a field "{name}"', hint=f"say which: --set {choices}")
    if not owners:
        owner = {field: type(stage).__name__ for stage in stages for field in field_names(stage)}
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
        return typed(text, kind)
    except (ValueError, KeyError):
        asked = KINDS.get(kind, "something else")
        label = f"{type(stage).__name__}.{name}"
        hint = f"write --set {label}={getattr(stage, name)} or the like"
        raise RecipeError(f'{label} is {asked}, not "{text}"', hint=hint) from None
    except TypeError:
        hint = "copy the recipe and write it there: captionstew recipes copy NAME mine.py"
        raise RecipeError(f"{type(stage).__name__}.{name} cannot be set here", hint=hint) from None
