"""What the user orders: a recipe with its changes, its corpora and where they lie; checked before any work."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from captionstew.audio.encode import encode
from captionstew.cli.machine import standing
from captionstew.cli.parser import Arguments
from captionstew.corpora.facts import Corpus, corpus
from captionstew.corpora.find import missing_file, paths_of, shelf
from captionstew.corpora.readers.folder import own
from captionstew.corpora.strict import nearest
from captionstew.errors import BuildError, CorpusError, RecipeError, UsageError
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.request import Request
from captionstew.recipe import override, recipe
from captionstew.stages.decontaminate import Decontaminate
from captionstew.stages.encode import Encode
from captionstew.stages.read import Read

_RUNNERS = ("none", "local", "auto")
_OWN = "folder"  # the corpus that is the user's own data

Places = dict[str, tuple[Path, ...]]


def order(arguments: Arguments) -> Request:
    """The request that these arguments make; a StewError if anything that it needs is missing."""
    whole = override(recipe(arguments.recipe), arguments.set)
    pipeline = _only(whole, arguments.only)
    places = given_places(arguments.audio, known_corpora(whole))
    corpora, places = _corpora(pipeline, places, arguments.source)
    out = Path(arguments.out).expanduser() if arguments.out else default_out(arguments.recipe)
    fresh = getattr(arguments, "fresh", False)
    _check_cluster(arguments.cluster)
    _check_out(out, pipeline, fresh=fresh)
    _check_annotations(pipeline, corpora, places)
    _check_encoder(pipeline)
    return Request(pipeline, out, corpora, places, arguments.limit, arguments.cluster, fresh)


def default_out(name: str) -> Path:
    """Where a recipe is built if nothing else is said."""
    return Path("build") / Path(name).stem


def known_corpora(pipeline: Pipeline) -> tuple[str, ...]:
    """Every corpus that a recipe reads, to build from or to compare with."""
    found = list(pipeline.corpora)
    for stage in pipeline.stages:
        if isinstance(stage, Decontaminate):
            found += [*stage.against, *stage.blocklists]
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
    folders = sorted(p.name for p in above.iterdir() if p.is_dir()) if above == path.parent else []
    return nearest(path.name, folders) if 0 < len(folders) < 50 else f"{above} exists, what follows does not"


def _only(pipeline: Pipeline, only: Sequence[str]) -> Pipeline:
    for name in only:
        if name not in pipeline.corpora:
            hint = f"{nearest(name.lower(), pipeline.corpora)} `captionstew corpora` lists all we know"
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


def _check_cluster(asked: str) -> None:
    if asked not in _RUNNERS and ":" not in asked:
        hint = f"{nearest(asked, _RUNNERS)} an address has a port: 10.0.0.1:6379, ray://head:10001"
        raise UsageError(f'--cluster "{asked}" is nowhere', hint=hint)


def _check_out(out: Path, pipeline: Pipeline, *, fresh: bool) -> None:
    above = standing(out)
    if not above.is_dir():
        raise BuildError(f"{out} cannot be a folder", cause=f"{above} is a file", hint="choose another --out")
    if not os.access(above, os.W_OK | os.X_OK):
        raise BuildError(f"{out} cannot be written", where=str(above), hint="choose another --out")
    if not out.is_dir():
        return
    named = out / "recipe.json"
    if named.is_file() and not fresh:
        other = json.loads(named.read_bytes()).get("recipe")
        if other != pipeline.name:
            hint = "choose another --out, or replace it with --fresh"
            raise BuildError(f"{out} holds a build of {other}, not of {pipeline.name}", hint=hint)
    strangers = [path.name for path in out.iterdir() if not path.name.startswith(".")]
    if strangers and not named.exists() and "ledger.jsonl" not in strangers:
        cause = f"it holds {', '.join(sorted(strangers)[:3])}"
        raise BuildError(f"{out} is not empty and no build", cause=cause, hint="choose another --out")


def _check_annotations(pipeline: Pipeline, corpora: Sequence[Corpus], places: Places) -> None:
    """Every file that Read and Decontaminate need is there; all that lack are told at once."""
    lacking: dict[str, CorpusError] = {}
    splits = next((stage.splits for stage in pipeline.stages if isinstance(stage, Read)), ())
    made = [facts.name for facts in corpora if facts.made_by]
    for facts in corpora:
        if facts.name not in made and (error := _lacks(facts, places, splits)):
            lacking[facts.name] = error
    for stage in pipeline.stages:
        if isinstance(stage, Decontaminate):
            for name in (n for n in stage.against if n not in made):
                if error := _lacks(corpus(name), places, corpus(name).splits.evaluation, every=True):
                    lacking.setdefault(name, error)
            for name in stage.blocklists:
                if error := _lacks_list(corpus(name), places):
                    lacking.setdefault(name, error)
    if lacking:
        raise _all_lacking(lacking, pipeline)


def _lacks(
    facts: Corpus, places: Places, splits: Iterable[str], *, every: bool = False
) -> CorpusError | None:
    here = places.get(facts.name, ())
    try:
        missing = shelf(facts, here, tuple(splits) or None).missing
    except CorpusError as error:
        return error
    absent = [file for file in missing if every and file.role == "annotations" and not file.optional]
    return missing_file(facts, absent[0], here) if absent else None


def _lacks_list(facts: Corpus, places: Places) -> CorpusError | None:
    here = places.get(facts.name, ())
    lists = [file for file in facts.files if file.role == "blocklist" and not paths_of(file, here)]
    return missing_file(facts, lists[0], here) if lists else None


def _all_lacking(lacking: dict[str, CorpusError], pipeline: Pipeline) -> CorpusError:
    """One error for all of them; evaluation sets may be left out by the one who knows why."""
    rest = [n for s in pipeline.stages if isinstance(s, Decontaminate) for n in s.against if n not in lacking]
    compared = [name for name in lacking if name not in pipeline.corpora]
    without = f"leave the comparison out: --set against={','.join(rest)}"
    if len(lacking) == 1:
        error = next(iter(lacking.values()))
        hint = f"{error.hint}; or {without}" if compared else error.hint
        return CorpusError(error.message, cause=error.cause, where=error.where, hint=hint)
    lines = [
        f"{'compare' if name in compared else 'build':8}{_first_file(error)}"
        for name, error in lacking.items()
    ]
    hints = [f"say where they lie: {' '.join(f'--audio {name}=DIR' for name in lacking)}",
             "captionstew corpora NAME says where to get one"]  # fmt: skip
    if len(pipeline.corpora) > 1:
        hints.append(f"build a part: --only {pipeline.corpora[0]}")
    if compared:
        hints.append(without)
    message = f"{pipeline.name} needs the annotation files of {len(lacking)} corpora"
    return CorpusError(message, cause="\n".join(["not here:", *lines]), hint="\n".join(hints))


def _first_file(error: CorpusError) -> str:
    return error.message.removesuffix(" is missing").partition(" or ")[0]


def _check_encoder(pipeline: Pipeline) -> None:
    for stage in pipeline.stages:
        if isinstance(stage, Encode):
            encode(np.zeros(160, np.int16), 16_000, stage.codec)
