"""validate: every promise of a build or a release, checked against the files themselves."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import polars as pl

from captionstew.cli.console import CROSS, LOOK, TICK, Console
from captionstew.cli.counting import Counting
from captionstew.cli.folder import BuildFolder, build_folder
from captionstew.cli.lacking import Places
from captionstew.cli.order import given_places
from captionstew.cli.parser import Arguments
from captionstew.cli.resume import started
from captionstew.cli.table import Column
from captionstew.corpora.facts import corpus
from captionstew.corpora.overlap import CLIP_SECONDS, KEYS, blocked, evaluation_keys, list_name, timed
from captionstew.corpora.tasks import compared, listed
from captionstew.errors import CorpusError, UsageError, ValidationError
from captionstew.figures import plural, span
from captionstew.publish.released import is_release, released
from captionstew.publish.validate import SAMPLE, validate_release
from captionstew.shards.findings import Check, Progress
from captionstew.shards.validate import validate

_SAYS = {
    "manifest": "manifest and checksums agree",
    "files": "every file is there, whole",
    "schema": "schema clip.v1",
    "ids": "ids are safe, sorted, unique",
    "subset": "nested subsets are as drawn",
    "audio": "audio decodes to its hash",
    "durations": "durations are true",
    "captions": "captions: human ones first",
    "licenses": "every row has a license",
    "writer": "row groups, pages, row sizes",
    "sidecar": "the sidecar points right",
    "accounting": "received = kept + dropped",
    "splits": "splits share nothing",
    "evaluation": "no evaluation clip inside",
    "card": "the card finds every file",
    "removed": "nothing that was taken down",
}
_SAYS_OF_RELEASE = _SAYS | {
    "schema": "schemas clip.v1, caption.v1",
    "licenses": "every license fits its tier",
    "writer": "row groups and page index",
}
_LISTED = 20  # failures of a check that are printed; --json has them all


def run(arguments: Arguments, console: Console) -> int:
    """Exit 4 if a promise is broken."""
    if is_release(arguments.folder):
        return _release(arguments, console)
    folder = build_folder(arguments.folder)
    keys, unread = _evaluation(folder, arguments.audio)
    console.tell(f"reading {folder.path} again ...")
    counting = Counting(console)
    report = validate(
        folder.path, evaluation=keys, sample=arguments.sample, progress=_rows(counting), apart=_apart(folder)
    )
    counting.over()
    failed = [check for check in report.checks if not check.passed]
    console.data({"folder": str(folder.path), "passed": report.passed, "clips": report.clips,
                  "hours": report.seconds / 3600, "checks": [asdict(check) for check in report.checks],
                  "not_compared_with": unread})  # fmt: skip
    _table(report.checks, unread, console)
    for check in failed:
        _failures(check, console)
    console.say()
    if failed:
        console.say(f"{len(failed)} of {len(report.checks)} checks failed.")
        console.next(str(started(folder.path)))
        return ValidationError.exit_code
    console.say(f"{len(report.checks)} checks passed on {plural(report.clips, 'clip')}.")
    console.next(f"captionstew inspect {folder.path}")
    return 0


def _release(arguments: Arguments, console: Console) -> int:
    """The same of a release, on the Hub or in the folder of a dry run."""
    if arguments.audio:
        hint = "look for evaluation clips in the build: captionstew validate BUILD --audio NAME=DIR"
        raise UsageError("--audio is about builds", hint=hint)
    release = released(arguments.folder)
    console.tell(f"looking at {release.where} ...")
    counting = Counting(console)
    report = validate_release(release, arguments.sample or SAMPLE, _rows(counting))
    counting.over()
    failed = [check for check in report.checks if not check.passed]
    console.data({"release": report.where, "passed": report.passed, "clips": report.clips,
                  "hours": report.seconds / 3600, "checks": [asdict(check) for check in report.checks]})  # fmt: skip
    _table(report.checks, (), console, _SAYS_OF_RELEASE)
    for check in failed:
        _failures(check, console)
    console.say()
    if failed:
        console.say(f"{len(failed)} of {len(report.checks)} checks failed.")
        console.next("captionstew publish BUILD ORG/NAME: a tag never changes, the next one can be right")
        return ValidationError.exit_code
    console.say(f"{len(report.checks)} checks passed on {plural(report.clips, 'clip')}.")
    console.next(f"captionstew inspect {arguments.folder}")
    return 0


def _table(
    checks: Sequence[Check], unread: Sequence[str], console: Console, says: Mapping[str, str] = _SAYS
) -> None:
    rows = [(TICK if c.passed else CROSS, says.get(c.name, c.name), _detail(c)) for c in checks]
    if unread:
        what = f"not compared with {', '.join(unread)}: --audio {unread[0]}=DIR"
        rows.append((LOOK, says["evaluation"], what))
    console.rows((Column(""), Column(""), Column("", least=30)), rows)


def _detail(check: Check) -> str:
    if check.passed:
        return check.detail
    return f"{plural(len(check.failures), 'fault')}, first: {check.failures[0]}"


def _failures(check: Check, console: Console) -> None:
    console.say()
    console.say(f"{_SAYS.get(check.name, check.name)}:")
    for failure in check.failures[:_LISTED]:
        console.wrapped(f"  {failure}", indent="    ")
    if len(check.failures) > _LISTED:
        console.say(f"  and {len(check.failures) - _LISTED:,} more (--json lists them)")


def _evaluation(folder: BuildFolder, given: Sequence[str]) -> tuple[pl.DataFrame | None, list[str]]:
    """The clips that no training row may touch, and the sets whose files are not at hand."""
    recipe = folder.recipe
    stage: Mapping[str, Sequence[str]] = next(
        (one for one in recipe.get("stages", ()) if one.get("stage") == "Decontaminate"), {}
    )
    own = [corpus(name) for name in recipe.get("corpora", ())]
    against, lists = compared(stage.get("against", ()), own), listed(stage.get("blocklists", ()))
    owners = [list_name(text)[0] for text in lists]
    known = tuple(dict.fromkeys([*recipe.get("corpora", ()), *against, *owners]))
    places = _made(folder.path, known) | dict(started(folder.path).places) | given_places(given, known)
    tables, unread = [], []
    for text in [*against, *lists]:
        name, names = list_name(text)
        facts, here = corpus(name), places.get(name, ())
        try:
            keys = evaluation_keys(facts, here) if text in against else blocked(facts, here, names)
            tables.append(keys.collect())
        except CorpusError:
            unread.append(text)
    return (_spans(pl.concat(tables)) if tables else None), unread


def _apart(folder: BuildFolder) -> Mapping[str, Sequence[str]] | None:
    """What the recipe promises to keep apart: the splits that share no recording or speaker with train."""
    stages = folder.recipe.get("stages", ())
    stage = next((one for one in stages if one.get("stage") == "Separate"), None)
    return stage and {"recording": stage["recordings"], "speaker": stage["speakers"]}


def _made(folder: Path, names: Sequence[str]) -> Places:
    """Corpora that the build made itself lie in the build."""
    return {name: (folder / "source" / name,) for name in names if (folder / "source" / name).is_dir()}


def _spans(keys: pl.DataFrame) -> pl.DataFrame:
    """As decontamination reads them: of a video the seconds count, elsewhere the recording; a clip is 10 s long."""
    video = timed(pl.col("source_id"))
    end = pl.col("end").fill_null(pl.col("start") + CLIP_SECONDS)
    spans = keys.with_columns(start=pl.when(video).then("start"), end=pl.when(video).then(end))
    return spans.select(KEYS.keys()).unique(maintain_order=True)


def _rows(counting: Counting) -> Progress:
    """Counts the rows that are checked."""
    shards: dict[str, int] = {}

    def words() -> str:
        what = f"{sum(shards.values()):,} rows of {plural(len(shards), 'shard')}"
        return f"{what}, {span(time.monotonic() - counting.began)}"

    def progress(shard: str, done: int) -> None:
        shards[shard] = done
        counting(words)

    return progress
