"""Section 4, where clips went: what each stage received, kept and dropped, and who was dropped."""

from collections.abc import Sequence

from captionstew.publish.facts import MERGED, Flow, caption_losses, flows
from captionstew.report import figures
from captionstew.report.charts import bars, chart
from captionstew.report.facts import Gone
from captionstew.report.html import Child, Html, details, element, join, paragraph, table
from captionstew.report.material import Material
from captionstew.report.reasons import explained
from captionstew.report.sections.section import Section, missing

_STEPS = 8  # shades of the heat table
_DETAIL = 90  # characters


def section(material: Material) -> Section:
    """The flow through the stages, then corpus by reason, then ids."""
    found = flows(material.source.manifest)
    if not found:
        note = "The manifest holds no account of what was received and dropped."
        return Section("losses", "Where clips went", note, Html())
    received, merged, kept, dropped = (
        sum(getattr(one, name) for one in found) for name in ("received", "merged", "kept", "dropped")
    )
    assert received == kept + merged + dropped, (received, kept, merged, dropped)
    lead = (
        f"Received {figures.count(received)} = kept {figures.count(kept)} + "
        f"merged into others {figures.count(merged)} + "
        f"dropped {figures.count(dropped)} ({figures.share(dropped, received)})."
    )
    order = _ordered(found, material)
    body = join(_flow(found, order, received, kept), _heat(found, order, material), _captions(material))
    return Section("losses", "Where clips went", lead, body)


def _flow(found: Sequence[Flow], order: Sequence[tuple[str, str]], received: int, kept: int) -> Html:
    """Stage by stage: how many were left, how many went."""
    stages: dict[str, dict[str, int]] = {}
    for stage, reason in order:
        count = sum(
            loss.count for one in found for loss in one.losses if (loss.stage, loss.reason) == (stage, reason)
        )
        stages.setdefault(stage, {})[reason] = count
    rows: list[list[Child]] = [["received", figures.count(received), "", ""]]
    names, left, lost, ends, now = ["received"], [received], [0], [figures.about(received)], received
    for stage, reasons in stages.items():
        gone = sum(reasons.values())
        now -= gone
        names.append(stage)
        left.append(now)
        lost.append(gone)
        ends.append(f"\u2212{figures.about(gone)}")
        why = ", ".join(
            f"{reason} {number:,}" for reason, number in sorted(reasons.items(), key=lambda r: (-r[1], r[0]))
        )
        rows.append([stage, figures.count(now), figures.count(gone), why])
    names.append("kept")
    left.append(kept)
    lost.append(0)
    ends.append(figures.about(kept))
    rows.append(["kept", figures.count(kept), "", ""])
    svg = bars(
        names,
        [left, lost],
        ends,
        across="clips",
        label="Clips left after each stage, and clips that it took away",
    )
    behind = table(
        ["Stage", "left", "gone", "why"],
        rows,
        caption="Clips left after each stage, and why others went",
        numbers=[1, 2],
    )
    return chart("From received to kept", svg, behind, "left, and taken away by each stage", beside=True)


def _heat(found: Sequence[Flow], columns: Sequence[tuple[str, str]], material: Material) -> Html:
    """Corpus by reason, shaded by share of what was received; a cell leads to its ids."""
    head = element("h3", "By corpus and reason")
    if not columns:
        return join(head, missing("Nothing was dropped."))
    lists: list[Html] = []
    rows = [
        [
            one.corpus,
            figures.count(one.received),
            *(_cell(one, *column, material, lists) for column in columns),
            figures.count(one.kept),
        ]
        for one in found
    ]
    names = [join(reason, element("small", stage)) for stage, reason in columns]
    about = "Clips that went, by corpus and reason, with the stage that dropped them"
    whole = table(
        ["Corpus", "received", *names, "kept"], rows, caption=about, numbers=range(1, len(columns) + 3)
    )
    note = None
    if not material.source.has_drops:
        note = missing("The ids of what was dropped stay with the build; here are counts alone.")
    ids = (
        details(f"The ids: {figures.plural(len(lists), 'list')}", element("div", *lists, class_="ids"))
        if lists
        else None
    )
    words = explained([reason for _, reason in columns])
    return join(head, element("div", whole, class_="heat"), note, words, ids)


def _ordered(found: Sequence[Flow], material: Material) -> list[tuple[str, str]]:
    """Every stage and reason that took a clip, in the order in which the stages ran."""
    ran = list(dict.fromkeys(account.stage for account in material.source.manifest.accounting))
    every = dict.fromkeys((loss.stage, loss.reason) for one in found for loss in one.losses)
    return sorted(every, key=lambda pair: ran.index(pair[0]))


def _cell(one: Flow, stage: str, reason: str, material: Material, lists: list[Html]) -> Html:
    number = sum(loss.count for loss in one.losses if (loss.stage, loss.reason) == (stage, reason))
    if not number:
        return element("td", "\u00b7", class_="number none")
    shade = min(_STEPS, max(1, round(_STEPS * (number / one.received) ** 0.5))) if one.received else 1
    known = material.gone.get((one.corpus, stage, reason))
    name = f"gone-{len(lists) + 1}"
    label: Child = figures.count(number)
    if known is not None:
        label = element("a", label, href=f"#{name}", title=f"{one.corpus}: {reason}")
        lists.append(_list(name, one.corpus, stage, reason, known, material.allowed.public))
    return element("td", label, class_=f"number heat-{0 if reason == MERGED else shade}")


def _list(name: str, corpus: str, stage: str, reason: str, known: Gone, public: bool) -> Html:
    """Some of the ids; what else was said of them may be text of the publisher's, which is not for everybody."""
    items = []
    for clip_id, detail in known.listed:
        note = element("small", detail[:_DETAIL]) if detail and not public else None
        items.append(element("li", element("code", clip_id), " ", note))
    few = f", {len(known.listed)} of them" if len(known.listed) < known.clips else ""
    title = join(
        f"{corpus}: {reason}", element("small", f" {figures.plural(known.clips, 'clip')} at {stage}{few}")
    )
    return details(title, element("ul", *items), id=name)


def _captions(material: Material) -> Html | None:
    """Captions that went while their clip stayed."""
    found = caption_losses(material.source.manifest)
    if not found:
        return None
    rows = [
        [source if source != "llm" else "generated here", loss.stage, loss.reason, figures.count(loss.count)]
        for source, losses in found.items()
        for loss in losses
    ]
    about = "Captions that were dropped from clips that stayed"
    note = paragraph("Captions that went while their clip stayed:")
    words = explained([loss.reason for losses in found.values() for loss in losses])
    return join(
        note, table(["Source", "stage", "reason", "captions"], rows, caption=about, numbers=[3]), words
    )
