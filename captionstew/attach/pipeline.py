"""The stages that attach audio to a release: those that made its audio, with the settings that its recipe has."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from captionstew.attach.compare import Compare
from captionstew.attach.release import CaptionsRelease
from captionstew.attach.rows import Release
from captionstew.errors import RecipeError
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.stage import Stage
from captionstew.stages.duration import Duration
from captionstew.stages.encode import Encode
from captionstew.stages.locate import Locate
from captionstew.stages.measure import Measure
from captionstew.stages.normalize import Normalize
from captionstew.stages.probe import Probe
from captionstew.stages.shard import Shard

S = TypeVar("S", bound=Stage)

_MAKE_AUDIO = (Probe, Normalize, Measure, Encode)
_FIRST, _LAST = Probe.__name__, Encode.__name__


@dataclass(frozen=True)
class Attaching:
    """A pipeline that attaches, and what may make its shards differ from those of the release."""

    pipeline: Pipeline
    notes: tuple[str, ...] = ()


def attaching(
    release: CaptionsRelease, corpora: tuple[str, ...], codec: str | None = None, *, other_audio: bool = False
) -> Attaching:
    """What turns a release and audio into shards; RecipeError if its recipe is not one that this version can follow.

    What was decided by the audio (`Duration`, `Quality`, `Dedupe`) is not decided again.
    """
    steps: Mapping[str, Mapping[str, Any]] = {
        str(one.get("stage")): one for one in release.recipe.get("stages", ())
    }
    audio = [_as_run(kind, steps) for kind in _MAKE_AUDIO]
    if codec:
        audio[-1] = Encode(codec=codec)
    folder = str(release.folder)
    compare = Compare(folder=folder, other_audio=other_audio)
    stages = (Release(folder=folder), Locate(), *audio, compare, _as_run(Shard, steps))
    return Attaching(Pipeline(name_of(release), corpora, stages), tuple(_notes(release, steps)))


def name_of(release: CaptionsRelease) -> str:
    """What an attached build of a release is called: a plain word, whatever its manifest says."""
    recipe = re.sub(r"[^A-Za-z0-9._-]+", "-", release.manifest.recipe).lstrip(".-")[:80]
    return f"{recipe or 'release'}-attached"


def _as_run(kind: type[S], steps: Mapping[str, Mapping[str, Any]]) -> S:
    """The stage with the fields that the recipe gives it, or its defaults where it has no such stage."""
    stage = kind()
    given = {
        key: value for key, value in steps.get(kind.__name__, {}).items() if key not in {"stage", "version"}
    }
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    known = {field.name: type(getattr(stage, field.name)) for field in fields(stage)}
    for key, value in values.items():
        if key not in known or type(value) is not known[key]:
            raise RecipeError(
                f"the release was made with {kind.__name__}({key}={value!r}), which is not known here",
                where="its recipe.json", hint="pip install --upgrade captionstew",
            )  # fmt: skip
    return replace(stage, **values)


def _notes(release: CaptionsRelease, steps: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not steps:
        yield "the release has no recipe: audio is made with today's defaults"
        return
    for kind in _MAKE_AUDIO:
        version = steps.get(kind.__name__, {}).get("version", kind.version)
        if version != kind.version:
            yield f"{kind.__name__} is version {kind.version} here, and was {version}: shards may differ"
    names = list(steps)
    if {_FIRST, _LAST} <= set(names):
        known = {kind.__name__ for kind in (*_MAKE_AUDIO, Duration)}
        for name in names[names.index(_FIRST) : names.index(_LAST)]:
            if name not in known:
                yield f"the release was made with a stage {name}, which is not run here: its audio may differ"
