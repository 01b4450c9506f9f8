"""What an action of `enrich` works on: the order of a build, with a language model in it."""

from functools import partial

from captionstew.cli.console import Console
from captionstew.cli.enriching import OFF, check_ready, enrich_of
from captionstew.cli.fetch import fetch_for_build
from captionstew.cli.order import asked, supplied
from captionstew.cli.parser import Arguments
from captionstew.errors import UsageError
from captionstew.pipeline.request import Request
from captionstew.stages.enrich import Enrich


def ordered(arguments: Arguments, console: Console) -> Request:
    """The request with the places of all that it needs; UsageError if it names no language model."""
    request = asked(arguments)
    stage_of(request)
    check_ready(request)
    return supplied(request, None if arguments.offline else partial(fetch_for_build, console=console))


def stage_of(request: Request) -> Enrich:
    """Its stage Enrich; UsageError if it names no language model."""
    stage = enrich_of(request.pipeline)
    if stage is None:
        raise UsageError("no language model is named", hint=f"enrichment is {OFF}")
    return stage
