"""Annotation files that a build needs and nobody has given: all of them told at once, before any work."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from captionstew.corpora.facts import Corpus, corpus
from captionstew.corpora.find import missing_file, paths_of, shelf
from captionstew.corpora.overlap import list_name
from captionstew.errors import CorpusError
from captionstew.pipeline.pipeline import Pipeline
from captionstew.stages.decontaminate import Decontaminate
from captionstew.stages.read import Read

Places = dict[str, tuple[Path, ...]]


def check_annotations(pipeline: Pipeline, corpora: Sequence[Corpus], places: Places) -> None:
    """Every file that Read and Decontaminate need is there; CorpusError if not."""
    splits = next((stage.splits for stage in pipeline.stages if isinstance(stage, Read)), ())
    made = [facts.name for facts in corpora if facts.made_by]
    wants = [_lacks(facts, places, splits) for facts in corpora if facts.name not in made]
    for stage in pipeline.stages:
        if isinstance(stage, Decontaminate):
            sets = [corpus(name) for name in stage.against if name not in made]
            wants += [_lacks(facts, places, facts.splits.evaluation, every=True) for facts in sets]
            wants += [_lacks_list(text, places) for text in stage.blocklists]
    lacking: dict[str, CorpusError] = {}
    for want in filter(None, wants):
        lacking.setdefault(want[0], want[1])
    if lacking:
        raise _all_lacking(lacking, pipeline)


def _lacks(
    facts: Corpus, places: Places, splits: Iterable[str], *, every: bool = False
) -> tuple[str, CorpusError] | None:
    """The corpus and what is wrong, if a file is missing; with `every` no wanted split may lack its file."""
    here = places.get(facts.name, ())
    if facts.made_by and not here:
        hint = "build the recipe whole, which makes it"
        return facts.name, CorpusError(f"{facts.name} is not made in this build", hint=hint)
    try:
        missing = shelf(facts, here, tuple(splits) or None).missing
    except CorpusError as error:
        return facts.name, error
    absent = [file for file in missing if every and file.role == "annotations" and not file.optional]
    return (facts.name, missing_file(facts, absent[0], here)) if absent else None


def _lacks_list(text: str, places: Places) -> tuple[str, CorpusError] | None:
    name, names = list_name(text)
    facts, here = corpus(name), places.get(name, ())
    lists = [
        file for file in facts.files if file.role == "blocklist" and (names is None or file.name in names)
    ]
    absent = [file for file in lists if not paths_of(file, here)]
    return (text, missing_file(facts, absent[0], here)) if absent else None


def _all_lacking(lacking: dict[str, CorpusError], pipeline: Pipeline) -> CorpusError:
    """One error for all of them; evaluation sets may be left out by the one who knows why."""
    rest = [n for s in pipeline.stages if isinstance(s, Decontaminate) for n in s.against if n not in lacking]
    compared = [name for name in lacking if name not in pipeline.corpora]
    kept = [
        n for s in pipeline.stages if isinstance(s, Decontaminate) for n in s.blocklists if n not in lacking
    ]
    fields = [f"--set against={','.join(rest)}"] if any(":" not in name for name in compared) else []
    fields += [f"--set blocklists={','.join(kept)}"] if any(":" in name for name in compared) else []
    without = [f"or do without the comparison: {' '.join(fields)}"] if fields else []
    if len(lacking) == 1:
        error = next(iter(lacking.values()))
        return CorpusError(
            error.message, cause=error.cause, where=error.where, hint="\n".join([error.hint, *without])
        )
    lines = [
        f"{'compare' if name in compared else 'build':8}{_first_file(error)}"
        for name, error in lacking.items()
    ]
    places = list(dict.fromkeys(name.partition(":")[0] for name in lacking))
    some = " ".join(f"--audio {name}=DIR" for name in places[:3])
    part = [f"or build a part: --only {pipeline.corpora[0]}"] if len(pipeline.corpora) > 1 else []
    hints = [f"say where they lie: {some}{' ...' * (len(places) > 3)}",
             f"where to get them: captionstew corpora {places[0]}", *part, *without]  # fmt: skip
    message = f"{pipeline.name} needs the annotation files of {len(lacking)} corpora that are not here"
    return CorpusError(
        message, cause="\n".join(["to build or to compare with:", *lines]), hint="\n".join(hints)
    )


def _first_file(error: CorpusError) -> str:
    return error.message.removesuffix(" is missing").partition(" or ")[0]
