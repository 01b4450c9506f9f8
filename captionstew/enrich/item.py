"""What a prompt is made of and what the guard judges against: one clip's words, with nothing of its audio."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One clip as enrichment sees it; labels are AudioSet display names where they have one."""

    clip_id: str
    captions: tuple[str, ...] = ()  # the originals, human ones first
    certain: tuple[str, ...] = ()  # events that are there
    possible: tuple[str, ...] = ()  # events that may be there: they may be said, and need not be
    tags: tuple[str, ...] = ()
    domain: str = "sound"
    transcript: str | None = None
    order: tuple[str, ...] = ()  # events by when they begin; empty where that is not known
