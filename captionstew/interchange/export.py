"""A build in a layout that other tools read: output shard by output shard, each once, whatever interrupts it."""

import json
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from captionstew.digest import digest
from captionstew.errors import BuildError
from captionstew.interchange import audio_files
from captionstew.interchange.choose import EVERYTHING, Choice, Part, Plan, plan
from captionstew.interchange.form import Form
from captionstew.interchange.jsonl import Jsonl
from captionstew.interchange.lhotse import Lhotse
from captionstew.interchange.readme import readme
from captionstew.interchange.webdataset import WebDataset
from captionstew.pipeline.folder import Folder
from captionstew.pipeline.ledger import Entry, Ledger, Output
from captionstew.pipeline.progress import Event, Watch, unwatched
from captionstew.shards.atomic import write_bytes
from captionstew.shards.layout import MANIFEST
from captionstew.shards.manifest import read_manifest
from captionstew.shards.read import Clips

FORMS: tuple[type[Form], ...] = (Lhotse, WebDataset, Jsonl)
FACTS, README = "export.json", "README.md"
SHARD_CLIPS = 1_000  # as Lhotse has it


@dataclass(frozen=True)
class Exported:
    """What lies in the folder of an export, and what this run did of it."""

    out: Path
    plan: Plan
    bytes: int
    done: int  # output shards written in this run
    seconds: float  # that they took


def export(
    build: str | Path,
    out: Path,
    form: Form,
    choice: Choice = EVERYTHING,
    shard_clips: int = SHARD_CLIPS,
    watch: Watch = unwatched,
) -> Exported:
    """`out` holds the chosen clips of a build, or of a release behind a URL, and nothing of an earlier export.

    The same build and choice leave the same bytes, however often it was stopped; what is finished is not read again.
    StewError if the folder holds anything else, or nothing is chosen.
    """
    began = time.perf_counter()
    clips = Clips(build)
    planned = plan(clips, choice, shard_clips)
    _check_out(out)
    folder = Folder(out)
    with folder.locked(fresh=False):
        folder.ledger.path.touch()  # says that what comes is ours, also if the first shard is never finished
        done = _write_all(planned, form, out, folder.ledger, watch)
        seconds = time.perf_counter() - began
        entries = [_entry(folder.ledger, form, part) for part in planned.parts]
        _remove_others(folder.ledger, planned, form, out, entries)
        facts = _facts(clips, form, choice, planned, entries)
        write_bytes(out / FACTS, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
        write_bytes(out / README, readme(form, planned, read_manifest(clips.folder)).encode())
    held = sum(output.bytes for entry in entries for output in entry.outputs.values())
    return Exported(out, planned, held, done, seconds)


def _write_all(planned: Plan, form: Form, out: Path, ledger: Ledger, watch: Watch) -> int:
    """Every output shard is there; how many of them had to be written."""
    todo = [part for part in planned.parts if not _is_done(ledger, form, part, out)]
    before = len(planned.parts) - len(todo)
    watch(Event(form.name, before, len(planned.parts), skipped=not todo))
    clips = planned.num_clips - sum(len(part.numbers) for part in todo)
    for number, part in enumerate(todo, before + 1):
        began = time.perf_counter()
        outputs = {
            made.path.relative_to(out).as_posix(): Output.of(made.path, made.sha256)
            for made in form.write(part, out)
        }
        count, wall = len(part.numbers), round(time.perf_counter() - began, 3)
        ledger.add(Entry(form.label, part.name, _fingerprint(form, part), count, count, {}, outputs, wall))
        clips += count
        watch(Event(form.name, number, len(planned.parts), clips=clips))
    return len(todo)


def _fingerprint(form: Form, part: Part) -> str:
    return digest(form.name, form.version, asdict(form), part.identity)


def _is_done(ledger: Ledger, form: Form, part: Part, out: Path) -> bool:
    return ledger.done(form.label, part.name, _fingerprint(form, part)) is not None and form.whole(part, out)


def _entry(ledger: Ledger, form: Form, part: Part) -> Entry:
    entry = ledger.done(form.label, part.name, _fingerprint(form, part))
    assert entry is not None, f"{part.name} was not written"
    assert entry.kept == len(part.numbers), f"{part.name} lost clips: {entry}"
    return entry


def _remove_others(ledger: Ledger, planned: Plan, form: Form, out: Path, entries: Iterable[Entry]) -> None:
    """What earlier exports left here, and this one does not consist of, is gone."""
    wanted = {path for entry in entries for path in entry.outputs}
    for entry in ledger.entries():
        for path in (out / name for name in set(entry.outputs) - wanted):
            path.unlink(missing_ok=True)
            if path.parent != out and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
    audio_files.clear(out, {part.name for part in planned.parts} if form.audio == "files" else ())


def _check_out(out: Path) -> None:
    if out.is_file():
        raise BuildError(f"{out} cannot be a folder", cause="it is a file", hint="choose another --out")
    if out.is_dir():
        there = {path.name for path in out.iterdir() if not path.name.startswith(".")}
        if there and not _is_ours(out, there):
            cause = f"it holds {', '.join(sorted(there)[:3])}"
            raise BuildError(f"{out} is not empty and no export", cause=cause, hint="choose another --out")


def _is_ours(out: Path, there: Collection[str]) -> bool:
    """Whether an earlier export wrote here: its facts say so, or while there are none, a ledger of nothing else."""
    if MANIFEST in there or FACTS in there:
        return MANIFEST not in there
    try:
        ledger = Ledger(out)
    except BuildError:  # a run of training keeps another kind of ledger
        return False
    labels = {form(audio).label for form in FORMS for audio in form.audios}
    return ledger.path.is_file() and all(entry.stage in labels for entry in ledger.entries())


def _facts(
    clips: Clips, form: Form, choice: Choice, planned: Plan, entries: Iterable[Entry]
) -> Mapping[str, object]:
    """What `export.json` says; no time and no place of this machine."""
    manifest = read_manifest(clips.folder)
    licenses: dict[str, int] = defaultdict(int)
    for count in planned.counts:
        licenses[count.license] += count.clips
    files = [
        {"path": path, "bytes": output.bytes, "sha256": output.sha256}
        for entry in entries
        for path, output in sorted(entry.outputs.items())
    ]
    return {
        "form": form.name, "audio": form.audio, "choice": asdict(choice),
        "build": {"recipe": manifest.recipe, "digest": manifest.recipe_digest, "made_with": manifest.made_with},
        "received": planned.received, "left_out": planned.left_out, "written": planned.num_clips,
        "licenses": dict(sorted(licenses.items())), "splits": [asdict(count) for count in planned.counts],
        "files": files,
    }  # fmt: skip
