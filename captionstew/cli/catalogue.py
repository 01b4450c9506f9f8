"""The corpora as a table: what each holds, what one may do with it, how its audio comes."""

from collections.abc import Sequence

from captionstew.cli.table import Column
from captionstew.corpora.facts import Corpus
from captionstew.figures import count, hours, license_name

PUBLISH = {
    "audio": "audio",
    "audio-where-allowed": "part",
    "captions": "text",
    "nothing": "nothing",
}
ACCESS = {
    "direct": "download",
    "form": "form",
    "youtube": "YouTube",
    "gated": "login",
    "elsewhere": "elsewhere",
    "generated": "made here",
}
HERE = {"absent": "-", "annotations": "text", "partly": "part", "complete": "all"}
COLUMNS = (
    Column("corpus"),
    Column("domain", spare=1),
    Column("clips", right=True),
    Column("captions", right=True, spare=2),
    Column("hours", right=True),
    Column("text license", least=10),
    Column("audio license", spare=3, least=16),
    Column("publish"),
    Column("audio"),
    Column("here"),
)
LEGEND = (
    "publish   what a release may hold: audio, part of it (license by license), text (captions and ids), nothing",
    "audio     download; login, form: the publisher asks first; YouTube: your own copy; elsewhere: in other corpora",
    "here      what of it was fetched: - nothing, text (annotations), part, all",
)


def row(facts: Corpus, here: str) -> list[str]:
    """A corpus as a row of `COLUMNS`; `here` is a key of `HERE`."""
    return [
        facts.name,
        facts.domain,
        count(facts.size.clips),
        count(facts.size.captions),
        hours(facts.size.hours),
        license_name(facts.license.captions),
        _audio_license(facts),
        PUBLISH[facts.license.publish],
        ACCESS[facts.audio.access],
        HERE[here],
    ]


def published(corpora: Sequence[Corpus]) -> list[Corpus]:
    """Those of the corpora that somebody else has published: neither the sampler's nor the user's own."""
    return [facts for facts in corpora if not facts.made_by and facts.name != "folder"]


def markdown(corpora: Sequence[Corpus]) -> str:
    """The published corpora as a Markdown table, the facts that do not depend on the machine; ends with a newline."""
    titles = (
        "corpus",
        "domain",
        "clips",
        "captions",
        "hours",
        "license of the text",
        "of the audio",
        "publish",
        "audio",
    )
    lines = [f"| {' | '.join(titles)} |", "| --- | --- | ---: | ---: | ---: | --- | --- | --- | --- |"]
    for facts in published(corpora):
        cells = row(facts, "absent")[1:-1]
        lines.append(f"| [{facts.title}]({facts.name}.toml) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _audio_license(facts: Corpus) -> str:
    return "per clip" if facts.license.audio == "per-clip" else license_name(facts.license.audio)
