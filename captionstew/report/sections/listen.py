"""Section 1, listen: some clips, drawn by a fixed rule, with all that their rows and their enrichment say."""

from collections.abc import Sequence

from captionstew.report import figures
from captionstew.report.html import Html, element, join
from captionstew.report.material import Heard, Material
from captionstew.report.sections.card import card
from captionstew.report.sections.section import Section


def section(material: Material) -> Section:
    """The clips, a field that filters them, and how they were drawn."""
    heard = material.heard
    corpora = list(dict.fromkeys(one.clip.row["corpus"] for one in heard))
    if not heard:
        return Section("listen", "Listen", "There is no clip to listen to.", Html())
    evenly = f" evenly over {len(corpora)} corpora" if len(corpora) > 1 else ""
    lead = f"{figures.plural(len(heard), 'clip')}, drawn by chance{evenly}: the same ones on every machine."
    longest = max((one.sound.seconds for one in heard if one.sound), default=0.0)
    if any(one.sound and one.clip.row["duration"] > one.sound.seconds + 0.05 for one in heard):
        lead += f" Of a longer clip its first {figures.seconds(longest)} s are here."
    cards = [card(number, one, material) for number, one in enumerate(heard, 1)]
    return Section(
        "listen", "Listen", lead, join(_filter(corpora, heard), element("div", *cards, id="clips"))
    )


def _filter(corpora: Sequence[str], heard: Sequence[Heard]) -> Html:
    box = element(
        "input",
        type="search",
        id="filter",
        placeholder="Filter: word, corpus, verdict",
        autocomplete="off",
        aria_label="Filter the clips",
        aria_controls="clips",
    )
    chips = [
        element("button", name, type="button", class_="chip", data_word=name, aria_pressed="false")
        for name in corpora
    ]
    shown = element("output", f"{len(heard)} of {len(heard)}", id="shown", for_="filter")
    return element(
        "div",
        element("div", box, element("kbd", "/", aria_hidden="true"), class_="field"),
        element("div", *(chips if len(chips) > 1 else ()), class_="chips"),
        shown,
        class_="filter needs-script",
        role="search",
    )
