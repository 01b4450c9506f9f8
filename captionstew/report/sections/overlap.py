"""Section 6, overlap: which evaluation sets the build was compared with, how, and what was found."""

from captionstew.publish.facts import Compared, compared
from captionstew.report import figures
from captionstew.report.html import Html, join, paragraph, table
from captionstew.report.material import Material
from captionstew.report.sections.section import Section

_METHODS = {
    "split": "a split of its own",
    "key": "the same video at an overlapping time",
    "upload": "the same upload",
    "blocklist": "on a published block list",
    "fingerprint": "by sound",
}

_COUNTED = (
    "Rows are counted as they were received: a clip with five captions may be five of them. "
    "One found in two ways counts twice."
)


def section(material: Material) -> Section:
    """Evaluation set by method: what could be compared, and what was found of which corpus."""
    found = compared(material.source.manifest)
    if not found:
        note = "This build was compared with no evaluation set; nothing is known of overlaps."
        return Section("overlap", "Overlap with evaluation sets", note, Html())
    clips = sum(one.clips for one in found)
    unheard = [one.against for one in found if one.items.get("fingerprint", 1) == 0]
    lead = (
        f"Compared with {figures.plural(len(found), 'evaluation set')}: "
        f"{figures.plural(clips, 'clip')} of other corpora found in them, and dropped."
    )
    if unheard:
        lead += f" Of {', '.join(unheard)} no audio was at hand to compare by sound."
    return Section("overlap", "Overlap with evaluation sets", lead, join(_table(found), _methods(found)))


def _table(found: tuple[Compared, ...]) -> Html:
    rows = []
    for one in found:
        for method, items in one.items.items():
            clips = one.found[method]
            number = sum(clips.values())
            of = ", ".join(
                f"{corpus} {n:,}" for corpus, n in sorted(clips.items(), key=lambda c: (-c[1], c[0]))
            )
            compared_with = figures.count(items) if items else "nothing at hand"
            rows.append([one.against, _METHODS.get(method, method), compared_with, figures.count(number), of])
    head = ["Evaluation set", "how", "of it, compared", "rows found", "of which corpus"]
    return table(head, rows, caption="Overlap with evaluation sets by method", numbers=(2, 3))


def _methods(found: tuple[Compared, ...]) -> Html | None:
    if any("split" in one.items for one in found):
        own = "Clips of a set's own evaluation splits are no leak: they are in val or test, or left out by the recipe."
        return paragraph(f"{own} {_COUNTED}", class_="note")
    return paragraph(_COUNTED, class_="note")
