"""enrich captions: a recipe's captions and labels enriched without any audio, as a table that joins any release."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from captionstew.cli.console import LOOK, TICK, Console
from captionstew.cli.enrich_order import stage_of
from captionstew.cli.enrich_plan import show_enriched_rows
from captionstew.cli.enriching import check_ready
from captionstew.cli.fetch import fetch_for_build
from captionstew.cli.order import asked, supplied
from captionstew.cli.parser import Arguments
from captionstew.cli.progress import watcher
from captionstew.cli.resume import words
from captionstew.enrich.provenance import kept
from captionstew.fetch.store import Store
from captionstew.figures import plural
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.folder import Folder
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.progress import Event, Watch
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import Context, Tables, TableStage
from captionstew.pipeline.table import Files, run_table
from captionstew.shards.manifest import Tally
from captionstew.stages.dedupe import Dedupe
from captionstew.stages.enrich import Enrich
from captionstew.stages.events import Events
from captionstew.stages.limit import Limit
from captionstew.stages.locate import Locate
from captionstew.stages.quality import Quality
from captionstew.stages.recognise import Recognise

FILE = "captions.parquet"
_HEARING = (Quality, Recognise, Dedupe)  # what they decide, they decide by the audio
_LABELS = "labels of the corpora"


def run(arguments: Arguments, console: Console) -> int:
    """The stages that need no audio; answers stay in the build's folder, where a build with audio finds them."""
    request = _supplied(arguments, console)
    folder, out = Folder(request.out), request.out / "enrich" / FILE
    with folder.locked(fresh=False), watcher(console) as watch:
        folder.freeze(request.pipeline)
        context = Context(request.corpora, dict(request.places), request.limit, work=folder.work, watch=watch)
        tally = _run(request, context, folder.work / "captions", watch)
        with replacing_table(out) as temporary:
            kept(folder.path / "enrich" / "provenance.parquet").sink_parquet(temporary, compression="zstd")
    rows = pl.scan_parquet(out).select(pl.len(), clips=pl.col("clip_id").n_unique()).collect().row(0)
    facts = {
        "captions": rows[0],
        "clips": rows[1],
        "file": str(out),
        "provenance": str(out.with_name("provenance.parquet")),
    }
    console.data(facts)
    console.mark(
        TICK if rows[0] else LOOK, f"{plural(rows[0], 'caption')} for {plural(rows[1], 'clip')} in {out}"
    )
    show_enriched_rows(tally.enrichment, console)
    console.say(
        "  no audio was opened: what a build drops for its audio is still in here; `clip_id` joins it"
    )
    console.next(" ".join(["captionstew", *words("build", arguments)]))
    return 0


def _supplied(arguments: Arguments, console: Console) -> Request:
    """The request with the places of annotations; those that the store has stand for a corpus that was not given."""
    request, store = asked(arguments), Store()
    stage_of(request)
    there = {one.name: (store.annotations_of(one),) for one in request.corpora
             if one.name not in request.places and not one.made_by and store.annotations_of(one).is_dir()}  # fmt: skip
    request = replace(request, places={**there, **request.places}, pipeline=_unheard(request))
    check_ready(request)
    return supplied(request, None if arguments.offline else partial(fetch_for_build, console=console))


def _unheard(request: Request) -> Pipeline:
    """The recipe with the corpora's labels in place of a detector's."""
    stages = request.pipeline.stages
    silent = [replace(one, model="", corpus_labels="join", timeline=False) if isinstance(one, Events) else
              replace(one, detector=_LABELS) if isinstance(one, Enrich) else one for one in stages]  # fmt: skip
    return request.pipeline.with_stages(silent)


def _run(request: Request, context: Context, work: Path, watch: Watch) -> Tally:
    """Every stage over tables that needs no audio, in turn; what they counted."""
    tables, tally = Tables(pl.LazyFrame(), pl.LazyFrame()), Tally()
    context = replace(context, places={**context.places, **dict(_made(request))})
    for number, stage in enumerate(_stages(request), 1):
        files = Files(work / f"{number:02}-{stage.name}")
        files.folder.mkdir(parents=True, exist_ok=True)
        watch(Event(stage.name, 0, 1))
        run_table(stage, tables, context, files)
        tables, tally = files.tables, tally + files.tally()
        watch(Event(stage.name, 1, 1, clips=tables.clips.select(pl.len()).collect().item()))
    return tally


def _stages(request: Request) -> Iterator[TableStage]:
    every = (*request.pipeline.before, *request.pipeline.after)
    return (
        Limit() if isinstance(stage, Locate) else stage for stage in every if not isinstance(stage, _HEARING)
    )


def _made(request: Request) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Corpora that are made by arithmetic, made as a build makes them."""
    for facts in request.corpora:
        if facts.made_by and not request.places.get(facts.name):
            source = request.out / "source"
            importlib.import_module(f"captionstew.corpora.{facts.made_by}").make(source, facts.name)
            yield facts.name, (source / facts.name,)
