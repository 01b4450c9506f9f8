"""What a plan comes to, in sentences: clips, bytes, time, and what nobody knows."""

from collections.abc import Sequence

from captionstew.cli.forecast import Forecast
from captionstew.cli.machine import cores, free_disk
from captionstew.cli.planned import Plan
from captionstew.figures import count, hours, plural, size

_BY = {"build": "as the last build on this machine", "fetch": "as the last fetch", "trial": "measured now",
       "assumed": "not measured yet"}  # fmt: skip


def sums(plan: Plan) -> dict[str, str]:
    """What all of it comes to."""
    cost, fetching = plan.cost, bool(plan.cost.down.bytes or plan.cost.down.unknown)
    if plan.over:
        return {"enrich": plan.enrichment.text}
    return {
        "expected": _expected(plan),
        "kept out": _kept_out(plan),
        "down": f"{cost.down.long}, into {plan.survey.store.folder}" if fetching else "",
        "disk": _disk(plan),
        "time": _time(plan),
        "enrich": plan.enrichment.text,
        "not known": _unknown(plan),
    }


def _kept_out(plan: Plan) -> str:
    names, down = plan.sets, plan.sets_down
    if not names:
        return ""
    text = f"evaluation clips of {', '.join(names)}"
    return f"{text}; their annotations to fetch: {down.long}" if plan.compared else text


def _expected(plan: Plan) -> str:
    """Clips and hours of what is built, of what is open in part, and of what waits."""
    ready = [one for one in plan.forecasts if one.ready]
    waiting = [one for one in plan.forecasts if not one.ready]
    whole, part = [one for one in ready if not one.part], [one for one in ready if one.part]
    parts = [_numbers(whole), *(f"a part of {one.corpus} ({_numbers([one])})" for one in part)]
    if waiting:
        parts.append(f"with audio of your own {_numbers(waiting)} more")
    return "; ".join(filter(None, parts))


def _numbers(some: Sequence[Forecast]) -> str:
    """`about 37,130 clips, 1,034 h of 2 corpora, and jamendomaxcaps of unknown size`."""
    known = [one for one in some if one.clips is not None]
    length = sound(sum(one.hours or 0.0 for one in known))
    reckoned = "at most " if any(one.part for one in known) else "about "
    most = reckoned if any(one.basis != "found" for one in known) else ""
    of = f" of {plural(len(known), 'corpus')}" if len(known) > 1 else ""
    parts = [f"{most}{count(sum(one.clips or 0 for one in known))} clips, {length}{of}"] if known else []
    parts += [f"{one.corpus} of unknown size" for one in some if one.clips is None]
    return ", and ".join(parts)


def _disk(plan: Plan) -> str:
    cost, free = plan.cost, f"{size(free_disk(plan.request.out))} free"
    if not (cost.fetching or cost.down.unknown):
        return f"about {size(cost.disk)} more; {free}"
    end = " at the peak and" if cost.peak == cost.end else f" at the peak, {size(cost.end)}"
    more = f", and what {plural(cost.down.unknown, 'item')} of unknown size take" if cost.down.unknown else ""
    return (f"about {size(cost.peak)}{end} at the end: {size(cost.kept.bytes)} of downloads, {size(cost.disk)} of the "
            f"build{more}; {free}")  # fmt: skip


def _time(plan: Plan) -> str:
    cost, parts = plan.cost, []
    if cost.down.bytes:
        rate = f"{size(plan.network.per_second)}/s, {_BY[plan.network.by]}"
        parts.append(f"{about(cost.fetch_seconds)} to fetch ({rate})")
    if cost.audio_seconds:
        rate = f"{plan.audio.per_second:,.0f} s of audio per s on {plural(cores(), 'core')}, {_BY[plan.audio.by]}"
        parts.append(f"{about(cost.audio_seconds)} for the audio ({rate})")
    if cost.shard_seconds:
        parts.append(f"{about(cost.shard_seconds)} for the shards")
    rest = "; not counted is what is of unknown size" if cost.down.unknown else ""
    text = ", ".join(parts)
    return (
        f"about {about(cost.seconds)}: {text}{rest}"
        if len(parts) > 1
        else f"about {text}{rest}" * bool(parts)
    )


def sound(length: float) -> str:
    """Hours of audio, or seconds where they are few: `37.1 h`, `10 s`."""
    return f"{hours(length)} h" if length >= 0.05 or not length else f"{3600 * length:.0f} s"


def about(seconds: float) -> str:
    """`4 s`, `22 min`, `19 h`, `3.2 days`: as exact as an estimate is."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def _unknown(plan: Plan) -> str:
    """What the facts leave open about the corpora of this plan."""
    sizes = [one.corpus for one in plan.forecasts if one.clips is None or one.hours is None]
    unchecked = [facts.name for facts in plan.request.corpora if facts.unchecked]
    ask = bool(plan.cost.down.unknown) and not plan.survey.asked
    parts = ["sizes of files: --ask asks their servers" if ask else "",
             f"clips or hours of {', '.join(sizes)}" if sizes else "",
             f"some facts of {', '.join(unchecked)} (captionstew corpora NAME)" if unchecked else ""]  # fmt: skip
    return "; ".join(filter(None, parts))
