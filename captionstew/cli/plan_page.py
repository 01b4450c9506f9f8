"""A plan as a page: stage by stage where that is known, corpus by corpus, what stands in the way, what it costs."""

from collections.abc import Sequence
from pathlib import Path

from captionstew.cli import catalogue
from captionstew.cli.console import CROSS, DOT, LOOK, TICK, Console
from captionstew.cli.cost import grows, worst_moment
from captionstew.cli.estimate import codec_of
from captionstew.cli.forecast import Forecast, Share
from captionstew.cli.machine import cores
from captionstew.cli.parser import Arguments
from captionstew.cli.plan_sums import about, sound, sums
from captionstew.cli.planned import Plan
from captionstew.cli.resume import shown, words
from captionstew.cli.table import Column
from captionstew.figures import NONE, UNKNOWN, count, hours, plural, reasons, size
from captionstew.pipeline.draft import Planned

_STAGES = (Column(""), Column("stage"), Column("done", right=True), Column("why", least=20))
_CORPORA = (
    Column(""), Column("corpus"), Column("clips", right=True), Column("hours", right=True),
    Column("text", right=True), Column("audio", right=True), Column("disk", right=True),
    Column("at peak", right=True, spare=1),
    Column("note", least=16, spare=2),
)  # fmt: skip
_LICENSES = (Column(""), Column("corpus"), Column("text license", least=12), Column("audio license", least=12),
             Column("publish"))  # fmt: skip
_STATES = {"made": "made here", "youtube": "YouTube", "form": "form", "gated": "login", "elsewhere": "elsewhere",
           "unavailable": "nowhere"}  # fmt: skip
_NOT_OPEN = {"youtube": "on YouTube, not fetched", "form": "given out by a form", "gated": "behind a login",
             "elsewhere": "that of other corpora", "unavailable": "offered nowhere that we know"}  # fmt: skip
_LEGEND = "size      ~ about, + and more of unknown size, \u2264 at most, ? not known, - not as it stands"
_BASIS = {"found": "", "counted": "counted", "published": "as published"}


def show(plan: Plan, console: Console) -> None:
    """The page, all but its last lines."""
    codec = codec_of(plan.request.pipeline)
    if plan.steps:
        console.rows(_STAGES, [_step(step) for step in plan.steps])
        console.say()
    console.rows(_CORPORA, [_corpus(one, codec) for one in plan.forecasts])
    console.say()
    terms = [catalogue.row(facts, "absent") for facts in plan.request.corpora]
    console.rows(_LICENSES, [["", row[0], row[5], row[6], row[7]] for row in terms])
    console.say()
    if not plan.steps:
        console.wrapped(f"  {_LEGEND}", indent=" " * 12)
    console.wrapped(f"  {catalogue.LEGEND[0]}", indent=" " * 12)
    console.say()
    _in_the_way(plan, console)
    said = [(name, text) for name, text in sums(plan).items() if text]
    for name, text in said:
        console.wrapped(f"  {name:10} {text}", indent=" " * 13)
    if said:
        console.say()


def show_next(plan: Plan, path: Path, arguments: Arguments, console: Console) -> None:
    """The plan in a sentence, where it was saved, and what to run now."""
    if plan.over:
        console.mark(TICK, "nothing to do: all of it is done")
        console.next(f"captionstew validate {plan.request.out}")
        return
    console.wrapped(f"Plan: {DOT.join(_summary(plan))}. Saved to {path}.", indent="      ")
    if plan.ready:
        console.next(shown(["build", arguments.recipe, "--plan", str(path)]))
    else:
        console.next(_open_part(plan, arguments))


def _step(step: Planned) -> list[str]:
    over = step.done == step.total
    return [TICK if over else LOOK, step.stage, f"{step.done:,}/{step.total:,}", step.why]


def _corpus(one: Forecast, codec: str) -> list[str]:
    most = "\u2264 " if one.part else ""
    note = f"left out: {reasons(one.drops, 3)}" if any(one.drops.values()) else _BASIS[one.basis]
    sign = CROSS if not one.ready else LOOK if one.waits else TICK
    audio = f"{size(one.source)}" if one.source else _share(one.audio)
    return [sign, one.corpus, _at_most(most, count(one.clips)), _at_most(most, hours(one.hours)),
            _share(one.text), audio, grows(one, codec).short if one.ready else NONE,
            worst_moment(one, codec).short if one.ready else NONE, note]  # fmt: skip


def _at_most(most: str, number: str) -> str:
    return number if number == UNKNOWN else most + number


def _share(share: Share) -> str:
    return share.down.short if share.state == "fetch" else _STATES.get(share.state, share.state)


def _in_the_way(plan: Plan, console: Console) -> None:
    """What a build would refuse to begin without, by its reason, and what it would do without."""
    barred: dict[str, list[tuple[str, str]]] = {}
    audio = {one.corpus: one.audio.state for one in plan.forecasts}
    for name, error in plan.survey.lacking.items():
        what = f"audio {_NOT_OPEN[audio[name]]}" if audio.get(name) in _NOT_OPEN else error.message
        barred.setdefault(what, []).append((name, error.where or error.cause))
    for what, named in barred.items():
        do = f"say where your copy lies, --audio {named[0][0]}=DIR, or build the others with --only"
        console.wrapped(f"  {CROSS} {what}: {do}", indent="    ")
        wide = max(len(name) for name, _ in named)
        for name, page in named:
            console.say(f"      {name:{wide}}  {page}")
    for one in plan.forecasts:
        for wait in one.waits if one.ready else ():
            what = wait.items[0] if len(wait.items) == 1 else plural(len(wait.items), "archive")
            login = f", then captionstew fetch {one.corpus}" if wait.barrier == "gated" else ""
            text = f"{one.corpus} goes without {what}, {_NOT_OPEN[wait.barrier]}: {wait.page}{login}"
            console.wrapped(f"  {LOOK} {text}", indent="    ")
    if barred or any(one.waits for one in plan.forecasts):
        console.say()


def _summary(plan: Plan) -> list[str]:
    cost, steps = plan.cost, plan.steps
    todo = sum(step.done < step.total for step in steps)
    if not steps:
        ready = sum(one.ready for one in plan.forecasts)
        down = cost.down.short if cost.down.bytes else cost.down.long
        fetch = [f"fetch {down}"] if cost.down.bytes or cost.down.unknown else []
        waits = [f"{len(plan.forecasts) - ready} not open"] if ready < len(plan.forecasts) else []
        return [*fetch, f"build {plural(ready, 'corpus')}", *waits, f"about {about(cost.seconds)}"]
    reads = (
        f"read {size(cost.source)} of audio, about {sound(cost.hours)}" if cost.source else "open no audio"
    )
    return [f"run {plural(todo, 'stage')}, skip {len(steps) - todo}", reads, f"write about {size(cost.disk)}",
            f"about {about(cost.seconds)} on {plural(cores(), 'core')}"]  # fmt: skip


def _open_part(plan: Plan, arguments: Arguments) -> str:
    """The plan that a build could follow: of what is open, or with audio of one's own."""
    ready = [one.corpus for one in plan.forecasts if one.ready]
    line = words("plan", arguments)
    if ready and set(plan.survey.lacking) <= {one.corpus for one in plan.forecasts}:
        return shown([*_without_only(line), *(word for name in ready for word in ("--only", name))])
    return f"{shown(line)} --audio {next(iter(plan.survey.lacking)).partition(':')[0]}=DIR"


def _without_only(line: Sequence[str]) -> list[str]:
    return [word for at, word in enumerate(line) if word != "--only" and line[at - 1] != "--only"]
