"""import: a Lhotse manifest of cuts to shards, checked; run again to go on."""

import time
from collections.abc import Mapping
from pathlib import Path

from captionstew.cli import outcome
from captionstew.cli.console import CROSS, DOT, TICK, Console
from captionstew.cli.order import check_cluster, check_encoder, check_out
from captionstew.cli.parser import Arguments
from captionstew.cli.progress import Watcher, watcher
from captionstew.cli.resume import keep_command, shown
from captionstew.corpora.license import is_expression
from captionstew.errors import BuildError, CorpusError, UsageError, ValidationError
from captionstew.figures import hours, plural, reasons, size, span
from captionstew.interchange.imported import Imported, imported
from captionstew.pipeline.build import Build
from captionstew.pipeline.folder import Folder
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.progress import Event
from captionstew.pipeline.request import Request, Summary
from captionstew.recipe import override, recipe
from captionstew.shards.findings import Report
from captionstew.shards.validate import validate


def run(arguments: Arguments, console: Console) -> int:
    """Read the cuts, build, read the shards again; exit 4 if they are not as promised."""
    pipeline = override(recipe("folder"), arguments.set)
    manifests = [_manifest(name) for name in arguments.manifest]
    out = (
        Path(arguments.out).expanduser() if arguments.out else Path("build") / _name(arguments, manifests[0])
    )
    _check(arguments, pipeline, out)
    console.tell(f"{manifests[0].name} → {out}   (stop any time; the same command continues)")
    console.tell()
    seen, began = watcher(console), time.monotonic()
    try:
        with seen:
            found = _read(arguments, manifests, pipeline, out, seen)
            places = {found.corpus.name: found.places}
            request = Request(pipeline, out, (found.corpus,), places, arguments.limit, arguments.cluster)
            keep_command(_words(arguments, out), request)
            summary = Build(request, seen).run()
            seen(Event("validate", 0, 1))
            report = validate(out)
            seen(Event("validate", 1, 1, clips=report.clips))
    except (KeyboardInterrupt, SystemExit) as end:  # Ray turns a polite kill into an exit
        console.tell(f"\nstopped; {seen.saved}. To continue:\n  {shown(_words(arguments, out))}")
        raise KeyboardInterrupt(seen.saved) from end
    except BuildError as error:
        raise _explained(error, seen) from error
    _result(found, summary, report, time.monotonic() - began, console)
    return 0 if report.passed else ValidationError.exit_code


def _manifest(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_file():
        return path
    cause = "it is a folder" if path.is_dir() else "there is no such file"
    hint = "give the cuts themselves: cuts.jsonl or cuts.jsonl.gz"
    raise CorpusError(f"{name} is no manifest", cause=cause, hint=hint)


def _name(arguments: Arguments, manifest: Path) -> str:
    name = arguments.name or manifest.name.removesuffix(".gz").removesuffix(".jsonl")
    if Path(name).name != name or name.startswith("."):
        raise UsageError(f'--name "{name}" is no name for a folder', hint="a plain word; --out takes a path")
    return str(name)


def _check(arguments: Arguments, pipeline: Pipeline, out: Path) -> None:
    """All that can be wrong is told before any work."""
    if arguments.license and not is_expression(arguments.license):
        hint = (
            "an SPDX id such as CC-BY-4.0, or LicenseRef-YouTube, LicenseRef-unknown, LicenseRef-Of-Your-Own"
        )
        raise UsageError(f'--license "{arguments.license}" is no license', hint=hint)
    if arguments.audio_root and not Path(arguments.audio_root).expanduser().is_dir():
        hint = "give the folder that the audio lies in"
        raise CorpusError(f"--audio-root: there is no folder {arguments.audio_root}", hint=hint)
    check_cluster(arguments.cluster)
    check_out(out, pipeline, fresh=arguments.fresh)
    check_encoder(pipeline)


def _read(
    arguments: Arguments, manifests: list[Path], pipeline: Pipeline, out: Path, seen: Watcher
) -> Imported:
    """The cuts as a table in the folder of the build, where a made-up corpus would be."""
    root = Path(arguments.audio_root).expanduser() if arguments.audio_root else None
    folder = Folder(out)
    with folder.locked(fresh=arguments.fresh):
        folder.freeze(pipeline)  # says whose folder it is, should this be stopped
        seen(Event("import", 0, 1))
        found = imported(
            manifests, out.absolute() / "source" / pipeline.corpora[0], license=arguments.license, audio_root=root,
            split=arguments.split, style=arguments.style,
        )  # fmt: skip
        seen(Event("import", 1, 1, clips=found.seen.cuts))
    return found


def _explained(error: BuildError, seen: Watcher) -> BuildError:
    """That no clip is left, with where they went and the likeliest remedy."""
    step = seen.steps.get("Locate") or seen.steps.get("locate")
    if step is None or "missing" not in step.drops:
        return error
    hint = "say where the audio lies here: --audio-root DIR"
    return BuildError(error.message, cause=error.cause or reasons(step.drops), where=error.where, hint=hint)


def _result(found: Imported, summary: Summary, report: Report, wall: float, console: Console) -> None:
    seen, manifest = found.seen, summary.manifest
    every = outcome.outcomes(manifest)
    clips, captions = sum(one.kept for one in every), sum(one.captions for one in every)
    length, held = sum(one.hours for one in every), sum(file.bytes for file in manifest.files)
    failed = {check.name: list(check.failures) for check in report.checks if not check.passed}
    console.data({"out": str(summary.out), "cuts": seen.cuts, "refused": dict(seen.refused), "clips": clips,
                  "captions": captions, "hours": round(length, 6), "bytes": held, "corpora": outcome.plain(every),
                  "uncaptioned": seen.uncaptioned, "passed": report.passed, "failed": failed,
                  "wall": round(wall, 3)})  # fmt: skip
    console.tell()
    parts = [plural(clips, "clip"), plural(captions, "caption"), f"{hours(length)} h", size(held)]
    console.mark(TICK, DOT.join([f"imported {plural(seen.cuts, 'cut')} in {span(wall)}", *parts]))
    console.say()
    outcome.show(every, console)
    for text in _notes(seen.refused, seen.uncaptioned, summary.out):
        console.say(f"  {text}")
    if failed:
        console.mark(CROSS, f"validate: {len(failed)} of {len(report.checks)} checks failed")
        console.next(f"captionstew validate {summary.out}")
    else:
        console.mark(TICK, f"validate: {len(report.checks)} checks passed")
        console.next(f"captionstew inspect {summary.out}")


def _notes(refused: Mapping[str, int], uncaptioned: int, out: Path) -> list[str]:
    notes = [f"refused: {reasons(refused)}; each by file and line in {out / 'drops'}"] if refused else []
    return notes + ([f"{plural(uncaptioned, 'cut')} without a caption"] if uncaptioned else [])


def _words(arguments: Arguments, out: Path) -> list[str]:
    """The command again, every path absolute, without `--fresh`."""
    found = ["import", *(_absolute(name) for name in arguments.manifest)]
    given = {"--license": arguments.license, "--limit": arguments.limit}
    for option, value in given.items():
        found += [option, str(value)] if value else []
    for setting in arguments.set:
        found += ["--set", setting]
    found += ["--audio-root", _absolute(arguments.audio_root)] if arguments.audio_root else []
    found += ["--split", arguments.split] * (arguments.split != "train")
    found += ["--style", arguments.style] * (arguments.style != "human")
    found += ["--cluster", arguments.cluster] * (arguments.cluster != "auto")
    return [*found, "--out", _absolute(str(out))]


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
