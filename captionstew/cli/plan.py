"""plan: what a build would do, skip and cost. The stages over annotations are run, and kept; no audio is opened."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from captionstew.cli.console import DOT, LOOK, TICK, Console
from captionstew.cli.estimate import Load, Need, codec_of, loads, need, written
from captionstew.cli.figures import count, hours, plural, reasons, size, span
from captionstew.cli.folder import BuildFolder
from captionstew.cli.machine import cores, free_disk
from captionstew.cli.order import order
from captionstew.cli.parser import Arguments
from captionstew.cli.progress import Step, watcher
from captionstew.cli.resume import remembering, shown, words
from captionstew.cli.table import Column
from captionstew.digest import digest
from captionstew.errors import BuildError
from captionstew.pipeline.build import Build
from captionstew.pipeline.folder import Folder
from captionstew.pipeline.progress import Event, Watch
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import Context
from captionstew.pipeline.table import Files
from captionstew.pipeline.unit import Unit
from captionstew.pipeline.units import audio_label, plan_units

_STAGES = (Column(""), Column("stage"), Column("done", right=True), Column("why", least=20))
_CORPORA = (
    Column("corpus"),
    Column("clips", right=True),
    Column("source", right=True),
    Column("hours", right=True),
    Column("shards", right=True),
    Column("left out before", least=20),
)


class _Enough(Exception):
    """The build has come to the audio."""


@dataclass(frozen=True)
class Planned:
    """A stage in a plan."""

    stage: str
    done: int
    total: int
    why: str


def run(arguments: Arguments, console: Console) -> int:
    """Exit 1 if the disk is too small for it."""
    request = order(arguments)
    console.tell(f"{request.pipeline.name} \u2192 {request.out}: reading annotations, listing files")
    with watcher(console, passing=True) as seen:
        _until_audio(request, remembering(seen, arguments, request, anew=False))
    request = _with_made(request)
    units = _units(request)
    ledger, label = Folder(request.out).ledger, audio_label(request.pipeline.audio)
    todo = [unit for unit in units if ledger.done(label, unit.name, unit.name) is None]
    found = loads(request, todo)
    steps = [*_before(seen.steps, request), *_after(request, units, todo)]
    costs = need(codec_of(request.pipeline), request.out, found, shards=steps[-1].done == 0)
    _show(request, steps, found, costs, console)
    _check_disk(request, costs, found)
    over = all(step.done == step.total for step in steps)
    console.next(f"captionstew validate {request.out}" if over else shown(words("build", arguments)))
    return 0


def _until_audio(request: Request, seen: Watch) -> None:
    """Build up to the first look at audio: what that leaves, the build itself takes over."""

    def watch(event: Event) -> None:
        seen(event)
        if event.stage == audio_label(request.pipeline.audio):
            raise _Enough

    try:
        Build(replace(request, cluster="none", fresh=False), watch).run()
    except _Enough:
        return


def _with_made(request: Request) -> Request:
    """Corpora that are made by arithmetic lie in the build's own folder."""
    made = {c.name: (request.out / "source" / c.name,) for c in request.corpora if c.made_by}
    return replace(request, places=made | dict(request.places))


def _units(request: Request) -> list[Unit]:
    before = request.pipeline.before
    work = Folder(request.out).work
    tables = Files(work / f"{len(before):02}-{before[-1].name}").tables
    return plan_units(work, request, tables.clips)


def _before(steps: dict[str, Step], request: Request) -> list[Planned]:
    """The stages over annotations: all are done by now."""
    found = []
    for stage in request.pipeline.before:
        step = steps[stage.name]
        what = "unchanged" if step.skipped else "done for this plan, and kept"
        found.append(Planned(stage.name, 1, 1, f"{what}: {count(step.clips)} clips"))
    return found


def _after(request: Request, units: Sequence[Unit], todo: Sequence[Unit]) -> list[Planned]:
    """The audio pass and what follows it; each is done only if all before it is. Fingerprints as `Build` makes them."""
    ledger, label = Folder(request.out).ledger, audio_label(request.pipeline.audio)
    before = request.pipeline.before[-1].name
    last = next(entry for entry in ledger.entries(before) if entry.shard == "all")
    known = any(entry.shard != "all" for entry in ledger.entries(label))
    why = ("its files or stages changed" if len(todo) == len(units) else "a part is new") if known else "new"
    found = [Planned(label, len(units) - len(todo), len(units), why if todo else "unchanged")]
    upstream = digest(label, last.fingerprint, sorted(unit.name for unit in units))
    stale = label if todo or ledger.done(label, "all", upstream) is None else ""
    context = Context(request.corpora, request.places, request.limit)
    for stage in request.pipeline.after:
        upstream = digest(stage.identity(), upstream, stage.upstream(context))
        done = not stale and ledger.done(stage.name, "all", upstream) is not None
        why = f"after {stale}" if stale else "unchanged" if done else "it changed"
        found.append(Planned(stage.name, int(done), 1, why))
        stale = stale or ("" if done else stage.name)
    changed = not stale and not _as_built(request)
    why = f"after {stale}" if stale else "it changed" if changed else "unchanged"
    return [*found, Planned(request.pipeline.sink.name, int(not stale and not changed), 1, why)]


def _as_built(request: Request) -> bool:
    """Whether the shards that lie there are of this very recipe."""
    manifest = BuildFolder(request.out).manifest
    return manifest is not None and manifest.recipe_digest == request.pipeline.identity()


def _show(
    request: Request, steps: Sequence[Planned], found: Sequence[Load], costs: Need, console: Console
) -> None:
    left, codec = [step for step in steps if step.done < step.total], codec_of(request.pipeline)
    free = free_disk(request.out)
    console.data({"recipe": request.pipeline.name, "out": str(request.out), "stages": [asdict(s) for s in steps],
                  "corpora": [asdict(load) | {"written": written(load, codec)} for load in found],
                  "cost": asdict(costs), "free": free, "cores": cores()})  # fmt: skip
    console.rows(_STAGES, [_row(step) for step in steps])
    console.say()
    console.rows(_CORPORA, [_load(load, codec) for load in found])
    console.say()
    if not left:
        console.mark(TICK, "nothing to do: all of it is done")
        return
    parts = [f"run {plural(len(left), 'stage')}, skip {len(steps) - len(left)}",
             f"read {size(costs.source)} of audio, about {hours(costs.hours)} h" if costs.source else "open no audio",
             f"write about {size(costs.disk)} ({size(free)} free)",
             f"about {span(costs.seconds)} on {plural(cores(), 'core')}"]  # fmt: skip
    console.wrapped("Plan: " + DOT.join(parts), indent="      ")


def _row(step: Planned) -> list[str]:
    over = step.done == step.total
    return [TICK if over else LOOK, step.stage, f"{step.done:,}/{step.total:,}", step.why]


def _load(load: Load, codec: str) -> list[str]:
    return [
        load.corpus,
        count(load.clips),
        size(load.source),
        hours(load.seconds / 3600),
        size(written(load, codec)),
        reasons(load.drops, 3),
    ]


def _check_disk(request: Request, costs: Need, found: Sequence[Load]) -> None:
    free = free_disk(request.out)
    if costs.disk > free:
        opus = need("opus", request.out, found, shards=True).disk
        raise BuildError(
            f"the disk is too small by {size(costs.disk - free)}",
            cause=f"the build needs about {size(costs.disk)}, {size(free)} are free",
            where=str(request.out.absolute()),
            hint=f"--set codec=opus needs about {size(opus)}; or --out on another disk, --only, --limit",
        )
