"""build: from a recipe to shards, whatever interrupts it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from captionstew.cli import outcome
from captionstew.cli.console import DOT, TICK, Console
from captionstew.cli.enrich_plan import show_enriched
from captionstew.cli.enriching import OFF, check_ready, is_off
from captionstew.cli.fetch import fetch_for_build
from captionstew.cli.order import asked, supplied
from captionstew.cli.parser import Arguments
from captionstew.cli.planfile import ordered
from captionstew.cli.progress import Step, Watcher, watcher
from captionstew.cli.rates import remember
from captionstew.cli.resume import remembering, shown, words
from captionstew.errors import StewError
from captionstew.figures import hours, plural, reasons, size, span
from captionstew.pipeline.build import Build
from captionstew.pipeline.request import Request, Summary


def run(arguments: Arguments, console: Console) -> int:
    """Check, build, account; the same command again continues."""
    arguments, planned = ordered(arguments)
    request = asked(arguments)
    if planned:
        planned.check(request)
    check_ready(request)
    request = supplied(request, None if arguments.offline else partial(fetch_for_build, console=console))
    console.tell(
        f"{request.pipeline.name} \u2192 {request.out}   (stop any time; the same command continues)"
    )
    if is_off(request.pipeline):
        console.tell(f"enrichment is {OFF}")
    console.tell()
    seen = watcher(console)
    try:
        with seen:
            summary = Build(request, remembering(seen, arguments, request, anew=True)).run()
    except (KeyboardInterrupt, SystemExit) as end:  # Ray turns a polite kill into an exit
        _interrupted(seen, arguments, console)
        raise KeyboardInterrupt(seen.saved) from end
    except StewError as error:
        raise _with_losses(error, seen.steps) from error
    if ":" not in request.cluster:  # of this machine
        remember("audio", summary.audio_seconds, summary.audio_wall)
    _result(request, summary, console)
    return 0


def _interrupted(seen: Watcher, arguments: Arguments, console: Console) -> None:
    console.tell()
    console.tell(f"stopped; {seen.saved}. To continue:")
    console.tell(f"  {shown(words('build', arguments))}")


def _with_losses(error: StewError, steps: Mapping[str, Step]) -> StewError:
    """An error that comes after clips were dropped says where they went."""
    lost = [f"{step.name}: {reasons(step.drops)}" for step in steps.values() if step.drops]
    cause = error.cause or "\n".join(["dropped so far:", *lost] if lost else [])
    return type(error)(error.message, cause=cause, where=error.where, hint=error.hint)


def _result(request: Request, summary: Summary, console: Console) -> None:
    manifest, every = summary.manifest, outcome.outcomes(summary.manifest)
    clips, captions = sum(one.kept for one in every), sum(one.captions for one in every)
    held, shards = sum(file.bytes for file in manifest.files), len(manifest.files)
    length = round(sum(one.hours for one in every), 6)
    facts = {
        "recipe": manifest.recipe, "out": str(request.out), "clips": clips, "captions": captions,
        "hours": length, "bytes": held, "shards": shards, "corpora": outcome.plain(every),
        "leaks": outcome.plain_leaks(manifest),
        "wall": summary.wall, "audio_wall": summary.audio_wall, "audio_seconds": summary.audio_seconds,
        "runner": summary.runner, "done": summary.done, "skipped": summary.skipped,
    }  # fmt: skip
    console.data(facts)
    console.tell()
    numbers = [plural(clips, "clip"), plural(captions, "caption"), f"{hours(length)} h",
               size(held), plural(shards, "shard")]  # fmt: skip
    console.mark(TICK, DOT.join([f"built {manifest.recipe} in {span(summary.wall)}", *numbers]))
    console.say()
    outcome.show(every, console)
    outcome.show_leaks(manifest, console)
    show_enriched(manifest, console)
    console.say(f"  {_speed(summary)}")
    console.say(f"  it lies in {_inside(request.out)}")
    console.next(f"captionstew validate {request.out}", f"captionstew inspect {request.out}")


def _speed(summary: Summary) -> str:
    if not summary.done:
        return "nothing had changed: all of it was done before"
    if not summary.audio_seconds:
        return f"no audio was opened: {plural(summary.skipped, 'piece')} of work were done before"
    rate = summary.audio_seconds / max(summary.audio_wall, 1e-9)
    before = f"; {plural(summary.skipped, 'piece')} of work done before" if summary.skipped else ""
    return f"{rate:,.0f} seconds of audio per second ({summary.runner}){before}"


def _inside(out: Path) -> str:
    return f"{out / 'data'} (shards), {out / 'drops'} (who was dropped, and why)"
