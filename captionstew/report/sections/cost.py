"""Section 8, cost: what the build took, stage by stage, and how to make it again."""

import shlex

from captionstew.report import figures
from captionstew.report.charts import bars, chart
from captionstew.report.facts import Work, work
from captionstew.report.html import Html, element, join, paragraph, table
from captionstew.report.material import Material
from captionstew.report.sections.section import Section, missing

_PLACE = "DIR"


def section(material: Material) -> Section:
    """Seconds of work by stage, tokens of a language model, versions and commands."""
    found = work(material.source.entries)
    body = join(
        _work(found) if found else missing("There is no ledger here: it stays with the build."),
        _tokens(material),
        _again(material),
    )
    return Section("cost", "Cost", _lead(material, found), body)


def _lead(material: Material, found: tuple[Work, ...]) -> str:
    seconds, hours = sum(one.seconds for one in found), material.source.facts.whole.hours
    if not found:
        return "What it took to build this is not recorded here."
    rate = f": {hours * 3600 / seconds:,.0f} seconds of audio per second of work" if seconds else ""
    return (
        f"{figures.span(seconds)} of work over all stages{rate}. Pieces that ran side by side are added up, "
        "and a..b are stages that ran as one."
    )


def _work(found: tuple[Work, ...]) -> Html:
    names = [one.stage for one in found]
    values = [one.seconds for one in found]
    svg = bars(
        names,
        [values],
        [figures.span(value) for value in values],
        across="seconds of work",
        label="Seconds of work by stage",
    )
    rows = [
        [
            one.stage,
            figures.count(one.pieces),
            figures.count(one.received),
            figures.count(one.kept),
            f"{one.seconds:,.1f}" if one.seconds >= 0.05 else "<0.1",
            f"{one.received / one.seconds:,.0f}" if one.seconds else "",
        ]
        for one in found
    ]
    head = ["Stage", "pieces", "clips received", "kept", "seconds", "clips per second"]
    behind = table(head, rows, caption="Work by stage", numbers=range(1, 6))
    return chart("By stage", svg, behind, beside=True)


def _tokens(material: Material) -> Html | None:
    made = material.source.manifest.enrichment
    if not made:
        return None
    read, written = sum(one.prompt_tokens for one in made), sum(one.completion_tokens for one in made)
    again = sum(one.retried for one in made)
    return paragraph(
        f"The language model read {figures.count(read)} tokens and wrote {figures.count(written)}; "
        f"{figures.plural(again, 'caption')} {'was' if again == 1 else 'were'} asked for again."
    )


def _again(material: Material) -> Html:
    source = material.source
    versions = [f"{name} {version}" for name, version in sorted(source.manifest.made_with.items())]
    rows = [
        ["Recipe", source.manifest.recipe],
        ["Digest of the recipe", element("code", source.manifest.recipe_digest)],
        ["Schema", ", ".join(sorted({file.schema for file in source.manifest.files}))],
        ["Made with", ", ".join(versions)],
        ["Machine", "not recorded: the same bytes come out on any"],
    ]
    whole = table(["Fact", "value"], rows, caption="How this was made")
    return join(
        element("h3", "To make it again"),
        whole,
        element("pre", element("code", "\n".join(commands(material))), tabindex="0"),
    )


def commands(material: Material) -> list[str]:
    """The commands that build and check this; for everybody, without the paths of this machine."""
    words, public = list(material.source.command), material.allowed.public
    if not words:
        words = ["build", material.source.manifest.recipe]
    said = [_anonymous(word) for word in words] if public else words
    folder = said[said.index("--out") + 1] if "--out" in said[:-1] else "BUILD"
    return [shlex.join(["captionstew", *said]), shlex.join(["captionstew", "validate", folder])]


def _anonymous(word: str) -> str:
    """A path of this machine becomes `DIR`; a URL of a server `URL`."""
    name, equals, value = word.partition("=")
    if equals and (value.startswith(("/", "~")) or "://" in value):
        return f"{name}={_PLACE}"
    if "://" in word:
        return "URL"
    return _PLACE if word.startswith(("/", "~", "@")) else word
