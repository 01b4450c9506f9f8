"""The clips of a build as plain facts and encoded audio, in the order of its shards."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from captionstew.audio.codec import Undecodable, decode_pcm
from captionstew.audio.encode import SUFFIXES, encode
from captionstew.errors import StewError
from captionstew.schema import schema
from captionstew.shards.read import Clips, Numbers

_PRIVATE = "pcm-zstd"  # that no other tool reads
_FACTS = tuple(name for name in schema("clip.v1").names if name != "audio")
_HEX = "fingerprint"


@dataclass(frozen=True)
class Clip:
    """A clip: all columns of clip.v1 but the audio as JSON has them, and the audio with its suffix."""

    facts: Mapping[str, Any]
    audio: bytes
    suffix: str

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.facts["clip_id"])

    @property
    def texts(self) -> list[str]:
        """Its captions, people's first."""
        return [caption["text"] for caption in self.facts["captions"]]


def exported(clips: Clips, numbers: Numbers, *, audio: bool = True) -> Iterator[Clip]:
    """The clips of these numbers, which ascend; audio is as the shard holds it, zstd-coded PCM becomes FLAC.

    One row group's columns are in memory, and the audio of one clip; without `audio` that is empty.
    """
    if not len(numbers):
        return
    given = 0
    for first, table in clips.tables(int(numbers[0]), int(numbers[-1]) + 1, _FACTS):
        low, high = np.searchsorted(numbers, [first, first + len(table)])
        inside = numbers[low:high].astype(np.int64)
        rows = _plain(table.take(pa.array(inside - first)))
        for number, row in zip(inside.tolist(), rows, strict=True):
            yield _clip(clips, number, row, audio=audio)
        given += len(inside)
    assert given == len(numbers), f"{given} of {len(numbers)} clips were found"


def json_line(facts: Mapping[str, Any]) -> bytes:
    """Facts as one line of JSON, the same bytes for the same facts."""
    return (json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _clip(clips: Clips, number: int, row: dict[str, Any], *, audio: bool) -> Clip:
    codec, data = row["codec"], clips.clip_bytes(number) if audio else b""
    if codec == _PRIVATE and audio:
        try:
            pcm, rate = decode_pcm(data, codec)
        except Undecodable as error:
            hint = "captionstew validate says which shards are damaged: build or fetch them again"
            message = f"the audio of {row['clip_id']} does not decode"
            raise StewError(message, cause=error.detail, where=str(clips.folder), hint=hint) from None
        data, row["codec"] = encode(pcm, rate, "flac"), "flac"
    return Clip(row, data, SUFFIXES[row["codec"]])


def _plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as JSON has them: 32-bit numbers as short as they are exact, bytes in hex."""
    narrow = [field.name for field in table.schema if field.type == pa.float32()]
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        for name in narrow:
            row[name] = _short(row[name])
        for event in row["events"]:
            event["score"] = _short(event["score"])
        row[_HEX] = row[_HEX].hex()
    return rows


def _short(value: float | None) -> float | None:
    """The shortest number that is this one in 32 bits."""
    return None if value is None else float(str(np.float32(value)))
