"""A plan as a file: the command it is of, what every stage, corpus and file was, and what was expected."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from captionstew import __version__
from captionstew.audio.files import audio_files
from captionstew.cli.commands import COMMANDS
from captionstew.cli.lacking import needs
from captionstew.cli.parser import Arguments
from captionstew.cli.resume import words
from captionstew.corpora.facts import Corpus, corpus
from captionstew.corpora.find import paths_of
from captionstew.digest import digest, file_sha256
from captionstew.errors import BuildError, StewError, UsageError
from captionstew.pipeline.request import Request
from captionstew.shards.atomic import write_bytes

FORMAT = 1
_BUILD = next(command for command in COMMANDS if command.name == "build")
Line = dict[str, Any]


@dataclass(frozen=True)
class PlanFile:
    """A plan that was read: the words of its command, and its lines by kind."""

    path: Path
    version: str
    words: tuple[str, ...]
    stages: tuple[Line, ...]
    corpora: tuple[Line, ...]

    def arguments(self, given: Arguments) -> Arguments:
        """The arguments of the planned build; of those given only what does not change it counts."""
        planned = _BUILD.parse(list(self.words[1:]))
        for name in ("fresh", "json", "quiet"):
            setattr(planned, name, getattr(given, name))
        planned.plan = str(self.path.absolute())
        return planned

    def check(self, request: Request) -> None:
        """BuildError with all that is not as it was when the plan was made."""
        changes = [*_stage_changes(self.stages, _stages(request)), *_corpus_changes(self.corpora, request)]
        if not changes:
            return
        made = f"\nthe plan was made by captionstew {self.version}, this is {__version__}"
        other = made if self.version != __version__ else ""
        again = " ".join(["captionstew plan", *self.words[1:]])
        raise BuildError(
            f"this is not what {self.path.name} has planned any more", cause="\n".join(changes) + other,
            where=str(self.path.absolute()), hint=f"plan again: {again}",
        )  # fmt: skip


def save(path: Path, words: list[str], request: Request, expected: Mapping[str, Any]) -> None:
    """Write the plan, one JSON object a line; `request` has the places of all that is here."""
    head = {"line": "plan", "format": FORMAT, "captionstew": __version__, "command": words,
            "recipe": request.pipeline.name, "out": str(request.out.absolute())}  # fmt: skip
    lines = [head, *_stages(request), *_corpora(request), {"line": "expected", **expected}]
    text = "".join(json.dumps(line, ensure_ascii=False, default=str) + "\n" for line in lines)
    write_bytes(path, text.encode(), "--save")


def read_plan(name: str) -> PlanFile:
    """The plan in a file; BuildError if it is none, or of another format."""
    path = Path(name).expanduser()
    hint = "captionstew plan RECIPE writes one"
    if not path.is_file():
        raise BuildError(f"there is no plan {name}", where=str(path.absolute()), hint=hint)
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        head, words = lines[0], tuple(lines[0]["command"])
        if head["format"] != FORMAT or words[0] != "build" or lines[-1]["line"] != "expected":
            raise ValueError("it is cut short, or of another version")
        kinds = {kind: tuple(line for line in lines if line["line"] == kind) for kind in ("stage", "corpus")}
        return PlanFile(path, str(head["captionstew"]), words, kinds["stage"], kinds["corpus"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BuildError(
            f"{name} is no plan", cause=str(error), where=str(path.absolute()), hint=hint
        ) from None


def ordered(given: Arguments) -> tuple[Arguments, PlanFile | None]:
    """The arguments of a build, with its plan where it follows one; UsageError where they say anything else."""
    if not given.plan:
        if not given.recipe:
            hint = "captionstew build --help has examples"
            raise UsageError("build needs RECIPE, or --plan FILE", hint=hint)
        return given, None
    plan = read_plan(given.plan)
    planned = plan.arguments(given)
    if given.recipe and words("build", given)[1] != planned.recipe:
        hint = f"captionstew build --plan {given.plan}"
        raise UsageError(f"{given.plan} is a plan of {planned.recipe}, not of {given.recipe}", hint=hint)
    plain = vars(_BUILD.parse([]))
    free = {"plan", "recipe", "fresh", "json", "quiet"}
    others = [name for name, value in plain.items() if name not in free and getattr(given, name) != value]
    if others:
        option = {"source": "from"}.get(others[0], others[0])
        hint = f"leave it out, or plan anew with it: captionstew plan {planned.recipe} --{option} ..."
        raise UsageError(f"--plan says all of it, and --{option} would change it", hint=hint)
    return planned, plan


def _stages(request: Request) -> list[Line]:
    return [
        {"line": "stage", "stage": type(stage).__name__, "version": stage.version, "identity": stage.identity(),
         "fields": json.loads(json.dumps(asdict(stage), default=str))}
        for stage in request.pipeline.stages
    ]  # fmt: skip


def _corpora(request: Request) -> Iterator[Line]:
    """What is built from and what it is compared with: facts, and the files that are here."""
    built = [facts.name for facts in request.corpora]
    compared = {need.facts.name: need.facts for need in needs(request.pipeline, request.corpora)}
    every = {facts.name: facts for facts in request.corpora} | compared
    for name, facts in every.items():
        places = tuple(request.places.get(name, ()))
        yield {"line": "corpus", "corpus": name, "use": "build" if name in built else "compare",
               "facts": facts_digest(facts), "places": [str(place) for place in places],
               "files": _files(facts, places), "audio": _audio(places) if name in built else None}  # fmt: skip


def facts_digest(facts: Corpus) -> str:
    """A digest of the facts that decide what is fetched and read."""
    return digest(facts.fingerprint(), [asdict(archive) for archive in facts.archives])


def _files(facts: Corpus, places: tuple[Path, ...]) -> dict[str, str]:
    """SHA-256 of the annotation files that are here."""
    paths = [path for file in facts.files for path in paths_of(file, places)]
    return {str(path): file_sha256(path) for path in dict.fromkeys(paths)}


def _audio(places: tuple[Path, ...]) -> str:
    """A digest of names and sizes of all audio files; empty where no folder is."""
    found = hashlib.sha256()
    if not places:
        return ""
    for part in audio_files(places).select("root", "name", "path", "offset", "length").iter_slices(100_000):
        found.update(part.write_csv().encode())
    return found.hexdigest()[:16]


def _stage_changes(planned: tuple[Line, ...], now: list[Line]) -> Iterator[str]:
    before, after = [line["stage"] for line in planned], [line["stage"] for line in now]
    if before != after:
        yield f"the recipe had the stages {', '.join(before)}; it has {', '.join(after)}"
        return
    for old, new in zip(planned, now, strict=True):
        if old["identity"] != new["identity"]:
            yield f"the stage {old['stage']}: {_difference(old, new)}"


def _difference(old: Line, new: Line) -> str:
    fields = [f"{name} was {old['fields'].get(name)!r}, is {value!r}" for name, value in new["fields"].items()
              if old["fields"].get(name) != value]  # fmt: skip
    version = (
        [f"version {old['version']} is now {new['version']}"] if old["version"] != new["version"] else []
    )
    return "; ".join([*fields, *version]) or "its code has changed"


def _corpus_changes(planned: tuple[Line, ...], request: Request) -> Iterator[str]:
    """What is told of corpora that take part no more, of facts, annotation files and audio."""
    built = [line["corpus"] for line in planned if line["use"] == "build"]
    if built != (now := [facts.name for facts in request.corpora]):
        yield f"the recipe was of {', '.join(built)}; it is of {', '.join(now)}"
        return
    own = {facts.name: facts for facts in request.corpora}
    for line in planned:
        name = line["corpus"]
        try:
            facts = own.get(name) or corpus(name)
        except StewError as error:
            yield f"{name}: {error.message}"
            continue
        if facts_digest(facts) != line["facts"]:
            yield f"{name}: its facts have changed (pipelines/corpora/{name}.toml)"
            continue
        changed = [path for path, sha256 in line["files"].items() if _is_not(Path(path), sha256)]
        yield from (
            f"{name}: {path} {'has changed' if Path(path).is_file() else 'is gone'}" for path in changed
        )
        if not changed and line["audio"] and _audio(_places(line)) != line["audio"]:
            yield f"{name}: its audio files are not those that were there"


def _places(line: Line) -> tuple[Path, ...]:
    return tuple(Path(place) for place in line["places"] if Path(place).is_dir())


def _is_not(path: Path, sha256: str) -> bool:
    return not path.is_file() or file_sha256(path) != sha256
