"""Of section 2: what enrichment asked for and got, and the captions that the guard stopped."""

from collections.abc import Sequence

from captionstew.enrich.guard import KEPT
from captionstew.enrich.items import GENERATED
from captionstew.report import figures
from captionstew.report.charts import bars, chart
from captionstew.report.facts import Rejected
from captionstew.report.html import Html, details, element, join, paragraph, table
from captionstew.report.material import Material
from captionstew.report.reasons import explained
from captionstew.report.sections.player import player
from captionstew.report.sections.section import missing
from captionstew.shards.manifest import Enrichment


def enrichment(material: Material) -> Html:
    """Prompt by prompt: asked, passed, and how the texts read."""
    made = material.source.manifest.enrichment
    head = element("h3", "Enrichment")
    if not made:
        return join(
            head,
            missing(
                "This build was made without a language model: its captions are those of the publishers."
            ),
        )
    rows = [[one.prompt.partition("@")[0], one.model, *_rates(one)] for one in made]
    names = [
        "Prompt",
        "model",
        "asked",
        "passed",
        "failed",
        "asked again",
        "words",
        "distinct words",
        "unsupported sounds",
        "labels said",
        "sounds said again",
    ]
    whole = table(names, rows, caption="What enrichment asked for and got, by prompt", numbers=range(2, 11))
    alarms = [
        element("li", f"{one.prompt.partition('@')[0]}: {alarm}") for one in made for alarm in one.alarms
    ]
    loud = (
        join(paragraph("Alarms, patterns that recur suspiciously often:"), element("ul", *alarms))
        if alarms
        else None
    )
    return join(head, whole, loud)


def _rates(one: Enrichment) -> list[str]:
    return [
        figures.count(one.asked),
        figures.share(one.passed, one.asked),
        figures.count(one.failed),
        figures.count(one.retried),
        f"{one.words:.1f}",
        figures.count(one.distinct_words),
        figures.share(one.unsupported_event_rate, 1),
        figures.share(one.coverage, 1),
        figures.share(one.source_event_recall, 1),
    ]


def stopped(material: Material) -> Html | None:
    """What the guard stopped, by reason."""
    told = material.verdicts
    if not material.source.manifest.enrichment:
        return None
    head = element("h3", "What the guard stopped", id="stopped")
    if not told.counts:
        return join(
            head,
            missing(
                "The provenance of the generated captions is not in this folder: it stays with the build."
            ),
        )
    lost = {reason: number for reason, number in told.counts.items() if reason != KEPT}
    if not lost:
        return join(head, missing("Nothing: every caption passed."))
    whole = sum(told.counts.values())
    svg = bars(
        list(lost),
        [list(lost.values())],
        [f"{n:,}" for n in lost.values()],
        across="captions that were dropped",
        label="Generated captions that the guard dropped, by reason",
    )
    rows = [
        [reason, figures.count(number), figures.share(number, whole)]
        for reason, number in told.counts.items()
    ]
    behind = table(
        ["Verdict", "captions", "share"], rows, caption="Verdicts on generated captions", numbers=[1, 2]
    )
    about = f"{figures.share(sum(lost.values()), whole)} of {figures.plural(whole, 'caption')}"
    lists = [_list(reason, several, material, lost[reason]) for reason, several in told.rejected.items()]
    return join(
        head,
        element("div", chart("Dropped, by reason", svg, behind, about), class_="charts"),
        explained(lost),
        *lists,
    )


def _list(reason: str, several: Sequence[Rejected], material: Material, number: int) -> Html:
    about = f"{reason}: {figures.plural(number, 'caption')}"
    few = f", {len(several)} of them here" if len(several) < number else ""
    return details(
        join(about, element("small", few)),
        element("ul", *(_one(each, material) for each in several), class_="worst"),
    )


def _one(each: Rejected, material: Material) -> Html:
    heard = material.rejected.get(each.clip_id)
    hidden = material.allowed.public
    if heard is not None and hidden:
        hidden = not material.allowed.caption(heard.clip.row, GENERATED, each.model)
    said = None if hidden else element("q", each.text, dir="auto") if each.text else "no text"
    why = None if hidden or not each.detail else element("small", f"because of: {each.detail}")
    sound = player(heard, "stopped", small=True) if heard is not None and heard.sound else None
    name = element("code", each.clip_id)
    copy = element("button", "copy id", type="button", class_="copy needs-script", data_copy=each.clip_id)
    return element("li", element("div", said, " ", why), element("div", name, copy, class_="id"), sound)
