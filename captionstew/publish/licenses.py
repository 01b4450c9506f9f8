"""LICENSES.md: corpus by corpus what each license asks, what is published under it, and who says so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from captionstew.corpora.facts import Corpus
from captionstew.enrich.generators import generators
from captionstew.publish.contents import Release
from captionstew.publish.facts import CorpusFacts, LicenseFacts, facts, generated
from captionstew.publish.markdown import NONE, UNKNOWN, bullets, code, hours, link, table, text, words
from captionstew.publish.prose import filled, prose
from captionstew.publish.terms import Terms, terms
from captionstew.shards.manifest import Manifest

_VARIES = "by clip"
_UNSTATED = "not stated"


@dataclass(frozen=True)
class LicenseRow:
    """A corpus in the matrix: licences of audio and captions, what they ask together, and what is published."""

    corpus: str
    title: str
    audio: tuple[str, ...]
    captions: str
    attribution: str  # yes, no, by clip, or ?
    commercial: str
    share_alike: str
    published: str


def matrix(manifest: Manifest, corpora: Iterable[Corpus]) -> tuple[LicenseRow, ...]:
    """A row for every corpus that a manifest holds clips or captions of, in its order."""
    held = facts(manifest)
    known = {corpus.name: corpus for corpus in corpora}
    names = dict.fromkeys((*(one.name for one in held.corpora), *known))
    return tuple(_row(held.corpus(name), known.get(name)) for name in names)


def licenses(release: Release) -> str:
    """The whole document."""
    said = prose("licenses_md")
    parts = [
        f"# Licenses of {text(release.repository)} {text(release.tag)}",
        filled(said["intro"], {}),
        "## By corpus", matrix_table(matrix(release.manifest, release.corpora)), filled(said["matrix"], {}),
        "## By license of the audio", _by_license(release.manifest),
        "## Who says so", filled(said["claims"], {}), _claims(release.corpora),
        "## Captions by language models", filled(said["generated"], {}), _generated(release),
        "## What was held back", _refused(release),
        "## Texts", _texts(release),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def matrix_table(rows: Sequence[LicenseRow]) -> str:
    """The matrix as Markdown."""
    head = ("corpus", "audio", "captions", "attribution", "commercial use", "share-alike", "published")
    return table(head, [
        (text(row.title), named(row.audio), code(row.captions), row.attribution, row.commercial, row.share_alike,
         row.published)
        for row in rows
    ])  # fmt: skip


def named(licenses: Sequence[str], most: int = 3) -> str:
    """Licences by their ids; of many the first and how many more."""
    more = f" and {len(licenses) - most} more" if len(licenses) > most else ""
    return ", ".join(code(license) for license in licenses[:most]) + more or NONE


def answer(values: Iterable[bool | None]) -> str:
    """`yes`, `no`, `?`, or `by clip` where several differ."""
    found = set(values)
    if len(found) != 1:
        return _VARIES if found else NONE
    (value,) = found
    return UNKNOWN if value is None else "yes" if value else "no"


def _row(held: CorpusFacts, corpus: Corpus | None) -> LicenseRow:
    audio = tuple(one.license for one in held.licenses)
    captions = corpus.license.captions if corpus else UNKNOWN
    every = [_together(terms(license), terms(captions)) for license in audio] or [terms(captions)]
    return LicenseRow(
        held.name,
        corpus.title if corpus else held.name,
        audio,
        captions,
        attribution=answer(one.attribution for one in every),
        commercial=answer(one.commercial for one in every),
        share_alike=answer(one.share_alike for one in every),
        published=", ".join(held.tiers) or "captions on clips of other corpora",
    )


def _together(audio: Terms, captions: Terms) -> Terms:
    """What a clip with its captions asks: all that either asks."""
    return Terms(
        "", "", _any(audio.attribution, captions.attribution), _all(audio.commercial, captions.commercial),
        _any(audio.share_alike, captions.share_alike),
    )  # fmt: skip


def _any(one: bool | None, other: bool | None) -> bool | None:
    return True if one or other else None if one is None or other is None else False


def _all(one: bool | None, other: bool | None) -> bool | None:
    return False if one is False or other is False else None if one is None or other is None else True


def _by_license(manifest: Manifest) -> str:
    """A row per corpus and licence, with clips and hours."""
    head = (
        "corpus",
        "license",
        "clips:",
        "hours:",
        "attribution",
        "commercial use",
        "share-alike",
        "published",
    )
    rows = [_of_license(corpus.name, one) for corpus in facts(manifest).corpora for one in corpus.licenses]
    return table(head, rows)


def _of_license(corpus: str, one: LicenseFacts) -> tuple[str, ...]:
    asked = terms(one.license)
    answers = [answer([value]) for value in (asked.attribution, asked.commercial, asked.share_alike)]
    tiers = ", ".join(one.tiers)
    return (text(corpus), code(one.license), f"{one.clips:,}", hours(one.hours), *answers, tiers)


def _claims(corpora: Iterable[Corpus]) -> str:
    """Where each licence is claimed, and when that was read."""
    rows = []
    for corpus in corpora:
        said = corpus.license
        unchecked = [name for name in corpus.unchecked if name.startswith("license")]
        note = "not checked: " + ", ".join(code(name) for name in unchecked) if unchecked else ""
        for what, license, url, date in (
            ("audio", said.audio, said.audio_url, said.audio_date),
            ("captions", said.captions, said.captions_url, said.captions_date),
        ):
            rows.append((text(corpus.title), what, code(license), link(_host(url), url), text(date), note))
    return table(("corpus", "of", "license", "page", "read on", "note"), rows)


def _generated(release: Release) -> str:
    """The models whose captions are in here: those that this release asked, and those of the publishers."""
    made = generators(generated(release.manifest))
    ours = [
        (code(one.model), code(one.revision) or UNKNOWN, "this release", code(one.license.license),
         link(_host(one.license.url), one.license.url), text(one.license.date), words(one.license.says))
        for one in made
    ]  # fmt: skip
    theirs: dict[str, list[str]] = {}
    for corpus in release.corpora:
        for captions in corpus.captions:
            if captions.style == "machine":
                theirs.setdefault(captions.model or _UNSTATED, []).append(corpus.title)
    others = [
        (
            text(model),
            UNKNOWN,
            text(", ".join(dict.fromkeys(titles))),
            "as the corpus licenses them",
            "",
            "",
            "",
        )
        for model, titles in theirs.items()
    ]
    return table(("model", "revision", "captions of", "license", "page", "read on", "says"), [*ours, *others])


def _refused(release: Release) -> str:
    rows = [
        (
            one.tier,
            text(one.corpus),
            code(one.license),
            f"{one.clips:,}",
            hours(one.seconds / 3600),
            text(one.reason),
        )
        for one in release.refusals
    ]
    return table(("tier", "corpus", "license", "clips:", "hours:", "why"), rows)


def _texts(release: Release) -> str:
    """Every licence that is named, with its title and its text or the page that states it."""
    pages: dict[str, str] = {}
    for corpus in release.corpora:
        pages.setdefault(corpus.license.captions, corpus.license.captions_url)
        pages.setdefault(corpus.license.audio, corpus.license.audio_url)
    for held in facts(release.manifest).corpora:
        home = next((known.license.audio_url for known in release.corpora if known.name == held.name), "")
        for one in held.licenses:
            pages.setdefault(one.license, home)
    pages.pop("per-clip", None)
    lines = []
    for license in sorted(pages):
        asked = terms(license)
        lines.append(f"{code(license)}: {link(asked.title, asked.url or pages[license])}")
    return bullets(lines)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].removeprefix("www.") or UNKNOWN
