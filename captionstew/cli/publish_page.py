"""The page that publish shows before it asks: what is sent, what is left out and why, and the version."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from captionstew.cli.console import DOT, LOOK, Console
from captionstew.figures import hours, plural, size
from captionstew.publish.contents import Refusal
from captionstew.publish.prepare import Prepared

_LISTED = 3


def show(made: Prepared, console: Console) -> None:
    """A line for each thing that an upload would do."""
    release = made.release
    total = release.manifest.totals
    clips = sum(one.clips for one in total if one.tier == "captions")
    length = sum(one.hours for one in total if one.tier == "captions")
    console.say()
    if made.step is None:
        console.say(
            f"{release.repository} {release.tag} is this very release: {plural(clips, 'clip')}, {hours(length)} h."
        )
        console.say("There is nothing to send.")
        return
    for name, text in _lines(made):
        console.wrapped(f"  {name:9} {text}", indent=" " * 12)
    if any(one.tier == "audio-nc" for one in total):
        text = f"  {LOOK} the whole repository asks its readers to agree to non-commercial use"
        console.wrapped(text, indent=" " * 4)
    if made.absent:
        text = f"  {LOOK} to be taken down, but not in this build: {_some(made.absent)}"
        console.wrapped(text, indent=" " * 4)
    console.say()


def plain(made: Prepared) -> dict[str, object]:
    """The same for programs."""
    release, plan, step = made.release, made.plan, made.step
    return {
        "repository": release.repository,
        "tag": release.tag,
        "step": asdict(step) if step else None,
        "previous": release.previous_tag or None,
        "tiers": list(release.tiers),
        "new": len(plan.new),
        "changed": len(plan.changed),
        "same": len(plan.same),
        "deleted": list(plan.deleted),
        "documents": list(plan.documents),
        "bytes_to_send": plan.bytes,
        "bytes": plan.total,
        "withdrawn": made.withdrawn,
        "not_in_the_build": list(made.absent),
        "refused": [asdict(one) for one in release.refusals],
        "totals": [asdict(one) for one in release.manifest.totals],
    }


def _lines(made: Prepared) -> Iterable[tuple[str, str]]:
    release, plan, step = made.release, made.plan, made.step
    assert step
    counts = DOT.join(
        f"{len(paths):,} {what}"
        for what, paths in (("new", plan.new), ("changed", plan.changed), ("same", plan.same))
    )
    yield "upload", f"{counts}   {size(plan.bytes)} of {size(plan.total)} to send, at most"
    for tier in release.tiers:
        totals = [one for one in release.manifest.totals if one.tier == tier]
        if totals:
            clips, length = sum(one.clips for one in totals), sum(one.hours for one in totals)
            corpora = plural(len({one.corpus for one in totals}), "corpus")
            yield tier, DOT.join([plural(clips, "clip"), f"{hours(length)} h", corpora])
    gone = [plural(len(plan.deleted), "file")] * bool(plan.deleted)
    gone += [f"{plural(made.withdrawn, 'clip')} taken down"] * bool(made.withdrawn)
    yield "remove", DOT.join(gone) or "0"
    for line in _refused(release.refusals):
        yield "refuse", line
    yield "write", " ".join(_together(plan.documents)) or "0"
    yield "tag", f"{release.tag}  ({step.level + ': ' if release.previous else ''}{step.why})"


def _refused(refusals: Sequence[Refusal]) -> Iterable[str]:
    """One line for each rule: what it keeps at home of how many clips, and whose."""
    rules = dict.fromkeys((one.reason, one.tier) for one in refusals)
    for rule, tier in rules:
        here = [one for one in refusals if (one.reason, one.tier) == (rule, tier)]
        clips = plural(sum(one.clips for one in here), "clip")
        names, licenses = (_some(getattr(one, field) for one in here) for field in ("corpus", "license"))
        what = clips if tier == "captions" else f"audio of {clips}"
        yield f"{what}: {names} under {licenses}: {rule}"


def _some(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    return ", ".join(every[:_LISTED]) + (f" and {len(every) - _LISTED} more" if every[_LISTED:] else "")


def _together(paths: Iterable[str]) -> Iterable[str]:
    """Paths, those of one folder as one."""
    return dict.fromkeys(path.partition("/")[0] + ("/" if "/" in path else "") for path in paths)
