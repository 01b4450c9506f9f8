"""plan: what a build would fetch, do and cost, written down so that `build --plan` does exactly that.

Facts, annotations and listings are read; nothing is downloaded, no audio is opened, no build is touched.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from captionstew.cli import plan_page, rates
from captionstew.cli.amount import Amount
from captionstew.cli.console import Console
from captionstew.cli.cost import check_disk, remedies, to_build, to_fetch
from captionstew.cli.enrich_plan import enriched
from captionstew.cli.enriching import check_ready
from captionstew.cli.estimate import Load, codec_of, loads
from captionstew.cli.fetch import ask
from captionstew.cli.forecast import Asked, Forecast, Share, Survey
from captionstew.cli.lacking import Need, needs
from captionstew.cli.machine import standing
from captionstew.cli.order import asked, supplied
from captionstew.cli.parser import Arguments
from captionstew.cli.planfile import save
from captionstew.cli.planned import Plan, plain
from captionstew.cli.progress import watcher
from captionstew.cli.resume import words
from captionstew.cli.supply import survey
from captionstew.corpora.facts import Corpus
from captionstew.fetch.store import Store
from captionstew.fetch.wanted import Item
from captionstew.pipeline.draft import draft, unmade
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import Tables


def run(arguments: Arguments, console: Console) -> int:
    """Exit 1 if the disk is too small for it."""
    request = asked(arguments)
    if not arguments.offline:
        check_ready(request)
    console.tell(
        f"{request.pipeline.name} \u2192 {request.out}: reading facts and annotations, listing files"
    )
    seen = _survey(request, offline=arguments.offline)
    if arguments.offline:
        supplied(request, None)  # or the error that something is not here
    missing = [item for item in _missing(seen, request) if not item.optional]
    if not (seen.lacking or missing or unmade(request)):
        plan = _from_files(supplied(request, None), seen, console)
    else:
        told = _ask(seen, request, console) if arguments.ask else {}
        plan = _from_facts(request, replace(seen, asked=told))
    path = Path(arguments.save or "plan.jsonl").expanduser()
    plan_page.show(plan, console)
    less = remedies(plan.forecasts, plan.cost, codec_of(request.pipeline), request.out)
    check_disk(plan.cost, seen.store.folder, request.out, less)
    result = plain(plan)
    console.data(result | {"plan": str(path)})
    command = [*words("build", arguments), *([] if arguments.out else ["--out", str(request.out.absolute())])]
    save(path, command, plan.request, result)
    plan_page.show_next(plan, path, arguments, console)
    return 0


def _survey(request: Request, *, offline: bool) -> Survey:
    """What is here, what would be fetched, and what neither is nor can be."""
    pipeline, store, places = request.pipeline, Store(), dict(request.places)
    coming, barred = survey(pipeline, request.corpora, places, store, fetching=not offline)
    lacking, keys = dict(barred), [need.key for need, _ in coming]
    for need in needs(pipeline, request.corpora):
        if need.key not in keys and (error := need.lacks(places)):
            lacking.setdefault(need.name, error)
    return Survey(pipeline, places, store, coming, lacking, request.limit)


def _missing(seen: Survey, request: Request) -> list[Item]:
    every = [item for need in needs(seen.pipeline, request.corpora) for item in seen.items(need)]
    return seen.missing(list(dict.fromkeys(every)))


def _ask(seen: Survey, request: Request, console: Console) -> Asked:
    return ask([item for item in _missing(seen, request) if item.promise.bytes is None], seen.store, console)


def _from_files(request: Request, seen: Survey, console: Console) -> Plan:
    """All files are here: the stages over annotations tell what is left for the others."""
    above = standing(request.out.absolute().parent)
    with (
        tempfile.TemporaryDirectory(prefix=".captionstew-plan-", dir=above) as work,
        watcher(console, passing=True) as watch,
    ):
        drawn = draft(request, Path(work), watch)
        found = loads(request, drawn)
        enrichment = enriched(request, Tables(drawn.clips, drawn.captions))
    speed = rates.audio(request.pipeline, sum(load.left_seconds for load in found))
    cost = to_build(found, codec_of(request.pipeline), request.out, speed, shards=not drawn.steps[-1].done)
    forecasts = [_found(load, facts, seen) for load, facts in zip(found, request.corpora, strict=True)]
    return Plan(request, seen, tuple(forecasts), {}, cost, speed, rates.network(), drawn.steps, enrichment)


def _found(load: Load, facts: Corpus, seen: Survey) -> Forecast:
    share = Share("made" if facts.made_by else "given" if facts.name in seen.places else "here")
    return Forecast(load.corpus, True, "found", load.clips, None, load.seconds / 3600, False, share, share, (), 0,
                    load.source, load.drops)  # fmt: skip


def _from_facts(request: Request, seen: Survey) -> Plan:
    """Something is to be fetched, or in the way."""
    splits = next((need.splits for need in needs(seen.pipeline, request.corpora) if need.use == "build"), ())
    forecasts: list[Forecast] = []
    sizes: dict[Item, Amount] = {}
    for facts in request.corpora:
        one, items = seen.forecast(Need(facts.name, facts, splits, "build"))
        forecasts.append(one)
        sizes |= items if one.ready else {}
    compared: dict[Item, Amount] = {}
    for need in needs(seen.pipeline, request.corpora):
        if need.use != "build":
            compared |= seen.compared(need)
    speed, network = (
        rates.audio(request.pipeline, sum(one.seconds for one in forecasts if one.ready)),
        rates.network(),
    )
    codec, alone = codec_of(request.pipeline), {i: a for i, a in compared.items() if i not in sizes}
    cost = to_fetch({**compared, **sizes}, seen.asked, forecasts, codec, request.out, speed, network)
    return Plan(
        request, seen, tuple(forecasts), alone, cost, speed, network, enrichment=enriched(request, None)
    )
