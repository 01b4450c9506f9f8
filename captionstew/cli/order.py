"""What the user orders: a recipe with its changes, its corpora, where they lie; checked before any work."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from captionstew.audio.encode import encode
from captionstew.cli.enriching import asked_of, settled
from captionstew.cli.folder import frozen_recipe
from captionstew.cli.lacking import Places, check_annotations
from captionstew.cli.machine import standing
from captionstew.cli.parser import Arguments
from captionstew.cli.supply import Fetch, supply
from captionstew.corpora.facts import Corpus, corpus
from captionstew.corpora.readers.folder import own
from captionstew.corpora.strict import nearest
from captionstew.errors import BuildError, CorpusError, RecipeError, UsageError
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import Stage
from captionstew.recipe import override, recipe
from captionstew.stages.encode import Encode
from captionstew.stages.locate import Locate
from captionstew.stages.subset import Subset

_RUNNERS = ("none", "local", "auto")
_OWN = "folder"  # the corpus that is the user's own data


def asked(arguments: Arguments) -> Request:
    """The request as it was asked for: recipe, options and folders are right, annotations are not looked for."""
    written = asked_of(recipe(arguments.recipe), arguments.enrich)
    whole = _with_subset(settled(override(written, arguments.set)), arguments.subset)
    pipeline = _only(whole, arguments.only)
    places = given_places(arguments.audio, known_corpora(whole))
    corpora, places = _corpora(pipeline, places, arguments.source)
    out = Path(arguments.out).expanduser() if arguments.out else default_out(arguments.recipe)
    fresh = getattr(arguments, "fresh", False)
    check_cluster(arguments.cluster)
    check_out(out, pipeline, fresh=fresh)
    check_encoder(pipeline)
    return Request(pipeline, out, corpora, places, arguments.limit, arguments.cluster, fresh)


def supplied(request: Request, fetch: Fetch | None) -> Request:
    """The request with the places of all that it needs; CorpusError about what nobody has and nothing can fetch.

    What was not given is taken from the store; with `fetch` it is brought there first.
    """
    places = supply(request.pipeline, request.corpora, dict(request.places), fetch)
    check_annotations(request.pipeline, request.corpora, places)
    return replace(request, places=places)


def default_out(name: str) -> Path:
    """Where a recipe is built if nothing else is said."""
    return Path("build") / Path(name).stem


def known_corpora(pipeline: Pipeline) -> tuple[str, ...]:
    """Every corpus that a recipe reads, to build from or to compare with."""
    found = list(pipeline.corpora)
    for stage in (*pipeline.before, *pipeline.after):
        found += stage.needs()
    return tuple(dict.fromkeys(found))


def given_places(given: Sequence[str], known: Sequence[str]) -> Places:
    """The folders of `--audio NAME=DIR`, by corpus; every one exists."""
    places: Places = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            example = name if name in known else known[0] if known else "NAME"
            raise UsageError(f"--audio {text} names no folder", hint=f"write --audio {example}=DIR")
        if name not in known:
            raise CorpusError(f'--audio: no corpus "{name}" takes part', hint=nearest(name.lower(), known))
        path = Path(folder).expanduser().absolute()
        if not path.is_dir():
            raise CorpusError(f"--audio {name}: there is no folder {folder}", hint=_nearby(path))
        places[name] = (*places.get(name, ()), path)
    return places


def _nearby(path: Path) -> str:
    if path.is_file():
        return f"give the folder it lies in: {path.parent}"
    above = standing(path)
    folders = [p.name for p in above.iterdir() if p.is_dir() and not p.name.startswith(".")]
    folders = sorted(folders) if above == path.parent else []
    return nearest(path.name, folders) if 0 < len(folders) < 50 else f"{above} exists, what follows does not"


def _with_subset(pipeline: Pipeline, name: str | None) -> Pipeline:
    """The recipe with only the clips of one of the nested subsets: before Locate, when ids are settled."""
    if not name:
        return pipeline
    stages: list[Stage] = []
    for stage in pipeline.stages:
        if isinstance(stage, Locate):
            stages.append(Subset(name.lower()))
        if not isinstance(stage, Subset):
            stages.append(stage)
    if not any(isinstance(stage, Subset) for stage in stages):
        hint = "--subset needs a recipe with the stage Locate: choose the subset in the recipe itself"
        raise RecipeError(f"{pipeline.name} has no place for a subset", hint=hint)
    return pipeline.with_stages(stages)


def _only(pipeline: Pipeline, only: Sequence[str]) -> Pipeline:
    for name in only:
        if name not in pipeline.corpora:
            hint = f"{nearest(name.lower(), pipeline.corpora)}\ncaptionstew corpora lists all we know"
            raise RecipeError(f'no corpus named "{name}" in {pipeline.name}', hint=hint)
    return replace(pipeline, corpora=tuple(n for n in pipeline.corpora if n in only)) if only else pipeline


def _corpora(pipeline: Pipeline, places: Places, source: str | None) -> tuple[tuple[Corpus, ...], Places]:
    """The facts of the recipe's corpora; those of the user's own data are read from the data."""
    if _OWN not in pipeline.corpora:
        if source:
            raise UsageError(f"{pipeline.name} takes no --from", hint="captionstew build folder --from PATH")
        return tuple(corpus(name) for name in pipeline.corpora), places
    if not source:
        hint = "captionstew build folder --from PATH (a folder of audio, or a .csv .jsonl .parquet)"
        raise UsageError(f"{pipeline.name} needs --from PATH", hint=hint)
    facts, folders = own(Path(source).expanduser())
    found = tuple(facts if name == _OWN else corpus(name) for name in pipeline.corpora)
    return found, places | {_OWN: (*folders, *places.get(_OWN, ()))}


def check_cluster(asked: str) -> None:
    """UsageError if `--cluster` is no place to run."""
    if asked not in _RUNNERS and ":" not in asked:
        hint = f"{nearest(asked, _RUNNERS)}\nan address has a port: 10.0.0.1:6379 or ray://head:10001"
        raise UsageError(f'--cluster "{asked}" is nowhere', hint=hint)


def check_out(out: Path, pipeline: Pipeline, *, fresh: bool) -> None:
    """BuildError if the folder cannot be written, or holds something else than a build of this recipe."""
    above = standing(out)
    if not above.is_dir():
        raise BuildError(f"{out} cannot be a folder", cause=f"{above} is a file", hint="choose another --out")
    if not os.access(above, os.W_OK | os.X_OK):
        raise BuildError(f"{out} cannot be written", where=str(above), hint="choose another --out")
    if not out.is_dir():
        return
    other = frozen_recipe(out).get("recipe") if not fresh else None
    if other not in {None, pipeline.name}:
        hint = "choose another --out, or replace it with --fresh"
        raise BuildError(f"{out} holds a build of {other}, not of {pipeline.name}", hint=hint)
    strangers = [path.name for path in out.iterdir() if not path.name.startswith(".")]
    if strangers and not {"recipe.json", "ledger.jsonl"} & set(strangers):
        cause = f"it holds {', '.join(sorted(strangers)[:3])}"
        raise BuildError(f"{out} is not empty and no build", cause=cause, hint="choose another --out")


def check_encoder(pipeline: Pipeline) -> None:
    """The codec that the recipe asks for works here; StewError with the remedy if not."""
    for stage in pipeline.stages:
        if isinstance(stage, Encode):
            encode(np.zeros(160, np.int16), 16_000, stage.codec)
