"""Section 5, licenses: under which terms each part stands, and what a release may hold of it."""

from captionstew.corpora.license import Family, family
from captionstew.publish.contents import Tier
from captionstew.report import figures
from captionstew.report.charts import bars, chart
from captionstew.report.html import Child, Html, element, join, link, paragraph, table
from captionstew.report.material import Material
from captionstew.report.public import shown, tier
from captionstew.report.sections.section import Section

_YES, _NO = "\u2713", "\u2013"
_AUDIO: dict[Tier | None, str] = {
    "audio": "yes",
    "audio-sa": "share-alike tier",
    "audio-nc": "gated tier at most",
    None: "no",
}


def section(material: Material) -> Section:
    """A row for each corpus and license of its audio; hours by license."""
    facts = material.source.facts
    if not facts.corpora:
        return Section("licenses", "Licenses", "There is no clip here.", Html())
    allowed = shown(public=True)
    open_hours = sum(
        one.hours
        for corpus in facts.corpora
        for one in corpus.licenses
        if allowed.clip(corpus.name, one.license).sound
    )
    names = {one.license for corpus in facts.corpora for one in corpus.licenses}
    share = figures.share(open_hours, facts.whole.hours)
    may = {"100 %": "all of the sound", "0 %": "none of the sound, ids and captions at most"}.get(
        share, f"the sound of {share} of the hours; of the rest, ids and captions at most"
    )
    lead = f"{figures.plural(len(names), 'license')}. An open release may hold {may}."
    note = paragraph(
        "A cautious reading of the licenses as the publishers state them, not legal advice. Each row of the data names "
        "its own license and whom to credit.",
        class_="note",
    )
    return Section("licenses", "Licenses", lead, join(_table(material), _chart(material), note))


def _table(material: Material) -> Html:
    known, allowed, rows = material.source.corpora, shown(public=True), []
    for corpus in material.source.facts.corpora:
        facts = known.get(corpus.name)
        for one in corpus.licenses:
            kind, may = family(one.license), allowed.clip(corpus.name, one.license)
            terms: Child = figures.license_name(facts.license.captions) if facts else "unknown"
            audio: Child = figures.license_name(one.license)
            if facts:
                audio, terms = link(audio, facts.license.audio_url), link(terms, facts.license.captions_url)
            rows.append(
                [
                    corpus.name,
                    audio,
                    figures.count(one.clips),
                    figures.hours(one.hours),
                    terms,
                    *(_mark(kind, rule, one.license) for rule in ("credit", "commercial", "alike")),
                    _AUDIO[tier(corpus.name, one.license)],
                    "no" if not may.clip else "yes" if may.texts else "our own only",
                    may.why or kind.says,
                ]
            )
    head = [
        "Corpus",
        "audio license",
        "clips",
        "hours",
        "captions license",
        "credit",
        "commercial",
        "share alike",
        "audio published",
        "captions published",
        "why",
    ]
    about = "Licenses by corpus: audio, captions, duties, and what may be published"
    return element("div", table(head, rows, caption=about, numbers=(2, 3)), class_="dense")


def _mark(kind: Family, rule: str, license: str) -> Html:
    """Whether credit is due, commercial use allowed, sharing alike asked for; `?` where the name does not say."""
    if kind.name not in {"open", "share-alike", "research"} and not license.startswith("CC-"):
        return element("td", element("abbr", "?", title="ask the publisher"), class_="middle")
    says = {
        "credit": license not in {"CC0-1.0", "PDDL-1.0", "Unlicense", "LicenseRef-Public-Domain-Mark"},
        "commercial": kind.name != "research" and "-NC" not in license,
        "alike": kind.name == "share-alike" or "-SA-" in license,
    }
    yes = says[rule]
    return element("td", element("abbr", _YES if yes else _NO, title="yes" if yes else "no"), class_="middle")


def _chart(material: Material) -> Html | None:
    hours: dict[str, float] = {}
    for corpus in material.source.facts.corpora:
        for one in corpus.licenses:
            hours[one.license] = hours.get(one.license, 0.0) + one.hours
    if len(hours) < 2:
        return None
    ordered = sorted(hours.items(), key=lambda item: (-item[1], item[0]))
    names = [figures.license_name(name) for name, _ in ordered]
    values = [value for _, value in ordered]
    svg = bars(
        names,
        [values],
        [f"{figures.hours(value)} h" for value in values],
        across="hours",
        label="Hours by license of the audio",
    )
    rows = [[name, figures.hours(value)] for name, value in zip(names, values, strict=True)]
    behind = table(["License", "hours"], rows, caption="Hours by license of the audio", numbers=[1])
    return chart("Hours by license", svg, behind, beside=True)
