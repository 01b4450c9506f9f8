"""One clip in full, with its waveform in a line."""

import difflib
from typing import Any

import numpy as np
import polars as pl

from captionstew.audio.codec import Pcm, decode_pcm
from captionstew.cli.console import DOT, Console
from captionstew.cli.figures import license_name, size
from captionstew.errors import StewError
from captionstew.shards.layout import shard_files
from captionstew.shards.read import Clips

_BLOCKS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_WAVE = 60  # characters
_FLOOR = -54.0  # dBFS; below it a block is empty
_MOST_IDS = 20_000  # that are compared with a misspelt one


def show(clips: Clips, clip_id: str, console: Console) -> None:
    """Everything that the build knows of a clip."""
    row: dict[str, Any] = clips.row(_find(clips, clip_id)).to_pylist()[0]
    audio = row.pop("audio")
    row["fingerprint"] = row["fingerprint"].hex()
    pcm, _ = decode_pcm(audio["bytes"], row["codec"])
    console.data(row | {"audio": {"path": audio["path"], "bytes": len(audio["bytes"])}})
    console.wrapped(DOT.join([row["clip_id"], row["corpus"], row["split"], row["domain"]]))
    console.say()
    console.say(f"  {wave(pcm)}")
    source = f"{row['source_container']} {row['source_sample_rate']:,} Hz, {row['source_channels']} ch"
    kept = f"{row['codec']} {row['sample_rate']:,} Hz, {size(len(audio['bytes']))}"
    console.say("  " + DOT.join([f"{row['duration']:.3f} s", kept, f"from {source}"]))
    _captions(row["captions"], console)
    for name, text in _fields(row).items():
        if text:
            console.wrapped(f"  {name:12} {text}", indent=" " * 15)


def wave(pcm: Pcm, width: int = _WAVE) -> str:
    """The peaks of the samples as blocks, 6 dB each."""
    peaks = [np.abs(part.astype(np.int32)).max(initial=0) for part in np.array_split(pcm, width)]
    levels = [20 * np.log10(max(peak, 1) / 32768) for peak in peaks]
    step = -_FLOOR / (len(_BLOCKS) - 1)
    return "".join(_BLOCKS[int(np.clip((level - _FLOOR) / step + 1, 0, 8))] for level in levels)


def _captions(captions: list[dict[str, Any]], console: Console) -> None:
    console.say()
    for number, caption in enumerate(captions, 1):
        by = " ".join(part for part in (caption["style"], caption["source"], caption["model"] or "") if part)
        console.wrapped(f"  {number:2} {caption['text']}   [{by}]", indent="     ")
    if captions:
        console.say()


def _fields(row: dict[str, Any]) -> dict[str, str]:
    loud, peak = row["loudness"], row["peak"]
    measures = [
        "silent throughout" if loud is None else f"{loud:.1f} LUFS",
        "" if peak is None else f"peak {peak:.1f} dBFS",
        f"silence {row['silence']:.0%}",
        f"clipping {row['clipping']:.1%}",
        f"dc {round(row['dc_offset'], 4) + 0.0:g}",
        f"bandwidth {row['bandwidth']:,.0f} Hz",
    ]
    return {
        "events": ", ".join(f"{event['label']} {event['score']:.2f}" for event in row["events"]),
        "tags": ", ".join(row["tags"]),
        "transcript": row["transcript"] or "",
        "speaker": row["speaker"] or "",
        "measures": DOT.join(filter(None, measures)),
        "license": license_name(row["license"]),
        "attribution": row["attribution"] or "",
        "source": row["source_id"] + _span(row["start"], row["end"]),
        "page": row["source_url"] or "",
        "sha256": row["audio_sha256"],
    }


def _span(start: float | None, end: float | None) -> str:
    if start is None:
        return ""
    return f"   from {start:g} s on" if end is None else f"   {start:g} to {end:g} s"


def _find(clips: Clips, clip_id: str) -> int:
    """The clip's number; an error that names ids alike if there is none."""
    try:
        return clips.find(clip_id)
    except StewError as error:
        near = _alike(clips, clip_id)
        hint = f"did you mean {' or '.join(near)}?" if near else error.hint
        raise StewError(error.message, where=error.where, hint=hint) from None


def _alike(clips: Clips, clip_id: str) -> list[str]:
    """Ids that hold this text, or else look like it."""
    ids = pl.scan_parquet(shard_files(clips.folder, "audio")).select("clip_id")
    bare = clip_id.partition(":")[2] or clip_id
    bare = bare.split("@")[0]
    holding = (
        ids.filter(pl.col("clip_id").str.contains(bare, literal=True)).head(3).collect()["clip_id"].to_list()
    )
    if holding and bare:
        return [f"'{one}'" for one in holding]
    some = ids.head(_MOST_IDS).collect()["clip_id"].to_list()
    return [f"'{one}'" for one in difflib.get_close_matches(clip_id, some, n=2)]
