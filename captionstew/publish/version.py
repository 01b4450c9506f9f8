"""Tags: which number of MAJOR.MINOR.PATCH a release must raise, and why.

Major: the schema changes, or the splits do. Minor: corpora, clips or captions are added. Patch: rows are removed or
mended. The first release is v1.0.0, since the promises hold from it on: a 0.x would promise nothing.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pyarrow as pa

from captionstew.errors import UsageError
from captionstew.publish.contents import TIERS
from captionstew.shards.columns import read_columns
from captionstew.shards.manifest import Manifest
from captionstew.shards.release import ReleaseFile
from captionstew.shards.remote import Remote, RemoteFile

Level = Literal["major", "minor", "patch"]
LEVELS: tuple[Level, ...] = ("patch", "minor", "major")
FIRST = "v1.0.0"
_COLUMNS = ("clip_id", "audio_sha256")
_TAG = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
Rows = Callable[[ReleaseFile], pa.Table]  # clip_id and audio_sha256 of a file


@dataclass(frozen=True)
class Step:
    """From one version to the next: the least that it must be, and what makes it so."""

    level: Level
    why: str


def is_version(tag: str) -> bool:
    """Whether a tag is written as versions are."""
    return bool(_TAG.fullmatch(tag))


def newest(tags: Iterable[str]) -> str:
    """The highest version among tags, of which others may be anything; empty if there is none."""
    return max((tag for tag in tags if _TAG.fullmatch(tag)), key=_numbers, default="")


def after(tag: str, level: Level) -> str:
    """The version that follows by one step."""
    major, minor, patch = _numbers(tag)
    steps = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}
    return "v{}.{}.{}".format(*steps[level])


def chosen(asked: str, before: str, step: Step | None) -> str:
    """The tag of a release: what was asked for if it keeps the promises, else UsageError; by default the next one."""
    if asked and not _TAG.fullmatch(asked):
        raise UsageError(
            f'"{asked}" is no version', hint=f"write vMAJOR.MINOR.PATCH, such as {before or FIRST}"
        )
    if step is None or not before:
        return asked or before or FIRST
    least = after(before, step.level)
    allowed = [after(before, level) for level in LEVELS[LEVELS.index(step.level) :]]
    if asked and asked not in allowed:
        raise UsageError(
            f"{asked} cannot follow {before}",
            cause=f"{step.why}: a {step.level} version, or more",
            hint=f"--tag {least}, or leave --tag out",
        )
    return asked or least


def step(
    before: Manifest, now: Manifest, old_rows: Rows, new_rows: Rows, removed: Iterable[str] = ()
) -> Step | None:
    """What the release `now` is after `before`; None if they hold the same files.

    Rows are read of those files alone that hold evaluation splits and have changed. Clips in `removed` may leave any
    split at any time.
    """
    if _hashes(before.files) == _hashes(now.files):
        return None
    if why := _broken(before, now) or _splits(before, now, old_rows, new_rows, frozenset(removed)):
        return Step("major", why)
    went = _went(before, now, old_rows, frozenset(removed))
    held = f"{_many(went, 'evaluation clip')} taken down" if went else "evaluation splits unchanged"
    return _added(before, now, held) or Step("patch", f"rows were removed or mended; {held}")


def rows_at(url: str) -> Rows:
    """Reads the rows of a published release, over the network and only when asked."""

    @cache
    def release() -> Remote:
        return Remote(url)

    return lambda file: read_columns(RemoteFile(release(), file.path), _COLUMNS)


def rows_in(places: Mapping[str, Path]) -> Rows:
    """Reads the rows of files by where they lie."""
    return lambda file: read_columns(places[file.path], _COLUMNS)


def _broken(before: Manifest, now: Manifest) -> str:
    """What readers of the last version would miss."""
    old, new = ({file.schema for file in one.files} for one in (before, now))
    if old - new and not new < old:
        return f"the schema is {', '.join(sorted(new))}"
    gone = {file.tier for file in before.files} - {file.tier for file in now.files}
    return f"there is no {' and no '.join(tier for tier in TIERS if tier in gone)} any more" if gone else ""


def _splits(before: Manifest, now: Manifest, old_rows: Rows, new_rows: Rows, removed: frozenset[str]) -> str:
    """The first evaluation split whose clips are not those of the last version."""
    old, new = _evaluation(before), _evaluation(now)
    for (corpus, split), files in sorted(old.items()):
        others = new.get((corpus, split), ())
        if _hashes(files) == _hashes(others):
            continue
        was, is_ = _clips(files, old_rows), _clips(others, new_rows)
        kept = {clip: sound for clip, sound in was.items() if clip not in removed}
        if kept != is_:
            lost, come = len(kept.keys() - is_.keys()), len(is_.keys() - kept.keys())
            other = sum(is_[clip] != sound for clip, sound in kept.items() if clip in is_)
            parts = ((lost, "fewer"), (come, "more"), (other, "with other audio"))
            return f"{corpus} {split} has " + ", ".join(
                f"{_many(n, 'clip')} {what}" for n, what in parts if n
            )
    return ""


def _went(before: Manifest, now: Manifest, old_rows: Rows, removed: frozenset[str]) -> int:
    """Clips of evaluation splits that were taken down since."""
    old, new = _evaluation(before), _evaluation(now)
    changed = [files for key, files in old.items() if _hashes(files) != _hashes(new.get(key, ()))]
    return sum(len(_clips(files, old_rows).keys() & removed) for files in changed) if removed else 0


def _added(before: Manifest, now: Manifest, held: str) -> Step | None:
    old, new = ({total.corpus for total in one.totals} for one in (before, now))
    if come := sorted(new - old):
        names = ", ".join(come[:3]) + (", ..." if len(come) > 3 else "")
        return Step("minor", f"{len(come)} {'corpus' if len(come) == 1 else 'corpora'} added: {names}")
    tiers = {file.tier for file in now.files} - {file.tier for file in before.files}
    if tiers:
        return Step("minor", f"{', '.join(sorted(tiers))} added")
    for what in ("clips", "captions"):
        more = sum(getattr(total, what) * (1 if one is now else -1) for one in (before, now)
                   for total in one.totals if total.tier == "captions")  # fmt: skip
        if more > 0:
            return Step("minor", f"{_many(more, what[:-1])} more; {held}")
    return None


def _evaluation(manifest: Manifest) -> Mapping[tuple[str, str], list[ReleaseFile]]:
    """The files of the evaluation splits; the tier `captions` has every clip."""
    found: dict[tuple[str, str], list[ReleaseFile]] = {}
    for file in manifest.files:
        if file.tier == "captions" and file.split != "train":
            found.setdefault((file.corpus, file.split), []).append(file)
    return found


def _clips(files: Iterable[ReleaseFile], rows: Rows) -> dict[str, str]:
    """Every clip and the hash of its sound."""
    sounds: dict[str, str] = {}
    for file in files:
        table = rows(file)
        sounds |= zip(table["clip_id"].to_pylist(), table["audio_sha256"].to_pylist(), strict=True)
    return sounds


def _hashes(files: Iterable[ReleaseFile]) -> list[tuple[str, str]]:
    return sorted((file.path, file.sha256) for file in files)


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _numbers(tag: str) -> tuple[int, int, int]:
    match = _TAG.fullmatch(tag)
    assert match, tag
    return int(match[1]), int(match[2]), int(match[3])
