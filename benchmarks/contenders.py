"""One contender of the build benchmark in a process of its own: the bare codec loop, ours, or a peer.

Run as `python -m benchmarks.contenders NAME INPUT OUT`, where INPUT is a folder with `clips.jsonl`. Prints one JSON
object. Imports come before the clock starts, for all alike.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS, RATE, Clip, Writer, clips_of, transcode
from benchmarks.usage import Clock, folder_bytes


def codec(clips: list[Clip], _out: Path, *, encode_all: bool = True) -> dict[str, Any]:
    """The limit: our own decoder, resampler and encoder in a loop, formats known beforehand, nothing kept."""
    from captionstew.audio.codec import decode_mono, decode_pcm, probe
    from captionstew.audio.encode import encode
    from captionstew.audio.signal import quantise, resample
    from captionstew.pipeline.memory import audio_process

    target = ("flac", "PCM_16", RATE, 1)
    forms = [probe(clip.path) for clip in clips]
    with audio_process():
        clock, size = Clock(), 0
        for clip, form in zip(clips, forms, strict=True):
            data = Path(clip.path).read_bytes()
            if encode_all or (form.container, form.subtype, form.sample_rate, form.channels) != target:
                samples = resample(decode_mono(data, form), form.sample_rate, RATE)
                size += len(encode(quantise(samples), RATE, "flac"))
            else:
                decode_pcm(data, "flac")
                size += len(data)
        return {"clock": clock.read(), "bytes": size}


def codec_pass(clips: list[Clip], out: Path) -> dict[str, Any]:
    """The same, but 16 kHz mono FLAC is decoded and not encoded again, as in a build."""
    return codec(clips, out, encode_all=False)


def plain(clips: list[Clip], _out: Path) -> dict[str, Any]:
    """The loop that anybody would write: soundfile, soxr, soundfile."""
    clock = Clock()
    size = sum(len(transcode(clip.path)[0]) for clip in clips)
    return {"clock": clock.read(), "bytes": size}


def ours(clips: list[Clip], out: Path, cluster: str = "none") -> dict[str, Any]:
    """The recipe `folder`, every stage, from the table to the manifest."""
    from captionstew.corpora.readers.folder import own
    from captionstew.pipeline.build import Build
    from captionstew.pipeline.request import Request
    from pipelines.folder import folder

    table = Path(clips[0].path).parent.parent / "clips.jsonl"
    clock = Clock()
    corpus, places = own(table)
    request = Request(folder, out, (corpus,), {corpus.name: tuple(places)}, cluster=cluster)
    summary = Build(request).run()
    took = clock.read()
    kept = sum(shard.rows for shard in summary.manifest.files)
    assert kept == len(clips), f"{len(clips) - kept} clips were dropped: {summary.manifest.accounting}"
    return {"clock": took, "runner": summary.runner, "bytes": folder_bytes(out / "data")}


def ours_1(clips: list[Clip], out: Path) -> dict[str, Any]:
    """Ours on one core with one thread."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return ours(clips, out)


def ray(clips: list[Clip], out: Path) -> dict[str, Any]:
    """Ours on a Ray of this machine, its start and end included."""
    importlib.import_module("ray")
    return ours(clips, out, "local")


CONTENDERS: dict[str, Writer] = {
    "codec": codec, "codec-pass": codec_pass, "plain": plain, "ours": ours, "ours-1": ours_1, "ray": ray, **PEERS,
}  # fmt: skip


def main() -> None:
    """Run one contender and say what it took."""
    name, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    print(json.dumps(CONTENDERS[name](clips_of(folder), out)))


if __name__ == "__main__":
    main()
