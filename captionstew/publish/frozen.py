"""recipe/ and schemas/: what a release was made with, so that it can be made again without asking anybody."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from captionstew.enrich.prompt import prompt, prompts
from captionstew.publish.contents import Release
from captionstew.publish.facts import generated
from captionstew.rooms import room

# Fields of stages that name a machine and not what was made on it.
_ELSEWHERE = {"endpoint": "on", "store": "", "python": ""}
_HEARING = ("Events", "Enrich", "Guard")  # stages that read `pipelines/events`


def frozen(release: Release) -> dict[str, bytes]:
    """The recipe, the facts of its corpora, and the prompts and event names that it used, by path."""
    files = {"recipe/recipe.json": _recipe(release.recipe)}
    for corpus in release.corpora:
        files |= _facts(corpus.name)
    for label in dict.fromkeys(row.prompt for row in generated(release.manifest)):
        files |= _prompt(label)
    if any(stage in _HEARING for stage in _stages(release.recipe)):
        events = sorted((room("pipelines") / "events").glob("*.toml"))
        files |= {f"recipe/events/{path.name}": path.read_bytes() for path in events}
    return dict(sorted(files.items()))


def contracts(keys: Iterable[str]) -> dict[str, bytes]:
    """The contracts of these tables, and those that they are derived from, by path."""
    files: dict[str, bytes] = {}
    for key in keys:
        path = room("schemas") / f"{key}.toml"
        files[f"schemas/{path.name}"] = path.read_bytes()
        if base := tomllib.loads(path.read_text("utf-8")).get("derive", {}).get("from"):
            files |= contracts([base])
    return dict(sorted(files.items()))


def _recipe(recipe: Mapping[str, object]) -> bytes:
    return (json.dumps(_anywhere(recipe), indent=1, ensure_ascii=False) + "\n").encode()


def _anywhere(value: Any) -> Any:
    """The recipe without addresses and folders of the machine that it ran on; of a file its name stays."""
    if isinstance(value, Mapping):
        return {
            key: _ELSEWHERE[key] if key in _ELSEWHERE and one else _anywhere(one)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_anywhere(one) for one in value]
    return Path(value).name if isinstance(value, str) and value.startswith(("/", "~", "./", "../")) else value


def _facts(name: str) -> dict[str, bytes]:
    """The TOML file of a corpus, and of the one whose layout it shares."""
    path = room("pipelines") / "corpora" / f"{name}.toml"
    parent = tomllib.loads(path.read_text("utf-8")).get("like")
    return {f"recipe/corpora/{path.name}": path.read_bytes()} | (_facts(parent) if parent else {})


def _prompt(label: str) -> dict[str, bytes]:
    """The prompt of that name, if it still is the one that was used."""
    name = label.partition("@")[0]
    if name not in prompts() or prompt(name).label != label:
        return {}
    return {f"recipe/prompts/{name}.toml": (room("pipelines") / "prompts" / f"{name}.toml").read_bytes()}


def _stages(recipe: Mapping[str, Any]) -> list[str]:
    return [str(one.get("stage")) for one in recipe.get("stages", ())]
