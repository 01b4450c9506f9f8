"""What enrichment will take, in a plan: calls, tokens, hours of one GPU; or that it is off, and how it goes on."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from captionstew.cli.console import LOOK, Console
from captionstew.cli.enriching import OFF, enrich_of, is_off
from captionstew.enrich.estimate import Estimate, Estimating, measured
from captionstew.enrich.thresholds import Thresholds
from captionstew.enrich.tokens import tokens_of
from captionstew.figures import count, plural, reasons, size
from captionstew.pipeline.account import CAPTIONS
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import Context, Tables
from captionstew.shards.manifest import Enrichment, Manifest
from captionstew.stages.enrich import Enrich
from captionstew.stages.events import Events
from captionstew.stages.guard import Guard

_CONTEXT = 4096  # tokens of Vicuna v1.5, the shortest of the models that are in use


@dataclass(frozen=True)
class Enriched:
    """What a plan says about enrichment."""

    stage: Enrich | None = None
    estimate: Estimate | None = None
    off: bool = False  # the recipe has it, and no language model is named

    @property
    def plain(self) -> dict[str, Any] | None:
        """For programs; None where it is off."""
        if self.stage is None:
            return None
        facts = {"model": self.stage.model, "revision": self.stage.revision, "prompts": self.stage.prompts}
        return facts | (asdict(self.estimate) if self.estimate else {})

    @property
    def text(self) -> str:
        """For people; nothing where the recipe has none."""
        if self.stage is None:
            return OFF if self.off else ""
        one = self.estimate
        if one is None:
            return f"{self.stage.model}: calls and tokens are known when the annotations are here"
        if not one.calls:
            return f"{self.stage.model}: no clip is left to ask about ({plural(one.known, 'answer')} there)"
        within = f" (\u00b1 {max(1, round(100 * one.within))} %)" if one.within else ""
        parts = [
            f"{self.stage.model}: about {count(one.calls)} calls for {plural(one.clips, 'clip')} at most",
            f"{count(one.prompt_tokens)} tokens to read and {count(one.completion_tokens)} to write{within}, "
            f"by {one.by}",
            f"{_hours(one.seconds)} of one GPU at {one.rate:,.0f} tokens/s, not measured here",
        ]
        if one.cost:
            parts.append(f"{one.cost:,.2f} at {self.stage.price:g} an hour")
        parts.append(f"{size(one.disk)} of disk")
        if one.known:
            parts.append(f"{count(one.known)} answers are there")
        if one.too_long:
            parts.append(f"{plural(one.too_long, 'prompt')} longer than the context")
        return "; ".join(parts)


def enriched(request: Request, tables: Tables | None) -> Enriched:
    """The estimate for a request; without tables only that it will be enriched."""
    stage = enrich_of(request.pipeline)
    if stage is None or tables is None:
        return Enriched(stage, off=is_off(request.pipeline))
    work = request.out / "work"
    context = Context(request.corpora, request.places, work=work)
    heard = any(isinstance(one, Events) and one.model for one in request.pipeline.stages)
    leaves = stage.leaves(context)
    estimating = Estimating(
        stage.asking, tokens_of(stage.model, stage.revision), stage.retries, stage.context or _CONTEXT, heard=heard,
        store=stage.folder(context), thresholds=Thresholds.load(stage.thresholds), written=measured(leaves[0]),
        price=stage.price,
    )  # fmt: skip
    return Enriched(stage, estimating(tables))


def show_enriched(manifest: Manifest, console: Console) -> None:
    """What came of each prompt, a line each, what is odd about many of its texts, and what Guard dropped after that."""
    show_enriched_rows(manifest.enrichment, console)
    for account in manifest.accounting:
        if account.stage == f"{Guard().name}{CAPTIONS}" and account.drops:
            dropped = plural(account.received - account.kept, "caption")
            console.say(f"  guard: {dropped} of those dropped, {reasons(dict(account.drops), 3)}")


def show_enriched_rows(rows: Iterable[Enrichment], console: Console) -> None:
    """The same, of these prompts."""
    for one in rows:
        if not one.asked:
            continue
        why = f", rejected {reasons(dict(one.rejected), 3)}" if one.rejected else ""
        failed = f", {one.failed:,} without an answer" if one.failed else ""
        kept = f"{one.passed:,} of {plural(one.asked, 'caption')} kept"
        console.say(f"  {one.prompt.partition('@')[0]}: {kept}{why}{failed}; {one.words:.1f} words each")
        for alarm in one.alarms:
            console.mark(LOOK, alarm)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds >= 360 else f"{max(1, round(seconds / 60))} min"
