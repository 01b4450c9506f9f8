"""enrich: captions of a language model to look at, and two ways to make them side by side."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from captionstew.cli import enrich_audit, enrich_calibrate, enrich_captions, enrich_similarity, serve
from captionstew.cli.console import CROSS, LOOK, TICK, Console
from captionstew.cli.enrich_order import ordered, stage_of
from captionstew.cli.machine import standing
from captionstew.cli.parser import Arguments
from captionstew.cli.progress import watcher
from captionstew.cli.resume import words
from captionstew.cli.table import Column
from captionstew.enrich.attempts import Attempts, Judging, Made
from captionstew.enrich.compare import Compared, compared
from captionstew.enrich.items import GENERATED, item, rows_of
from captionstew.enrich.open import FILE, TORCH, VLLM
from captionstew.enrich.store import Store
from captionstew.enrich.thresholds import Thresholds
from captionstew.enrich.want import key_of
from captionstew.figures import plural, share
from captionstew.pipeline.draft import draft
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import Tables
from captionstew.pipeline.table import Files
from captionstew.stages.enrich import Enrich

_FIGURES = (Column("figure"), Column("A", right=True), Column("B", right=True), Column("p", right=True))


def run(arguments: Arguments, console: Console) -> int:
    """Do as the action says."""
    actions = {"sample": _sample, "compare": _compare, "captions": enrich_captions.run, "audit": enrich_audit.run,
               "similarity": enrich_similarity.run, "calibrate": enrich_calibrate.run, "serve": serve.run}  # fmt: skip
    return actions[arguments.action](arguments, console)


def _sample(arguments: Arguments, console: Console) -> int:
    """Some clips: before, events, after, verdict; the build is not touched."""
    request = ordered(arguments, console)
    stage = stage_of(request)
    with _clips(request, arguments.n, console) as rows:
        made = _made(stage, rows)
    for one in made:
        _show(one, console)
    kept = sum(one.verdict.kept for one in made)
    console.data([_plain(one) for one in made])
    console.mark(
        TICK if kept else LOOK, f"{kept} of {plural(len(made), 'caption')} kept, {plural(len(rows), 'clip')}"
    )
    console.next(" ".join(["captionstew", *words("build", arguments)]))
    return 0


def _compare(arguments: Arguments, console: Console) -> int:
    """Two prompts or two models on the same clips, with a paired test for each figure."""
    stages = []
    for way in (arguments.first, arguments.second):
        served = way in {VLLM, TORCH} or way.startswith((FILE, "http://", "https://"))
        request = ordered(_as_given(arguments, way) if served else arguments, console)
        stage = stage_of(request)
        stages.append(stage if served else replace(stage, prompts=(way,)))
    with _clips(request, arguments.n, console) as rows:
        sides = [_made(stage, rows) for stage in stages]
    found = compared(*sides)
    console.data({"first": arguments.first, "second": arguments.second, "clips": found.clips,
                  "figures": [asdict(figure) for figure in found.figures]})  # fmt: skip
    _show_compared(found, arguments, console)
    return 0


def _as_given(arguments: Arguments, where: str) -> Arguments:
    return Arguments(**{**vars(arguments), "enrich": where})


@contextmanager
def _clips(request: Request, count: int, console: Console) -> Iterator[pl.DataFrame]:
    """The training clips with the lowest hashes: as the build left them before Enrich, else as annotated."""
    above = standing(request.out.absolute().parent)
    with (
        TemporaryDirectory(prefix=".captionstew-sample-", dir=above) as work,
        watcher(console, passing=True) as watch,
    ):
        tables = _left(request)
        if tables is None:
            drawn = draft(request, Path(work), watch)
            tables = Tables(drawn.clips, drawn.captions)
        yield _lowest(tables, count)


def _left(request: Request) -> Tables | None:
    """What the last stage before Enrich left in the build."""
    names = [stage.name for stage in request.pipeline.after]
    first = len(request.pipeline.before) + 2  # the audio pass settles its tables under a number of its own
    for place in reversed(range(names.index("enrich"))):
        files = Files(request.out / "work" / f"{first + place:02}-{names[place]}")
        if all(path.is_file() for path in files.all):
            return files.tables
    return None


def _lowest(tables: Tables, count: int) -> pl.DataFrame:
    train = (
        tables.clips.filter(pl.col("split") == "train").select("rank", "clip_id").collect(engine="streaming")
    )
    ids = dict(train.iter_rows())
    chosen = sorted(ids, key=lambda rank: key_of(ids[rank]))[:count]
    ranks = pl.LazyFrame({"rank": chosen}, schema={"rank": pl.UInt64()})
    captions = tables.captions.filter(pl.col("source") != GENERATED)
    return rows_of(
        tables.clips.join(ranks, on="rank", how="semi"), captions.join(ranks, on="rank", how="semi")
    )


def _made(stage: Enrich, rows: pl.DataFrame) -> list[Made]:
    """Captions for these clips, in a store that is gone afterwards."""
    thresholds = Thresholds.load(stage.thresholds)
    wants = [w for row in rows.iter_rows(named=True) for w in stage.asking.wants(item(row, thresholds))]
    with TemporaryDirectory() as folder, Store(Path(folder)) as store, stage.engine() as engine:
        return Attempts(
            lambda: engine, store, Judging(stage.rules, stage.repairs), stage.retries, stage.tries
        )(wants)


def _show(one: Made, console: Console) -> None:
    asked_about, verdict = one.want.item, one.verdict
    sign = TICK if verdict.kept else CROSS
    reason = verdict.reason if verdict.kept else f"{verdict.reason}: {verdict.detail}"
    again = f" (after {', '.join(one.rejected)})" if one.rejected else ""
    events = [*asked_about.certain, *(f"{name}?" for name in asked_about.possible)]
    lines = [("before", asked_about.captions or ("-",)), ("events", ("; ".join(events) or "-",)),
             ("after", (one.text or "-",)), ("verdict", (f"{sign} {reason}{again}",))]  # fmt: skip
    console.say(f"{asked_about.clip_id}   {one.want.one.prompt.name}")
    for name, texts in lines:
        for number, text in enumerate(texts):
            console.wrapped(f"  {name if not number else '':8} {text}", indent=" " * 11)
    console.say()


def _plain(one: Made) -> dict[str, Any]:
    known = one.want.item
    return {"clip_id": known.clip_id, "prompt": one.want.one.prompt.label, "before": known.captions,
            "certain": known.certain, "possible": known.possible, "after": one.text, **asdict(one.verdict),
            "rejected": one.rejected, "seed": one.want.seed(one.attempt)}  # fmt: skip


def _show_compared(found: Compared, arguments: Arguments, console: Console) -> None:
    for clip_id, first, second in found.pairs[:5]:
        console.say(clip_id)
        console.wrapped(f"  A  {first}", indent="     ")
        console.wrapped(f"  B  {second}", indent="     ")
    console.say()
    console.say(f"A {arguments.first}   B {arguments.second}   {plural(found.clips, 'clip')} with both")
    console.rows(
        _FIGURES, [_figure(figure.name, figure.first, figure.second, figure.p) for figure in found.figures]
    )
    if not found.clips:
        console.mark(LOOK, "no clip fits both")
    else:
        console.say("  p: how likely so large a difference is by chance (sign test, pairs of one clip)")


def _figure(name: str, first: float, second: float, p: float) -> Sequence[str]:
    shown = (f"{first:.1f}", f"{second:.1f}") if name == "words" else (share(first, 1), share(second, 1))
    return name, *shown, f"{p:.3f}"
