"""What attach says: what is here before the work, what came of it afterwards."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import polars as pl

from captionstew.attach.order import Order
from captionstew.attach.outcome import Attached, attached
from captionstew.cli.console import CROSS, DOT, LOOK, TICK, Console
from captionstew.cli.table import Column
from captionstew.figures import NONE, count, hours, plural, reasons, share, size, span
from captionstew.pipeline.draft import Draft
from captionstew.pipeline.request import Summary

_SURVEY = (Column("corpus"), Column("published", right=True), Column("here", right=True), Column("missing", right=True),
           Column("why else", least=12))  # fmt: skip
_RESULT = (Column("corpus"), Column("published", right=True), Column("attached", right=True),
           Column("same samples", right=True), Column("copies", right=True, spare=1), Column("missing", right=True),
           Column("why else", least=16))  # fmt: skip


def survey(order: Order, drawn: Draft, console: Console, *, alone: bool) -> None:
    """Clips that have their file and clips that have none, corpus by corpus; `alone`, it is the command's result."""
    found = attached(drawn.accounts)
    if alone:
        console.data({"release": order.release.where, "out": str(order.request.out), "notes": order.notes,
                      "corpora": [_plain(one) for one in found], "not_asked_for": _unasked(order)})  # fmt: skip
        _survey_table(found, console)
        for line in _asides(order):
            console.say(f"  {line}")
        return
    for one in found:
        gone = f", {reasons(one.drops)}" if one.drops else ""
        console.tell(f"  {one.corpus}: {one.kept:,} of {plural(one.published, 'clip')} are here{gone}")
    for line in _asides(order):
        console.tell(f"  {line}")
    console.tell()


def result(
    order: Order, summary: Summary, copies: pl.DataFrame, listed: tuple[Path, int], console: Console
) -> None:
    """The account of the release: published = attached + missing + others."""
    manifest, path = summary.manifest, listed[0]
    found = attached(manifest.accounting, copies)
    kept, published = sum(one.kept for one in found), sum(one.published for one in found)
    held, length = sum(file.bytes for file in manifest.files), sum(total.hours for total in manifest.totals)
    console.data({
        "release": order.release.where, "out": str(summary.out), "clips": kept, "published": published,
        "hours": length, "bytes": held, "shards": len(manifest.files), "corpora": [_plain(one) for one in found],
        "not_asked_for": _unasked(order), "notes": order.notes, "list": str(path), "listed": listed[1],
        "wall": summary.wall, "runner": summary.runner, "done": summary.done, "skipped": summary.skipped,
    })  # fmt: skip
    numbers = [f"{kept:,} of {plural(published, 'clip')}", f"{hours(length)} h", size(held),
               plural(len(manifest.files), "shard")]  # fmt: skip
    console.tell()
    console.mark(TICK, DOT.join([f"attached {order.release.where} in {span(summary.wall)}", *numbers]))
    console.say()
    console.rows(_RESULT, [_row(one) for one in found])
    console.say()
    gone = sum(sum(one.drops.values()) for one in found)
    line = f"published {published:,} = attached {kept:,} + left out {gone:,}"
    console.mark(TICK if published == kept + gone else CROSS, line)
    _meanings(found, console)
    for aside in _asides(order):
        console.say(f"  {aside}")
    if listed[1]:
        console.say(f"  clip by clip: {path}")
    console.next(f"captionstew validate {summary.out}")


def _meanings(found: Sequence[Attached], console: Console) -> None:
    """What the reasons mean that are not plain by themselves, where they occur."""
    drops = {reason for one in found for reason in one.drops}
    if "other-copy" in drops:
        console.mark(LOOK, "other-copy: the same sound in other samples (another edition, another decoder); "
                     "--accept-other-audio keeps it")  # fmt: skip
    if "other-audio" in drops:
        console.mark(LOOK, "other-audio: a file of the right name and length that sounds otherwise")


def _survey_table(found: Sequence[Attached], console: Console) -> None:
    rows = []
    for one in found:
        else_ = {reason: number for reason, number in one.drops.items() if reason != "missing"}
        rows.append([one.corpus, count(one.published), count(one.kept), count(one.missing) if one.missing else NONE,
                     reasons(else_)])  # fmt: skip
    console.rows(_SURVEY, rows)
    console.say()
    kept, published = sum(one.kept for one in found), sum(one.published for one in found)
    part = f"{kept:,} of {plural(published, 'clip')} ({share(kept, published)})"
    console.mark(TICK if kept else LOOK, f"{part} are here; nothing was written")


def _row(one: Attached) -> list[str]:
    else_ = {reason: number for reason, number in one.drops.items() if reason != "missing"}
    return [
        one.corpus,
        count(one.published),
        count(one.kept),
        count(one.kept - one.copies),
        count(one.copies) if one.copies else NONE,
        count(one.missing) if one.missing else NONE,
        reasons(else_, 3),
    ]


def _asides(order: Order) -> list[str]:
    """What else is to be known."""
    lines = list(order.notes)
    if order.unasked:
        some = ", ".join(f"{name} ({count(order.release.clips(name))})" for name in order.unasked[:4])
        more = f" and {len(order.unasked) - 4} more" if order.unasked[4:] else ""
        lines.append(f"not asked for: {some}{more}; --audio {order.unasked[0]}=DIR")
    return lines


def _unasked(order: Order) -> dict[str, int]:
    return {name: order.release.clips(name) for name in order.unasked}


def _plain(one: Attached) -> dict[str, object]:
    return asdict(one) | {"missing": one.missing}
