"""corpora: all that we know of the open corpora, as a table, or one of them in full."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from itertools import groupby

from captionstew.cli.catalogue import ACCESS, COLUMNS, LEGEND, row
from captionstew.cli.console import Console
from captionstew.cli.parser import Arguments
from captionstew.corpora.facts import Archive, Corpus, File, corpora, corpus
from captionstew.corpora.license import audio_licenses, family
from captionstew.fetch.store import Local, Store
from captionstew.figures import UNKNOWN, count, hours, license_name, plural, size

_PUBLISH = {
    "audio": "audio",
    "audio-where-allowed": "the audio whose license allows it",
    "captions": "captions and ids",
    "nothing": "nothing",
}
_ACCESS = ACCESS | {"gated": "a login that agreed to terms", "form": "a form, a purchase, or by hand",
                    "youtube": "YouTube: give a copy of your own", "elsewhere": "that of other corpora"}  # fmt: skip
_HERE = {
    "absent": "nothing of it was fetched",
    "annotations": "the annotations",
    "partly": "some of it",
    "complete": "all that can be fetched",
}
_LONG_RUN = 4


def run(arguments: Arguments, console: Console) -> int:
    """One corpus or all of them."""
    if arguments.name:
        facts = corpus(arguments.name)
        _one(facts, Store().local(facts), console)
        return 0
    every = [facts for facts in corpora() if facts.name != "folder"]
    here = [Store().local(facts) for facts in every]
    console.data([_summary(facts, local) for facts, local in zip(every, here, strict=True)])
    table = [row(facts, local.state) for facts, local in zip(every, here, strict=True)]
    wide = console.rows(COLUMNS, table)
    console.say()
    for line in (_total(every), f"{UNKNOWN} nobody has counted, or we have not checked", *LEGEND):
        console.wrapped(f"  {line}", indent=" " * 12)
    if wide:
        console.say(f"  more columns in a terminal of {wide}, or one by one")
    console.next("captionstew corpora clotho", "captionstew plan stew")
    return 0


def _total(every: Iterable[Corpus]) -> str:
    domains = Counter(facts.domain for facts in every if not facts.made_by)
    return f"{domains.total()} corpora: " + ", ".join(
        f"{number} {name}" for name, number in domains.most_common()
    )


def _summary(facts: Corpus, local: Local) -> dict[str, object]:
    return {
        "name": facts.name,
        "title": facts.title,
        "domain": facts.domain,
        "homepage": facts.homepage,
        **asdict(facts.size),
        "license": {"audio": facts.license.audio, "captions": facts.license.captions},
        "publish": facts.license.publish,
        "access": facts.audio.access,
        "evaluation": facts.splits.evaluation,
        "overlap": facts.overlap.corpora,
        "unchecked": facts.unchecked,
        "local": asdict(local),
    }


def _one(facts: Corpus, local: Local, console: Console) -> None:
    console.data(asdict(facts) | {"local": asdict(local)})
    console.say(f"{facts.name}   {facts.title}, {facts.domain}")
    console.say()
    _fields(facts, local, console)
    _files(facts, console)
    _archives(facts, console)
    for title, lines in (("traps", facts.traps), ("not checked yet", facts.unchecked)):
        _section(console, title if lines else "")
        for line in lines:
            console.wrapped(f"    - {line}", indent="      ")
    _section(console, "to cite" if facts.reference else "")
    for line in facts.reference.strip().splitlines():
        console.wrapped(f"    {line}", indent="      ")
    if facts.audio.access == "generated":
        console.next("captionstew build sampler")
    elif any(archive.access == "open" for archive in facts.archives):
        console.next(f"captionstew fetch {facts.name}", f"captionstew build {facts.name}")
    else:
        console.next(f"captionstew build {facts.name} --audio {facts.name}=DIR")


def _section(console: Console, title: str) -> None:
    if title:
        console.say()
        console.say(f"  {title}")


def _fields(facts: Corpus, local: Local, console: Console) -> None:
    terms, published = facts.license, facts.size
    audio = ", ".join(license_name(name) for name in audio_licenses(terms))
    if terms.audio == "per-clip" and not terms.values:
        audio = f"per clip, {audio} where nothing is said"
    fields = {
        "home": facts.homepage,
        "cite": facts.cite,
        "size": f"{count(published.clips)} clips, {count(published.captions)} captions, {hours(published.hours)} hours",
        "captions": f"{_styles(facts)}; {license_name(terms.captions)} ({terms.captions_date}, {terms.captions_url})",
        "audio": f"{_ACCESS[facts.audio.access]}; {audio} ({terms.audio_date}, {terms.audio_url})",
        "to publish": f"{_PUBLISH[terms.publish]}; {_because(facts)}",
        "evaluation": ", ".join(facts.splits.evaluation) or "no split is",
        "file names": "  ".join(facts.audio.names),
        "overlaps": ": ".join(filter(None, [", ".join(facts.overlap.corpora), facts.overlap.size])),
        "here": f"{_HERE[local.state]}{f', {size(local.bytes)}' if local.bytes else ''}",
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
    _section(console, f"files, below the folder given as --audio {facts.name}=DIR")
    for file in facts.files:
        console.say(f"    {file.path[0]}   {_role(file)}, {_bytes(file.bytes)}")
        if file.url:
            console.say(f"      {file.url}")


def _role(file: File) -> str:
    return " ".join(part for part in (file.split, file.role, "(optional)" * file.optional) if part)


def _archives(facts: Corpus, console: Console) -> None:
    _section(console, "audio to download" if facts.archives else "")
    for run in _runs(facts.archives):
        console.say(f"    {run[0].url}")
        if len(run) > 1:
            console.say(f"      ... to {run[-1].url.rpartition('/')[2]}")
        console.wrapped(f"      {_told_all(run)}", indent="      ")
    _section(
        console, "public copies of the audio that some use, never fetched by default" if facts.mirrors else ""
    )
    for mirror in facts.mirrors:
        console.say(f"    {mirror.url}")
        console.wrapped(f"      license: {mirror.license}; {mirror.about}", indent="      ")


def _runs(archives: Sequence[Archive]) -> list[list[Archive]]:
    """Long runs of archives that differ in their names alone, together; all others one by one."""
    alike = [list(group) for _, group in groupby(archives, _kind)]
    return [
        run for group in alike for run in ([group] if len(group) >= _LONG_RUN else [[one] for one in group])
    ]


def _kind(archive: Archive) -> tuple[str, ...]:
    """What the archives of a run have in common: their folder on the network, their split, and what stands before."""
    return (archive.url.rpartition("/")[0], archive.split, archive.unpack, archive.access, archive.page)


def _told_all(run: Sequence[Archive]) -> str:
    if len(run) == 1:
        return _told(run[0])
    sizes = [archive.bytes for archive in run]
    whole = None if None in sizes else sum(filter(None, sizes))
    hashes = {("SHA-256" if one.sha256 else "MD5" if one.md5 else "") for one in run}
    folders = {archive.to for archive in run}
    alike = replace(
        run[0],
        bytes=whole,
        parts=(),
        to=run[0].to if len(folders) == 1 else "",
        sha256=run[0].sha256 if len(hashes) == 1 else None,
        md5=run[0].md5 if len(hashes) == 1 else None,
    )
    return f"{len(run)} archives, {_told(alike)}"


def _told(archive: Archive) -> str:
    parts = f"and {plural(len(archive.parts), 'part')}" if archive.parts else ""
    hashed = "SHA-256" if archive.sha256 else "MD5" if archive.md5 else ""
    asks = f"{archive.access}: {archive.page}" if archive.access != "open" else ""
    folder = f"unpacked in {archive.to}" if archive.to else ""
    return ", ".join(filter(None, [archive.split, parts, _bytes(archive.bytes), hashed, folder, asks]))


def _bytes(number: int | None) -> str:
    return "size unknown" if number is None else size(number)
