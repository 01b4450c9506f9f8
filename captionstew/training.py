"""Training recipes by name or by file, and changes to their fields. Stands above the training module."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

from captionstew.corpora.strict import nearest
from captionstew.errors import RecipeError
from captionstew.rooms import room
from captionstew.train.run import Run
from captionstew.written import KINDS, load, typed


def runs() -> tuple[str, ...]:
    """The names of the training recipes in the room."""
    return tuple(sorted(path.stem for path in room("training").glob("*.py")))


def run(name: str) -> Run:
    """The run of a recipe in the room or of a `.py` file; RecipeError if there is none."""
    return load(run_file(name), Run, "Run(name=..., about=..., objective=...)")


def run_file(name: str) -> Path:
    """Where a training recipe is written."""
    path = Path(name).expanduser() if name.endswith(".py") or "/" in name else room("training") / f"{name}.py"
    if path.is_file():
        return path
    raise RecipeError(f'there is no training recipe "{name}"', hint=nearest(name.lower(), runs()))


def set_fields(run: Run, settings: Sequence[str]) -> Run:
    """The run with `field=value` or `part.field=value` set, each value of the field's type."""
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            hint = "write --set field=value, such as --set steps=100 or --set data.seconds=80"
            raise RecipeError(f'--set "{setting}" sets nothing', hint=hint)
        owner, name = _field(run, key.strip())
        run = _with(run, owner, name, text.strip())
    return run


def _parts(run: Run) -> Mapping[str, Any]:
    """What has fields, by the label that a setting may give it; the objectives are found by their kind."""
    named = {field.name: getattr(run, field.name) for field in fields(run)}
    parts = {label: value for label, value in named.items() if is_dataclass(value) and label != "objective"}
    return {"run": run, **parts, **{type(part).__name__.lower(): part for part in run.parts}}


def _field(run: Run, key: str) -> tuple[str, str]:
    """The label of the part and the field that a `--set` means."""
    label, _, name = key.rpartition(".")
    parts = _parts(run)
    if label and label.lower() not in parts:
        raise RecipeError(f'{run.name} has no part "{label}"', hint=nearest(label.lower(), parts))
    among = {label.lower(): parts[label.lower()]} if label else parts
    owners = [one for one, part in among.items() if name in _settable(part)]
    if not owners:
        known = [
            f"{one}.{field}" if label else field for one, part in among.items() for field in _settable(part)
        ]
        raise RecipeError(f'{run.name} has no field "{key}"', hint=nearest(key if label else name, known))
    if len(owners) > 1 and "run" not in owners:
        choices = " or ".join(f"{one}.{name}=..." for one in owners)
        raise RecipeError(f'{len(owners)} parts have a field "{name}"', hint=f"say which: --set {choices}")
    return ("run" if "run" in owners else owners[0]), name


def _settable(part: Any) -> list[str]:
    return [field.name for field in fields(part) if not is_dataclass(getattr(part, field.name))
            and field.name not in {"name", "about", "objective"}]  # fmt: skip


def _with(run: Run, owner: str, name: str, text: str) -> Run:
    part = _parts(run)[owner]
    kind = get_type_hints(type(part))[name]
    try:
        changed = replace(part, **{name: typed(text, kind)})
    except (ValueError, KeyError):
        asked = KINDS.get(
            kind, f"one of {', '.join(map(str, getattr(kind, '__args__', ('something else',))))}"
        )
        hint = f"write --set {owner}.{name}={getattr(part, name)} or the like"
        raise RecipeError(f'{owner}.{name} is {asked}, not "{text}"', hint=hint) from None
    if owner == "run":
        return changed  # type: ignore[no-any-return]
    if part in run.parts:
        several: Any = tuple(changed if one is part else one for one in run.parts)
        return replace(run, objective=several if isinstance(run.objective, tuple) else several[0])
    return replace(run, **{owner: changed})
