"""Section 3, corpora: how much of each, how long its clips are, and where it may go."""

from captionstew.report import figures
from captionstew.report.charts import Series, chart, histogram
from captionstew.report.facts import binned, length_edges, quantiles
from captionstew.report.html import Html, element, join, table
from captionstew.report.material import Material
from captionstew.report.sections.section import Section, shares


def section(material: Material) -> Section:
    """A row and a distribution of lengths for each corpus, all over one axis."""
    corpora = material.source.facts.corpora
    if not corpora:
        return Section("corpora", "Corpora", "There is no clip here.", Html())
    whole = material.source.facts.whole
    largest = max(corpora, key=lambda one: one.whole.hours)
    clips = figures.plural(whole.clips, "clip")
    lead = f"{figures.plural(len(corpora), 'corpus')}, {figures.hours(whole.hours)} h in {clips}."
    if len(corpora) > 1:
        share = figures.share(largest.whole.hours, whole.hours)
        lead += f" {largest.name} alone is {share} of the hours."
    return Section("corpora", "Corpora", lead, join(_table(material), _charts(material)))


def _table(material: Material) -> Html:
    known, rows = material.source.corpora, []
    for one in material.source.facts.corpora:
        found = material.rows.corpora[one.name]
        lengths = quantiles(found.durations)
        rates = [f"{rate / 1000:g}" for rate, _ in found.rates.most_common(3)]
        tiers = ", ".join(f"{tier} {amount.clips:,}" for tier, amount in one.tiers.items())
        rows.append(
            [
                element(
                    "th", one.name, scope="row", title=known[one.name].title if one.name in known else None
                ),
                figures.count(one.whole.clips),
                figures.hours(one.whole.hours),
                *(figures.seconds(value) for value in (lengths.p5, lengths.p50, lengths.p95)),
                ", ".join(rates) + (", \u2026" if len(found.rates) > 3 else ""),
                f"{one.whole.captions_per_clip:.2f}",
                ", ".join(f"{split} {amount.clips:,}" for split, amount in one.splits.items()),
                tiers,
            ]
        )
    whole, lengths = material.source.facts.whole, quantiles(material.rows.durations)
    if len(rows) > 1:
        rows.append(
            [
                "all",
                figures.count(whole.clips),
                figures.hours(whole.hours),
                *(figures.seconds(value) for value in (lengths.p5, lengths.p50, lengths.p95)),
                "",
                f"{whole.captions_per_clip:.2f}",
                "",
                "",
            ]
        )
    head = [
        "Corpus",
        "clips",
        "hours",
        "p5 (s)",
        "p50",
        "p95",
        "source kHz",
        "captions per clip",
        "splits",
        "tiers",
    ]
    about = (
        "Corpora: clips, hours, lengths in seconds, rates of the sources, captions per clip, splits and tiers"
    )
    every = element("div", table(head, rows, caption=about, numbers=(1, 2, 3, 4, 5, 7)), class_="dense")
    return join(every, shares("clips last", "seconds"))


def _charts(material: Material) -> Html:
    """Lengths of clips, one small picture a corpus, over one log axis."""
    lengths = {one.name: material.rows.corpora[one.name].durations for one in material.source.facts.corpora}
    edges = length_edges(lengths.values())
    binned_by = {name: binned(values, edges) for name, values in lengths.items()}
    top = max((100 * max(counts) / sum(counts) for counts in binned_by.values() if sum(counts)), default=100)
    charts = []
    for name, counts in binned_by.items():
        svg = histogram(
            edges,
            [Series(name, counts)],
            across="length of a clip (s, log)",
            up="share of clips",
            log=True,
            label=f"Lengths of clips of {name}",
            height=150,
            top=top,
        )
        rows = [
            [f"{low:.3g} to {high:.3g}", figures.count(number)]
            for low, high, number in zip(edges, edges[1:], counts, strict=False)
            if number
        ]
        behind = table(["Seconds", "clips"], rows, caption=f"Lengths of clips of {name}", numbers=[1])
        charts.append(chart(name, svg, behind, f"median {figures.seconds(quantiles(lengths[name]).p50)} s"))
    return element("div", *charts, class_="charts")
