"""corpora: all that we know of the open corpora, as a table, or one of them in full."""

from dataclasses import asdict

from captionstew.cli.console import Console
from captionstew.cli.figures import UNKNOWN, count, hours, license_name, size
from captionstew.cli.parser import Arguments
from captionstew.cli.table import Column
from captionstew.corpora.facts import Corpus, File, corpora, corpus
from captionstew.corpora.license import audio_licenses, family

PUBLISH = {
    "audio": "audio",
    "audio-where-allowed": "part audio",
    "captions": "captions",
    "nothing": "nothing",
}
ACCESS = {
    "direct": "download",
    "form": "form",
    "youtube": "YouTube",
    "gated": "agreement",
    "generated": "made here",
}
_COLUMNS = (
    Column("corpus"),
    Column("domain", spare=2),
    Column("clips", right=True),
    Column("captions", right=True, spare=1),
    Column("hours", right=True),
    Column("text license", spare=4),
    Column("audio license", spare=3),
    Column("to publish"),
    Column("audio by"),
)


def run(arguments: Arguments, console: Console) -> int:
    """One corpus or all of them."""
    if arguments.name:
        _one(corpus(arguments.name), console)
        return 0
    every = [facts for facts in corpora() if facts.name != "folder"]
    console.data([_summary(facts) for facts in every])
    wide = console.rows(_COLUMNS, [_row(facts) for facts in every])
    console.say()
    console.say(f"  {UNKNOWN} nobody has counted, or we have not checked")
    if wide:
        console.say(f"  licenses: in a terminal of {wide} columns, or one by one")
    console.next("captionstew corpora clotho", "captionstew build clotho --audio clotho=DIR")
    return 0


def _row(facts: Corpus) -> list[str]:
    audio = "per clip" if facts.license.audio == "per-clip" else license_name(facts.license.audio)
    return [
        facts.name,
        facts.domain,
        count(facts.size.clips),
        count(facts.size.captions),
        hours(facts.size.hours),
        license_name(facts.license.captions),
        audio,
        PUBLISH[facts.license.publish],
        ACCESS[facts.audio.access],
    ]


def _summary(facts: Corpus) -> dict[str, object]:
    return {
        "name": facts.name,
        "title": facts.title,
        "domain": facts.domain,
        **asdict(facts.size),
        "license": {"audio": facts.license.audio, "captions": facts.license.captions},
        "publish": facts.license.publish,
        "access": facts.audio.access,
    }


def _one(facts: Corpus, console: Console) -> None:
    console.data(asdict(facts))
    console.say(f"{facts.name}   {facts.title}, {facts.domain}")
    console.say()
    _fields(facts, console)
    _files(facts, console)
    for title, lines in (("traps", facts.traps), ("not checked yet", facts.unchecked)):
        if lines:
            console.say()
            console.say(f"  {title}")
        for line in lines:
            console.wrapped(f"    - {line}", indent="      ")
    if facts.audio.access == "generated":
        console.next("captionstew build sampler")
    else:
        console.next(f"captionstew build {facts.name} --audio {facts.name}=DIR")


def _fields(facts: Corpus, console: Console) -> None:
    terms, published = facts.license, facts.size
    audio = ", ".join(license_name(name) for name in audio_licenses(terms))
    audio = (
        f"per clip, {audio} where nothing is said"
        if terms.audio == "per-clip" and not terms.values
        else audio
    )
    fields = {
        "home": facts.homepage,
        "cite": facts.cite,
        "size": f"{count(published.clips)} clips, {count(published.captions)} captions, {hours(published.hours)} hours",
        "captions": f"{_styles(facts)}; {license_name(terms.captions)} ({terms.captions_date}, {terms.captions_url})",
        "audio": f"{ACCESS[facts.audio.access]}; {audio} ({terms.audio_date}, {terms.audio_url})",
        "to publish": f"{PUBLISH[terms.publish]}; {_because(facts)}",
        "evaluation": ", ".join(facts.splits.evaluation) or "no split is",
        "file names": "  ".join(facts.audio.names),
        "overlaps": ": ".join(filter(None, [", ".join(facts.overlap.corpora), facts.overlap.size])),
    }
    for name, text in fields.items():
        if text:
            console.wrapped(f"  {name:11} {text}", indent=" " * 14)


def _styles(facts: Corpus) -> str:
    made = [f"{one.style}{f' by {one.model}' if one.model else ''}" for one in facts.captions]
    return ", ".join(dict.fromkeys(made)) or "none, labels only"


def _because(facts: Corpus) -> str:
    said = dict.fromkeys(family(name).says for name in audio_licenses(facts.license))
    return "; ".join(said)


def _files(facts: Corpus, console: Console) -> None:
    console.say()
    console.say(f"  files, below the folder given as --audio {facts.name}=DIR")
    for file in facts.files:
        console.say(f"    {file.path[0]}   {_role(file)}, {_bytes(file)}")
        if file.url:
            console.say(f"      {file.url}")


def _role(file: File) -> str:
    return " ".join(part for part in (file.split, file.role, "(optional)" * file.optional) if part)


def _bytes(file: File) -> str:
    return "size unknown" if file.bytes is None else size(file.bytes)
