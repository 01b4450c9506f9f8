"""A Lhotse cut as a row of annotations, or the reason why it cannot be one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, get_args

from captionstew.audio.files import SUFFIXES
from captionstew.clip import is_safe_id
from captionstew.corpora.facts import Domain
from captionstew.corpora.strict import nearest
from captionstew.interchange.said import Caption, captions, events, listed, one_of, said, strings

SCHEME = "folder"  # of ids that are not of ours
_CUTS = {"MonoCut", "MultiCut", "Cut"}  # `Cut` before Lhotse 0.8
_PACKED = "shar"  # the type of a source whose sound is in a tar
_EXACT = 1e-3  # s; that a cut is all of its recording
_MOST_CHANNELS = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Unfit(Exception):
    """A cut that cannot be imported: the drop reason, and what exactly is wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Defaults:
    """What is true of cuts that do not say otherwise; `splits` are the names of splits and what they mean."""

    splits: Mapping[str, str]
    split: str = "train"
    style: str = "human"


@dataclass(frozen=True)
class Row:
    """A cut that can be imported; `path` as the manifest has it, `start` and `end` where the file is longer.

    If it is `packed`, as in Lhotse Shar, the sound is in a tar beside the manifest, and `path` the cut's own id.
    """

    id: str
    source: str
    path: str
    packed: bool
    start: float | None
    end: float | None
    channel: int | None  # from 1 on, where the file has others too
    split: str
    captions: tuple[Caption, ...]
    domain: str | None = None
    license: str | None = None
    attribution: str | None = None
    source_url: str | None = None
    transcript: str | None = None
    speaker: str | None = None
    tags: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


def row(cut: Mapping[str, Any], defaults: Defaults) -> Row:
    """The cut as a row. Unfit: `no-cut`, `mixed`, `no-recording`, `source`, `transformed`, `channels`, `interval`,
    `path`, `id`, `split`.
    """
    kind = str(cut.get("type", "MonoCut"))
    if "tracks" in cut or kind in {"MixedCut", "PaddingCut"}:
        raise Unfit("mixed", f"a {kind} is no excerpt of one recording")
    if kind not in _CUTS or not {"id", "duration"} <= set(cut) or "sources" in cut:
        raise Unfit("no-cut", f"type {kind}, with {', '.join(sorted(cut))}"[:200])
    recording = cut.get("recording")
    if not isinstance(recording, dict):
        raise Unfit("no-recording", "the cut has no recording")
    of = said(cut)
    ours = of.text("clip_id") == cut.get("id")  # an export of ours: ids are canonical already
    source, channel = _source(cut, recording)
    packed, key = source["type"] == _PACKED, _id(cut.get("id"), ours=ours)
    start, end = _interval(cut, recording, narrowed=channel is not None)
    return Row(
        id=key,
        source=_source_id(of.text("source_id") if ours else None, recording.get("id")),
        path=cut["id"] if packed else _path(source["source"], recording),
        packed=packed,
        start=start,
        end=end,
        channel=channel,
        split=_split(of.text("split"), defaults),
        captions=tuple(captions(of, defaults.style)),
        domain=one_of(of.text("domain"), get_args(Domain)),
        license=of.text("license"),
        attribution=of.text("attribution"),
        source_url=of.text("source_url"),
        transcript=of.transcript,
        speaker=of.speaker,
        tags=strings(of.first("tags")) + strings(of.first("audio_tag")),
        events=list(events(of.first("events"))),
    )


def _source(cut: Mapping[str, Any], recording: Mapping[str, Any]) -> tuple[Mapping[str, str], int | None]:
    """The file with the cut's channels, and which of its channels is the cut's, where it has others too."""
    for transform in listed(recording.get("transforms")):
        name = transform.get("name") if isinstance(transform, dict) else transform
        if name != "Resample":
            raise Unfit("transformed", f"{name!r} has changed the recording")
    sources = [one for one in listed(recording.get("sources")) if isinstance(one, dict)]
    strange = [one.get("type") for one in sources if one.get("type") not in ("file", _PACKED)]
    if strange or not sources:
        raise Unfit("source", f"a source is a {strange[0]!r}, not a file" if strange else "no source")
    wanted = cut.get("channel", 0)
    channels = sorted(map(str, wanted if isinstance(wanted, list) else [wanted]))
    for source in sources:
        there = [str(one) for one in listed(source.get("channels"))]
        if not isinstance(source.get("source"), str):
            continue
        if channels == sorted(there):
            return source, None
        if len(channels) == 1 and channels[0] in there[:_MOST_CHANNELS]:
            return source, there.index(channels[0]) + 1
    raise Unfit("channels", f"{wanted} of {[one.get('channels') for one in sources]}"[:200])


def _interval(
    cut: Mapping[str, Any], recording: Mapping[str, Any], *, narrowed: bool
) -> tuple[float | None, float | None]:
    """Where the cut lies in the recording; nothing where it is all of it, unless it is `narrowed` to a channel."""
    start, duration = _seconds(cut.get("start", 0.0)), _seconds(cut.get("duration"))
    length = _seconds(recording.get("duration"))
    if duration <= 0 or start < 0 or start + duration > length + _EXACT:
        raise Unfit("interval", f"{start} s and {duration} s of {length} s")
    if not narrowed and start < _EXACT and abs(duration - length) < _EXACT:
        return None, None
    return start, round(start + duration, 6)


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9:  # a day is 86,400
        return float(value)
    raise Unfit("interval", f"{str(value)[:40]} is no number of seconds")


def _path(source: str, recording: Mapping[str, Any]) -> str:
    """The path of the file; the recording's id where the source is no name of an audio file (UTS has corpora there)."""
    path = source
    if PurePosixPath(source).suffix.lower() not in SUFFIXES:
        path = str(recording.get("id") or source)
    if not path or _CONTROL.search(path) or len(path.encode()) > 4096:
        raise Unfit("path", repr(path[:80]))
    return path


def _id(given: object, *, ours: bool) -> str:
    key = str(given) if ours else f"{SCHEME}:{given}"
    if not isinstance(given, str) or not is_safe_id(key):
        raise Unfit("id", repr(given)[:80])
    return key


def _source_id(ours: str | None, given: object) -> str:
    key = ours or f"{SCHEME}:{given}"
    if not isinstance(given, str) or not is_safe_id(key):
        raise Unfit("id", f"of the recording: {given!r}"[:80])
    return key


def _split(given: str | None, defaults: Defaults) -> str:
    if given is None:
        return defaults.split
    if given not in defaults.splits:
        raise Unfit("split", f"{given!r}, {nearest(given, defaults.splits)}"[:200])
    return defaults.splits[given]
