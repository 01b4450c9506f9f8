"""Whether a build is enriched: `--enrich` names a language model to the recipe; without one it goes without."""

from dataclasses import fields, replace

from captionstew.enrich.endpoint import Endpoint
from captionstew.enrich.environment import vllm_python
from captionstew.enrich.guard import Rules
from captionstew.enrich.open import FILE, TORCH, VLLM
from captionstew.enrich.weights import called
from captionstew.errors import UsageError
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import Context, Stage
from captionstew.recipe import recipe, recipes
from captionstew.stages.enrich import Enrich
from captionstew.stages.events import Events
from captionstew.stages.guard import Guard

OFF = (
    "off, for no language model is named: --enrich http://HOST:PORT, @FILE of `captionstew enrich serve`, vllm, "
    "or transformers"
)


def asked_of(pipeline: Pipeline, where: str | None) -> Pipeline:
    """The recipe with `where` as the endpoint of its Enrich; one without that stage gets Events, Enrich and Guard."""
    if where is None:
        return pipeline
    if not (where in {VLLM, TORCH} or where.startswith((FILE, "http://", "https://"))):
        hint = "--enrich http://HOST:PORT, --enrich @serve/endpoints.json, --enrich vllm or transformers"
        raise UsageError(f'--enrich "{where}" names no language model', hint=hint)
    stages = list(pipeline.stages)
    if enrich_of(pipeline) is None:
        new: list[Stage] = [Events(), Enrich(), Guard()]
        names = {stage.name for stage in stages}
        stages[-1:-1] = [stage for stage in new if stage.name not in names]
    return pipeline.with_stages(
        replace(one, endpoint=where) if isinstance(one, Enrich) else one for one in stages
    )


def settled(pipeline: Pipeline) -> Pipeline:
    """The recipe as it will run: without an endpoint the stages of enrichment are left out, with one they agree.

    Enrich judges by the rules of Guard, names the detector of Events, and takes the model of a file of servers.
    """
    enrich = enrich_of(pipeline)
    if enrich is None:
        return pipeline
    if not enrich.endpoint:
        return pipeline.with_stages(
            one for one in pipeline.stages if not isinstance(one, Events | Enrich | Guard)
        )
    agreed = _agreed(enrich, pipeline)
    return pipeline.with_stages(agreed if one is enrich else one for one in pipeline.stages)


def enrich_of(pipeline: Pipeline) -> Enrich | None:
    """The stage, if the recipe has it."""
    return next((stage for stage in pipeline.stages if isinstance(stage, Enrich)), None)


def check_ready(request: Request) -> None:
    """StewError where the detector, the language model or the guard's is not there, before any clip is opened.

    A build that was enriched before is let go on: answers that are there need no model, others will say so. The
    guard's model is wanted each time: its weights tell whether the scores are those that are there.
    """
    pipeline, enrich = request.pipeline, enrich_of(request.pipeline)
    if enrich is None:
        return
    for stage in pipeline.stages:
        if isinstance(stage, Guard) and stage.similarity:
            stage.model.check()
    leaves = enrich.leaves(Context((), {}, work=request.out / "work"))
    if not request.fresh and any(path.is_file() for path in leaves):
        return
    for stage in pipeline.stages:
        if isinstance(stage, Events) and stage.model:
            stage.detector.check()
    enrich.served.check()


def is_off(pipeline: Pipeline) -> bool:
    """Whether the recipe of its name has the stage, and this pipeline has it no more."""
    written = recipe(pipeline.name) if pipeline.name in recipes() else pipeline
    return enrich_of(written) is not None and enrich_of(pipeline) is None


def _agreed(enrich: Enrich, pipeline: Pipeline) -> Enrich:
    for stage in pipeline.stages:
        if isinstance(stage, Guard):
            rules = Rules(**{one.name: getattr(stage, one.name) for one in fields(Rules)})
            enrich = replace(enrich, rules=rules, repairs=stage.repairs, thresholds=stage.thresholds)
        if isinstance(stage, Events):
            name = called(stage.model)
            heard = f"{name}@{stage.revision}" if stage.revision else name
            enrich = replace(enrich, detector=heard or "labels of the corpora")
    if enrich.endpoint.startswith(FILE) and enrich.model == Enrich().model:
        found = Endpoint.of(enrich.served.file)
        enrich = replace(enrich, model=found.model, revision=found.revision)
    if enrich.endpoint == VLLM:
        vllm_python(enrich.python)  # or the error that there is none, before any work
    return enrich
