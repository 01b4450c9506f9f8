"""One clip in full: what is known of it, how it looks, how it sounds."""

import sys
from pathlib import Path
from typing import Any

from captionstew.audio.codec import Pcm, Undecodable, decode_pcm
from captionstew.cli.clip_png import write_png
from captionstew.cli.console import DOT, LOOK, Console, colourful, visible
from captionstew.cli.parser import Arguments
from captionstew.cli.picture import picture
from captionstew.cli.play import play
from captionstew.errors import StewError
from captionstew.figures import license_name, size
from captionstew.shards.rows import Opened

_WIDTH, _MOST = 80, 120  # of the picture: where nobody looks, and at most


def show(opened: Opened, arguments: Arguments, console: Console) -> None:
    """Everything that a release knows of the clip `arguments.clip`; drawn to a file and played, if asked."""
    row = _row(opened, arguments)
    audio, pcm = row.pop("audio", None), None
    if audio:
        try:
            pcm, _ = decode_pcm(audio["bytes"], row["codec"])
        except Undecodable as error:
            hint = "captionstew validate says what else is wrong"
            raise StewError(
                "its audio cannot be decoded", cause=str(error), where=row["clip_id"], hint=hint
            ) from None
    elif arguments.play or arguments.png:
        hint = f"captionstew attach {arguments.folder} --audio {row['corpus']}=DIR joins your audio to it"
        raise StewError("this release has no audio of the clip", where=row["clip_id"], hint=hint)
    if arguments.png and pcm is not None:
        write_png(Path(arguments.png).expanduser(), pcm, row)
    held = {"path": audio["path"], "bytes": len(audio["bytes"])} if audio else None
    more = {"png": arguments.png} if arguments.png else {}
    console.data(row | {"fingerprint": row["fingerprint"].hex(), "audio": held} | more)
    _say(row, held, pcm, console)
    if arguments.png:
        console.say(f"  drawn        {arguments.png}")
    if arguments.play and pcm is not None:
        sys.stdout.flush()
        console.tell(f"playing {row['duration']:.1f} s")
        play(pcm, row["sample_rate"])


def _row(opened: Opened, arguments: Arguments) -> dict[str, Any]:
    """The clip's row; an error that names ids alike if there is none."""
    clip_id: str = arguments.clip
    for rows in (opened.audio, opened.captions):
        if (index := rows.find(clip_id)) is not None:
            row: dict[str, Any] = rows.row(index).to_pylist()[0]
            return row
    near = " or ".join(f"'{one}'" for one in opened.shown.near(clip_id))
    hint = f"did you mean {near}?" if near else f"some of its ids: captionstew inspect {arguments.folder}"
    raise StewError(f"no clip {clip_id!r}", where=str(arguments.folder), hint=hint)


def _say(row: dict[str, Any], held: dict[str, Any] | None, pcm: Pcm | None, console: Console) -> None:
    console.wrapped(DOT.join([row["clip_id"], row["corpus"], row["split"], row["domain"]]))
    console.say()
    if pcm is not None:
        width = min(console.width or _WIDTH, _MOST)
        for line in picture(pcm, row["sample_rate"], width, coloured=colourful(sys.stdout)):
            console.say(line)
        console.say()
    source = f"{row['source_container']} {row['source_sample_rate']:,} Hz, {row['source_channels']} ch"
    kept = f"{row['codec']} {row['sample_rate']:,} Hz, {size(held['bytes'])}" if held else "captions only"
    console.say("  " + visible(DOT.join([f"{row['duration']:.3f} s", kept, f"from {source}"])))
    _captions(row["captions"], console)
    if pcm is None:
        console.mark(LOOK, "no audio is published with it")
    for name, text in _fields(row).items():
        if text:
            console.wrapped(f"  {name:12} {text}", indent=" " * 15)


def _captions(captions: list[dict[str, Any]], console: Console) -> None:
    """Each with who wrote it: style, source, model and prompt."""
    console.say()
    for number, caption in enumerate(captions, 1):
        by = [caption["style"], caption["source"], caption["model"] or ""]
        by += [f"prompt {caption['prompt']}"] if caption["prompt"] else []
        console.wrapped(f"  {number:2} {caption['text']}   [{' '.join(filter(None, by))}]", indent="     ")
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
        "subset": row["subset"] or "",
        "sha256": row["audio_sha256"],
    }


def _span(start: float | None, end: float | None) -> str:
    if start is None:
        return ""
    return f"   from {start:g} s on" if end is None else f"   {start:g} to {end:g} s"
