"""Section 7, since the last version: what was added, changed and removed, and what drifted."""

import numpy as np

from captionstew.report import figures
from captionstew.report.charts import Series, chart, histogram
from captionstew.report.facts import Quantiles, binned, length_edges, quantiles, spread, words_binned
from captionstew.report.html import Html, element, join, paragraph, table
from captionstew.report.material import Material
from captionstew.report.rows import Rows
from captionstew.report.sections.section import Section
from captionstew.report.since import Moves, Since

_EVENTS = 8


def section(material: Material) -> Section:
    """Clips by corpus; lengths, words and events before and after."""
    heading, found = "Since the last version", material.since
    if found is None:
        missing = join(
            "Not compared with an earlier version: ", element("code", "--against FOLDER"), " does."
        )
        return Section("since", heading, missing, Html())
    total = Moves(*(sum(getattr(one, name) for one in found.clips.values()) for name in vars(Moves())))
    earlier = found.before.manifest
    lead = (
        f"Against {earlier.recipe} ({earlier.recipe_digest}): {figures.plural(total.added, 'clip')} added, "
        f"{total.removed:,} removed, {total.captions:,} with other captions, {total.audio:,} with other sound, "
        f"{total.same:,} the same."
    )
    drift = _charts(material.rows, found.rows)
    return Section("since", heading, lead, join(_table(found), _drift(material.rows, found.rows), drift))


def _table(found: Since) -> Html:
    rows = []
    for change in found.changes:
        one = found.clips.get(change.corpus, Moves())
        counts = (one.added, one.removed, one.captions, one.audio, one.same)
        rows.append(
            [
                change.corpus,
                change.kind,
                figures.count(change.before.clips),
                figures.count(change.after.clips),
                *map(figures.count, counts),
                _signed(change.after.hours - change.before.hours, 3),
            ]
        )
    head = [
        "Corpus",
        "is",
        "clips before",
        "now",
        "added",
        "removed",
        "other captions",
        "other sound",
        "same",
        "hours",
    ]
    return table(head, rows, caption="What changed, by corpus", numbers=range(2, 10))


def _signed(number: float, digits: int) -> str:
    """With its sign, a true minus."""
    return f"{number:+,.{digits}f}".replace("-", "\u2212")


def _drift(now: Rows, before: Rows) -> Html:
    """Lengths, words and events, before and after."""
    rows = [["length of a clip (s)", *_both(quantiles(before.durations), quantiles(now.durations))]]
    for kind in dict.fromkeys((*before.kinds, *now.kinds)):
        pair = [spread(one.kinds[kind].lengths) if kind in one.kinds else None for one in (before, now)]
        rows.append([f"words, {kind}", *_both(*pair)])
    head = ["Value", "p5 before", "now", "p50 before", "now", "p95 before", "now"]
    whole = table(head, rows, caption="Lengths and words, before and after", numbers=range(1, 7))
    return join(element("h3", "Drift"), whole, _events(now, before))


def _both(old: Quantiles | None, new: Quantiles | None) -> list[str]:
    """Five, fifty and ninety-five per cent of either; a dash where there was nothing."""
    return [
        f"{getattr(one, name):.3g}" if one else "\u2013"
        for name in ("p5", "p50", "p95")
        for one in (old, new)
    ]


def _events(now: Rows, before: Rows) -> Html | None:
    """The events whose share of clips moved most."""
    clips = [max(1, len(one.durations)) for one in (before, now)]
    moved = {
        name: (before.events[name] / clips[0], now.events[name] / clips[1])
        for name in {*before.events, *now.events}
    }
    most = sorted(moved.items(), key=lambda one: (-abs(one[1][1] - one[1][0]), one[0]))[:_EVENTS]
    rows = [
        [name, figures.share(old, 1), figures.share(new, 1), _signed(100 * (new - old), 2)]
        for name, (old, new) in most
        if old != new
    ]
    if not rows:
        return paragraph("No event became more or less frequent.", class_="note") if moved else None
    about = "Events whose share of clips changed most"
    return table(["Event", "before", "now", "points"], rows, caption=about, numbers=(1, 2, 3))


def _charts(now: Rows, before: Rows) -> Html:
    lengths = before.durations, now.durations
    edges = length_edges(lengths)
    several = [Series("now", binned(lengths[1], edges)), Series("before", binned(lengths[0], edges))]
    svg = histogram(
        edges,
        several,
        across="length of a clip (s, log)",
        up="share of clips",
        log=True,
        label="Lengths of clips, now filled, before as a line",
    )
    rows = [
        [f"{low:.3g} to {high:.3g}", figures.count(old), figures.count(new)]
        for low, high, old, new in zip(edges, edges[1:], several[1].counts, several[0].counts, strict=False)
        if old or new
    ]
    behind = table(
        ["Seconds", "before", "now"], rows, caption="Lengths of clips, before and now", numbers=(1, 2)
    )
    return element(
        "div",
        chart("Lengths", svg, behind, "now filled, before as a line"),
        _words(now, before),
        class_="charts",
    )


def _words(now: Rows, before: Rows) -> Html | None:
    counts = [_all_lengths(one) for one in (now, before)]
    if not all(counts):
        return None
    most = max(10, int(max(spread(one).p95 for one in counts)) * 3 // 2)
    several = [
        Series(name, words_binned(one, most)) for name, one in zip(("now", "before"), counts, strict=True)
    ]
    edges = list(np.arange(most + 2) - 0.5)
    svg = histogram(
        edges,
        several,
        across=f"words per caption (last bar: {most} or more)",
        up="share of captions",
        label="Words per caption, now filled, before as a line",
    )
    both = enumerate(zip(several[0].counts, several[1].counts, strict=True))
    rows = [[str(words), figures.count(old), figures.count(new)] for words, (new, old) in both if old or new]
    behind = table(
        ["Words", "before", "now"], rows, caption="Words per caption, before and now", numbers=(1, 2)
    )
    return chart("Words per caption", svg, behind, "now filled, before as a line")


def _all_lengths(rows: Rows) -> dict[int, int]:
    total: dict[int, int] = {}
    for one in rows.kinds.values():
        for length, number in one.lengths.items():
            total[length] = total.get(length, 0) + number
    return total
