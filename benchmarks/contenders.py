"""Everything that takes part in the build benchmark: the bare codec loop, ours, and the peers; one per process.

Run as `python -m benchmarks.contenders NAME INPUT OUT`, where INPUT is a folder with `clips.jsonl`. Prints one JSON
object. Imports come before the clock starts, for all alike.
"""

import importlib
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from benchmarks.usage import Clock

RATE = 16_000
SHARD = 32 << 20  # bytes; the peers' shards


@dataclass(frozen=True)
class Clip:
    """A line of the input table."""

    name: str
    path: str
    captions: list[str]
    seconds: float


Writer = Callable[[list[Clip], Path], dict[str, Any]]


def clips_of(folder: Path) -> list[Clip]:
    """The table's lines, paths made whole."""
    lines = [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]
    return [
        Clip(Path(line["audio"]).stem, str(folder / line["audio"]), line["captions"], line["duration"])
        for line in lines
    ]


def codec(clips: list[Clip], _out: Path) -> dict[str, Any]:
    """The limit: our own decoder, resampler and encoder in a loop, formats known beforehand, nothing kept."""
    from captionstew.audio.codec import decode_mono, probe
    from captionstew.audio.encode import encode
    from captionstew.audio.signal import quantise, resample
    from captionstew.pipeline.memory import keep_freed_memory

    keep_freed_memory()
    forms = [probe(clip.path) for clip in clips]
    clock, size = Clock(), 0
    for clip, form in zip(clips, forms, strict=True):
        samples = decode_mono(Path(clip.path).read_bytes(), form)
        size += len(encode(quantise(resample(samples, form.sample_rate, RATE)), RATE, "flac"))
    return {"clock": clock.read(), "bytes": size}


def codec_pass(clips: list[Clip], _out: Path) -> dict[str, Any]:
    """The same, but what is 16 kHz mono 16-bit FLAC already is decoded and not encoded again, as ours does."""
    from captionstew.audio.codec import decode_mono, decode_pcm, probe
    from captionstew.audio.encode import encode
    from captionstew.audio.signal import quantise, resample
    from captionstew.pipeline.memory import keep_freed_memory

    keep_freed_memory()
    forms = [probe(clip.path) for clip in clips]
    clock, size = Clock(), 0
    for clip, form in zip(clips, forms, strict=True):
        data = Path(clip.path).read_bytes()
        if (form.container, form.subtype, form.sample_rate, form.channels) == ("flac", "PCM_16", RATE, 1):
            decode_pcm(data, "flac")
            size += len(data)
        else:
            samples = decode_mono(data, form)
            size += len(encode(quantise(resample(samples, form.sample_rate, RATE)), RATE, "flac"))
    return {"clock": clock.read(), "bytes": size}


def plain(clips: list[Clip], _out: Path) -> dict[str, Any]:
    """The loop that anybody would write: soundfile, soxr, soundfile."""
    clock = Clock()
    size = sum(len(transcode(clip.path)[0]) for clip in clips)
    return {"clock": clock.read(), "bytes": size}


def ours(clips: list[Clip], out: Path, cluster: str = "none") -> dict[str, Any]:
    """The recipe `folder`, every stage, from the table to the manifest."""
    import captionstew.stages.shard
    from captionstew.corpora.readers.folder import own
    from captionstew.pipeline.build import Build
    from captionstew.pipeline.request import Request
    from pipelines.folder import folder

    table = Path(clips[0].path).parent.parent / "clips.jsonl"
    clock = Clock()
    corpus, places = own(table)
    summary = Build(Request(folder, out, (corpus,), {corpus.name: tuple(places)}, cluster=cluster)).run()
    made = clock.read()
    kept = sum(shard.rows for shard in summary.manifest.files)
    assert kept == len(clips), f"{len(clips) - kept} clips were dropped: {summary.manifest.accounting}"
    return {"clock": made, "runner": summary.runner, "bytes": _size(out / "data")}


def ours_1(clips: list[Clip], out: Path) -> dict[str, Any]:
    """Ours on one core with one thread."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return ours(clips, out)


def ray(clips: list[Clip], out: Path) -> dict[str, Any]:
    """Ours on a Ray of this machine, its start and end included."""
    importlib.import_module("ray")
    return ours(clips, out, "local")


def transcode(path: str) -> tuple[bytes, int]:
    """What every peer below does with a file, so that they differ in their writers only."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono: npt.NDArray[np.float32] = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE, quality="HQ")
    buffer = io.BytesIO()
    soundfile.write(buffer, mono, RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue(), len(mono)


def webdataset(clips: list[Clip], out: Path) -> dict[str, Any]:
    """Tar shards of FLAC and JSON."""
    from webdataset import ShardWriter

    clock = Clock()
    out.mkdir(parents=True)
    with ShardWriter(str(out / "%05d.tar"), maxsize=SHARD, verbose=0) as writer:
        for clip in clips:
            data, count = transcode(clip.path)
            note = json.dumps({"captions": clip.captions, "duration": count / RATE}).encode()
            writer.write({"__key__": clip.name, "flac": data, "json": note})
    return {"clock": clock.read(), "bytes": _size(out)}


def lhotse(clips: list[Clip], out: Path) -> dict[str, Any]:
    """Shar, with lhotse's own decoding, downmix, resampling and encoding."""
    from lhotse import CutSet, Recording, SupervisionSegment

    def cuts() -> Any:
        for clip in clips:
            recording = Recording.from_file(clip.path, recording_id=clip.name)
            cut = recording.to_cut()
            if recording.num_channels > 1:
                cut = cut.to_mono()[0].with_id(clip.name)
            text = {"text": clip.captions[0], "custom": {"captions": clip.captions}}
            cut.supervisions = [SupervisionSegment(clip.name, clip.name, start=0, duration=cut.duration, **text)]
            yield cut.resample(RATE) if recording.sampling_rate != RATE else cut

    clock = Clock()
    out.mkdir(parents=True)
    fields = {"recording": "flac"}
    CutSet.from_cuts(cuts()).to_shar(str(out), fields=fields, shard_size=100, num_jobs=1, warn_unused_fields=False)
    return {"clock": clock.read(), "bytes": _size(out)}


def mds(clips: list[Clip], out: Path) -> dict[str, Any]:
    """MosaicML streaming."""
    _stand_in_for_torchvision()
    from streaming import MDSWriter

    clock = Clock()
    columns = {"id": "str", "audio": "bytes", "captions": "str", "duration": "float64"}
    with MDSWriter(out=str(out), size_limit=SHARD, columns=columns) as writer:
        for clip in clips:
            data, count = transcode(clip.path)
            text = "\n".join(clip.captions)
            writer.write({"id": clip.name, "audio": data, "captions": text, "duration": count / RATE})
    return {"clock": clock.read(), "bytes": _size(out)}


def litdata(clips: list[Clip], out: Path) -> dict[str, Any]:
    """litData's optimize, one worker."""
    from litdata import optimize

    clock = Clock()
    optimize(_litdata_row, clips, str(out), chunk_bytes=SHARD, num_workers=1, verbose=False, start_method="fork")
    return {"clock": clock.read(), "bytes": _size(out)}


def _litdata_row(clip: Clip) -> dict[str, Any]:
    data, count = transcode(clip.path)
    return {"id": clip.name, "audio": data, "captions": "\n".join(clip.captions), "duration": count / RATE}


def datasets(clips: list[Clip], out: Path) -> dict[str, Any]:
    """Hugging Face datasets: map, then Parquet files."""
    from datasets import Audio, Dataset, Features, Sequence, Value, disable_progress_bars

    disable_progress_bars()
    clock = Clock()
    rows = [{"id": clip.name, "path": clip.path, "captions": clip.captions} for clip in clips]
    texts, text = Sequence(Value("string")), Value("string")
    features = Features({"id": text, "captions": texts, "audio": Audio(), "duration": Value("float64")})
    table = Dataset.from_list(rows).map(
        _datasets_row, remove_columns=["path"], features=features, writer_batch_size=100, load_from_cache_file=False
    )
    out.mkdir(parents=True)
    number = max(1, len(clips) // 150)
    for i in range(number):
        table.shard(number, i, contiguous=True).to_parquet(str(out / f"train-{i:05d}.parquet"))
    return {"clock": clock.read(), "bytes": _size(out)}


def _datasets_row(row: dict[str, Any]) -> dict[str, Any]:
    data, count = transcode(row["path"])
    return {"audio": {"bytes": data, "path": f"{row['id']}.flac"}, "duration": count / RATE}


def _stand_in_for_torchvision() -> None:
    """streaming imports torchvision, for picture data sets only."""
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    names = ["torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional"]
    modules = {name: ModuleType(name) for name in names}
    for name, module in modules.items():
        module.__spec__ = ModuleSpec(name, None)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    vars(modules[names[0]])["__version__"] = "0"
    vars(modules[names[1]])["VisionDataset"] = type("VisionDataset", (), {})
    vars(modules[names[3]])["to_tensor"] = None
    sys.modules |= modules


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


CONTENDERS: dict[str, Writer] = {
    "codec": codec, "codec-pass": codec_pass, "plain": plain, "ours": ours, "ours-1": ours_1, "ray": ray,
    "lhotse": lhotse, "webdataset": webdataset, "mds": mds, "litdata": litdata, "datasets": datasets,
}  # fmt: skip


def main() -> None:
    """Run one contender and say what it took."""
    name, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    print(json.dumps(CONTENDERS[name](clips_of(folder), out)))


if __name__ == "__main__":
    main()
