"""Everything that the sections read, gathered once."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from captionstew.audio.codec import Undecodable
from captionstew.report.facts import Gone, Rejected, Verdicts, gone, verdicts
from captionstew.report.public import Everything, Permitted, Shown, shown
from captionstew.report.rows import Rows, rows
from captionstew.report.sample import Clip, by_id, clips, drawn
from captionstew.report.since import Since, since
from captionstew.report.sound import Sound, sound
from captionstew.report.source import Source

CLIPS = 24
LONGEST = 10.0  # s of a clip that are on the page
_AUDIO = 1_900_000  # bytes of Opus on a page: 2.5 MB as text, half of what a page may have
_PER_SECOND = 4_200  # bytes of Opus, about
_HEARD = 12  # rejected captions with their sound
_SHORT = 5.0  # s of it

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Heard:
    """A clip of the page: what may be shown of it, and its sound, or why there is none."""

    clip: Clip
    shown: Shown
    sound: Sound | None
    silent: str = ""


@dataclass(frozen=True)
class Material:
    """A build, and all that was read of it."""

    source: Source
    allowed: Everything | Permitted
    rows: Rows
    heard: tuple[Heard, ...]
    verdicts: Verdicts
    rejected: Mapping[str, Heard] = field(default_factory=dict)  # by clip id
    gone: Mapping[tuple[str, str, str], Gone] = field(default_factory=dict)
    since: Since | None = None

    @property
    def sounds(self) -> int:
        """Clips that can be played on the page."""
        return sum(one.sound is not None for one in (*self.heard, *self.rejected.values()))


def material(
    source: Source, *, clips_shown: int, public: bool, against: Source | None, tell: Tell
) -> Material:
    """One pass over the rows of the build, one more over those of the version it is compared with."""
    allowed = shown(public)
    tell("reading all rows ...")
    found = rows(source, clips_shown)
    told = verdicts(source)
    worst = _worst(told)
    longest = seconds_each(clips_shown, len(worst))
    tell("drawing the clips ...")
    heard = _each(clips(source, drawn(found, clips_shown)), allowed, longest)
    stopped = _each(by_id(source, worst), allowed, min(_SHORT, longest)) if worst else ()
    rejected = {one.clip.clip_id: one for one in stopped}
    compared = None
    if against is not None:
        tell("comparing with the earlier version ...")
        compared = since(against, source)
    return Material(source, allowed, found, heard, told, rejected, gone(source), compared)


def seconds_each(number: int, rejected: int) -> float:
    """Seconds of each clip, so that the page stays small however many there are."""
    left = _AUDIO - rejected * _SHORT * _PER_SECOND
    return round(min(LONGEST, max(1.0, left / _PER_SECOND / max(1, number))), 1)


def _worst(told: Verdicts) -> list[str]:
    """Clips with rejected captions, some of each reason in turn."""
    queues: Sequence[Sequence[Rejected]] = list(told.rejected.values())
    turns = [
        queue[at] for at in range(max(map(len, queues), default=0)) for queue in queues if at < len(queue)
    ]
    return list(dict.fromkeys(one.clip_id for one in turns))[:_HEARD]


def _each(several: Sequence[Clip], allowed: Everything | Permitted, longest: float) -> tuple[Heard, ...]:
    """All of them, in their order; Opus takes most of the time of a report and leaves Python to the other threads."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return tuple(pool.map(partial(_heard, allowed=allowed, longest=longest), several))


def _heard(clip: Clip, allowed: Everything | Permitted, longest: float) -> Heard:
    may = allowed.clip(clip.row["corpus"], clip.row["license"])
    if clip.audio is None:
        return Heard(clip, may, None, "its audio is not in this folder")
    if not may.sound:
        return Heard(clip, may, None, may.why)
    try:
        return Heard(clip, may, sound(clip.audio, clip.row["codec"], longest))
    except Undecodable as error:
        return Heard(clip, may, None, f"its audio cannot be decoded: {error}")
