"""CHANGELOG.md: a section per tag, counted from two manifests; what was written before stays as it is."""

import re
from collections.abc import Iterable

from captionstew.figures import plural
from captionstew.publish.contents import Release
from captionstew.publish.facts import Amount, Change, changes, facts
from captionstew.publish.markdown import bullets, hours, table, text

_HEAD = "# Changelog\n\nVersions of the data, newest first. Numbers are those of each `manifest.json`."
_SECTION = re.compile(r"^## (v\d+\.\d+\.\d+)(?: · (\d{4}-\d{2}-\d{2}))?[ \t]*$", re.MULTILINE)


def changelog(release: Release, date: str = "") -> str:
    """The document with a section for the tag on top; as it was if it has one already."""
    before = release.changelog.strip("\n")
    if published(release) is not None:
        return release.changelog
    newest = _SECTION.search(before)
    at = newest.start() if newest else len(before)
    head, older = before[:at].strip("\n") or _HEAD, before[at:]
    return "\n\n".join(part for part in (head, _section(release, date), older) if part) + "\n"


def published(release: Release) -> str | None:
    """The date under which the changelog names the tag already, maybe empty; None if it does not."""
    found = {tag: date or "" for tag, date in _SECTION.findall(release.changelog)}
    return found.get(release.tag)


def _section(release: Release, date: str) -> str:
    title = f"## {release.tag} · {date}" if date else f"## {release.tag}"
    parts = [title, *(["\n".join(text(note, 2000) for note in release.notes)] if release.notes else [])]
    if release.previous is None:
        whole = facts(release.manifest).whole
        parts += [f"First version: {_amount(whole)}.", _first(release)]
        return "\n\n".join(parts)
    every = changes(release.previous, release.manifest)
    parts += [
        f"{_step(release)}, since {text(release.previous_tag)}:",
        bullets(reasons(release)),
        _changed(every),
    ]
    return "\n\n".join(part for part in parts if part)


def reasons(release: Release) -> list[str]:
    """What changed since the previous tag, and with it why the version is what it is; plain Markdown."""
    assert release.previous is not None
    old, new = release.previous, release.manifest
    every = changes(old, new)
    lines = []
    schemas = {file.schema for file in old.files}, {file.schema for file in new.files}
    if schemas[0] - schemas[1]:
        lines.append(f"columns: {_names(schemas[0])} became {_names(schemas[1])}")
    if splits := _splits(release):
        lines.append(f"evaluation splits changed: {', '.join(splits)}")
    for kind, verb in (("added", "corpora added"), ("removed", "corpora removed")):
        if names := [one.corpus for one in every if one.kind == kind]:
            lines.append(f"{verb}: {_names(names)}")
    lines += _grown(every)
    if taken := [one for one in release.removals if one.tag == release.tag]:
        lines.append(f"taken down: {plural(len(taken), 'clip')}")
    if old.recipe_digest != new.recipe_digest:
        lines.append(f"the recipe changed: {text(old.recipe_digest)} became {text(new.recipe_digest)}")
    return lines or ["nothing but the documents"]


def _step(release: Release) -> str:
    """Which number was raised."""
    numbers = zip(
        _numbers(release.previous_tag), _numbers(release.tag), ("Major", "Minor", "Patch"), strict=True
    )
    return next((f"{name} version" for old, new, name in numbers if old != new), "The same version")


def _numbers(tag: str) -> list[str]:
    return tag.removeprefix("v").split(".")


def _splits(release: Release) -> list[str]:
    """Evaluation splits whose number of clips changed, of corpora that were there before."""
    assert release.previous is not None
    old, new = facts(release.previous), facts(release.manifest)
    found = []
    for corpus in old.corpora:
        for split, amount in corpus.splits.items():
            now = new.corpus(corpus.name).splits.get(split, Amount())
            if split != "train" and now.clips != amount.clips and new.corpus(corpus.name).whole.files:
                found.append(f"{text(corpus.name)} {split} {amount.clips:,} to {now.clips:,}")
    return found


def _grown(every: Iterable[Change]) -> list[str]:
    """Clips and captions more or fewer, over the corpora that both have."""
    both = [one for one in every if one.kind == "changed"]
    lines = []
    for noun in ("clip", "caption"):
        changed = [getattr(one.after, f"{noun}s") - getattr(one.before, f"{noun}s") for one in both]
        more, fewer = sum(n for n in changed if n > 0), -sum(n for n in changed if n < 0)
        lines += [f"{plural(more, noun)} more in corpora that were there"] if more else []
        lines += [f"{plural(fewer, noun)} fewer in corpora that were there"] if fewer else []
    rewritten = [
        one
        for one in both
        if one.before.clips == one.after.clips and one.before.captions == one.after.captions
    ]
    if rewritten:
        lines.append(f"rows changed, as many as before: {_names(one.corpus for one in rewritten)}")
    return lines


def _changed(every: Iterable[Change]) -> str:
    head = (
        "corpus",
        "what",
        "clips:",
        "before:",
        "captions:",
        "before:",
        "files new:",
        "changed:",
        "same:",
        "gone:",
    )
    rows = [
        (text(one.corpus), one.kind, f"{one.after.clips:,}", f"{one.before.clips:,}", f"{one.after.captions:,}",
         f"{one.before.captions:,}", f"{one.new:,}", f"{one.changed:,}", f"{one.same:,}", f"{one.gone:,}")
        for one in every
    ]  # fmt: skip
    return table(head, rows)


def _first(release: Release) -> str:
    rows = [
        (
            text(one.name),
            f"{one.whole.clips:,}",
            hours(one.whole.hours),
            f"{one.whole.captions:,}",
            ", ".join(one.tiers),
        )
        for one in facts(release.manifest).corpora
    ]
    return table(("corpus", "clips:", "hours:", "captions:", "in"), rows)


def _amount(amount: Amount) -> str:
    return (
        f"{plural(amount.clips, 'clip')}, {hours(amount.hours)} hours, {plural(amount.captions, 'caption')}"
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(text(name) for name in sorted(names))
