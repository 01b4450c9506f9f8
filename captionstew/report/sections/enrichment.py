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

_FAITHFUL = ("unsupported sounds", "labels said", "sounds said again")


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
    got = table(
        ["Prompt", "model", "asked", "passed", "clips enriched", "failed", "asked again"],
        [[_name(one), one.model, *_got(one)] for one in made],
        caption="What enrichment asked for and got, by prompt",
        numbers=range(2, 7),
    )
    read = table(
        ["Prompt", "words", "distinct words", "Distinct-1", "Distinct-2", *_FAITHFUL],
        [[_name(one), *_read(one)] for one in made],
        caption="How the captions that passed read, by prompt",
        numbers=range(1, 8),
    )
    said = paragraph(
        "Clips enriched: of those that the prompt fits. Distinct-1, Distinct-2: different words of all words, and "
        "pairs of all pairs; they and the shares beside them are of a sample.",
        class_="note",
    )
    alarms = [element("li", f"{_name(one)}: {alarm}") for one in made for alarm in one.alarms]
    loud = (
        join(paragraph("Alarms, patterns that recur suspiciously often:"), element("ul", *alarms))
        if alarms
        else None
    )
    return join(head, got, read, said, loud)


def _name(one: Enrichment) -> str:
    return one.prompt.partition("@")[0]


def _got(one: Enrichment) -> list[str]:
    return [
        figures.count(one.asked),
        figures.share(one.passed, one.asked),
        figures.share(one.passed, one.clips),  # a prompt gives a clip one caption at most
        figures.count(one.failed),
        figures.count(one.retried),
    ]


def _read(one: Enrichment) -> list[str]:
    rates = (one.unsupported_event_rate, one.coverage, one.source_event_recall)
    return [
        f"{one.words:.1f}",
        figures.count(one.distinct_words),
        f"{one.distinct_1:.3f}",
        f"{one.distinct_2:.3f}",
        *(figures.share(rate, 1) for rate in rates),
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
