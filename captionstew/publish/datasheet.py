"""DATASHEET.md: the seven sections of a datasheet (Gebru et al. 2018), answered from facts and the manifest."""

from collections.abc import Iterable, Mapping

from captionstew.corpora.facts import Corpus
from captionstew.figures import plural
from captionstew.publish.contents import Release
from captionstew.publish.facts import compared, facts, flows, generated
from captionstew.publish.markdown import NONE, bullets, code, enumerated, hours, link, share, size, text
from captionstew.publish.prose import filled, prose
from captionstew.schema import schema

_ACCESS = {
    "direct": "audio by download", "form": "audio given out by a form",
    "youtube": "audio on YouTube, never fetched by us",
    "gated": "audio behind a login", "elsewhere": "audio from elsewhere", "generated": "audio made by arithmetic",
}  # fmt: skip
_SEPARATED = "Training clips share no recording with test, and no speaker or artist as far as they are known."
_UNSEPARATED = "Training clips may share recordings, speakers or artists with test."
_SPEECH = "Yes: voices, and captions that describe speakers (age, sex, accent). Names are not given; speaker keys are."
_SILENT = "Recordings may hold voices in passing. Nobody is named but those whom a license asks to name."
_UNGENERATED = "None was generated for this version; README.md says how the corpora made theirs."
_HEARD = "16 kHz mono, FLAC or Opus, as `codec` says"
_PLAYS = "Clips with audio are; all others are ids, addresses and times that may vanish."
_POINTS = "No: it holds ids, addresses and times of audio that others host, which may vanish."


def datasheet(release: Release) -> str:
    """The whole document."""
    told = prose("datasheet")
    values = {**_names(release), **counts(release), **_lists(release), **_sentences(release)}
    parts = [f"# Datasheet of {text(release.repository)}", filled(told["intro"], values)]
    for section in told["section"]:
        parts.append(f"## {section['title']}")
        for question in section["question"]:
            parts += [f"**{question['ask']}**", filled(question["answer"], values)]
    return "\n\n".join(parts) + "\n"


def _names(release: Release) -> dict[str, str]:
    manifest = release.manifest
    return {
        "tag": text(release.tag), "recipe": text(manifest.recipe), "digest": text(manifest.recipe_digest),
        "owner": text(release.repository.partition("/")[0]),
        "address": f"https://huggingface.co/datasets/{release.repository}",
        "software": text(manifest.made_with.get("captionstew", "")),
        "read": text(max((corpus.license.audio_date for corpus in release.corpora), default=NONE)),
    }  # fmt: skip


def counts(release: Release) -> dict[str, str]:
    """The numbers of a release in words, as sentences take them."""
    whole, every = facts(release.manifest).whole, flows(release.manifest)
    missing = sum(loss.count for flow in every for loss in flow.losses if loss.reason == "missing")
    return {
        "clips": plural(whole.clips, "clip"), "hours": hours(whole.hours),
        "captions": plural(whole.captions, "caption"),
        "received": plural(sum(flow.received for flow in every), "row"),
        "kept": f"{sum(flow.kept for flow in every):,}", "merged": f"{sum(flow.merged for flow in every):,}",
        "missing": f"{missing:,}", "files": plural(whole.files, "file"), "size": size(whole.bytes),
    }  # fmt: skip


def _lists(release: Release) -> dict[str, str]:
    held = facts(release.manifest)
    known = {corpus.name: corpus for corpus in release.corpora}
    kinds = sorted({file.schema for file in release.manifest.files})
    languages = {made.language for corpus in release.corpora for made in corpus.captions}
    return {
        "domains": enumerated(sorted({corpus.domain for corpus in release.corpora})),
        "corpora": bullets(
            f"{text(known[one.name].title if one.name in known else one.name)}: {plural(one.whole.clips, 'clip')}, "
            f"{hours(one.whole.hours)} hours, {plural(one.whole.captions, 'caption')}"
            for one in held.corpora
        ),
        "columns": enumerated([f"{len(schema(kind).names)} columns in {code(kind)}" for kind in kinds]),
        "splits": enumerated([f"{split} {plural(one.clips, 'clip')}" for split, one in held.splits.items()]),
        "acquired": bullets(_acquired(corpus) for corpus in release.corpora),
        "stages": _stages(release.recipe),
        "languages": enumerated(sorted(languages)) or NONE,
    }


def _sentences(release: Release) -> dict[str, str]:
    manifest, held = release.manifest, facts(release.manifest)
    heard = [tier for tier in held.tiers if tier != "captions"]
    speech = any(corpus.domain == "speech" for corpus in release.corpora)
    rows = generated(manifest)
    asked, passed = sum(row.asked for row in rows), sum(row.passed for row in rows)
    models = enumerated(sorted({code(row.model) for row in rows}))
    sets = compared(manifest)
    return {
        "audio": _HEARD if heard else "not part of this version",
        "captioned": f"{held.whole.captions_per_clip:.1f} captions per clip on average.",
        "separated": _SEPARATED if "Separate" in stages(release.recipe) else _UNSEPARATED,
        "contained": _PLAYS if heard else _POINTS,
        "people": _SPEECH if speech else _SILENT,
        "generated": f"By {models}: {passed:,} of {asked:,} passed the rules ({share(passed, asked)})."
        if rows
        else _UNGENERATED,
        "overlap": f"Compared with {plural(len(sets), 'evaluation set')}."
        if sets
        else "No evaluation set was compared.",
        "refused": _refused(release),
        "removed": f"Taken down so far: {plural(len(release.removals), 'clip') if release.removals else NONE}.",
    }


def _refused(release: Release) -> str:
    """How much audio stays at home, in a sentence."""
    kept_home = [one for one in release.refusals if one.tier != "captions"]
    if not kept_home:
        return ""
    clips, corpora = sum(one.clips for one in kept_home), len({one.corpus for one in kept_home})
    many = f"{plural(clips, 'clip')} of {plural(corpora, 'corpus')}"
    return f"The audio of {many} is not passed on, for its license forbids it."


def _acquired(corpus: Corpus) -> str:
    annotations = next((file.url for file in corpus.files if file.url), None)
    source = f", {link('annotations', annotations)}" if annotations else ""
    return f"{link(corpus.title, corpus.homepage)}: {_ACCESS[corpus.audio.access]}{source}"


def _stages(recipe: Mapping[str, object]) -> str:
    return ", ".join(code(name) for name in stages(recipe)) or NONE


def stages(recipe: Mapping[str, object]) -> list[str]:
    """The names of the stages of a frozen recipe, in their order."""
    every = recipe.get("stages", ())
    assert isinstance(every, Iterable), f"recipe.json has no list of stages: {every!r}"
    return [str(one.get("stage", "")) for one in every if isinstance(one, Mapping)]
