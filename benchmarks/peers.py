"""The peers of the build benchmark, each writing 16 kHz mono FLAC the way its own documentation does."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from benchmarks.usage import Clock, folder_bytes

RATE = 16_000
SHARD = 32 << 20  # bytes; the peers' shards
NEEDS = {
    "lhotse": "lhotse", "webdataset": "webdataset", "webdataset-dot": "webdataset", "mds": "streaming",
    "litdata": "litdata", "datasets": "datasets",
}  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """A line of the input table."""

    name: str
    path: str
    captions: list[str]
    seconds: float


Samples = npt.NDArray[np.float32]
Writer = Callable[[list[Clip], Path], dict[str, Any]]


def clips_of(folder: Path) -> list[Clip]:
    """The lines of a corpus' table, paths made whole."""
    lines = [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]
    return [
        Clip(Path(line["audio"]).stem, str(folder / line["audio"]), line["captions"], line["duration"])
        for line in lines
    ]


def transcode(path: str, mono: Callable[[Samples], Samples] | None = None) -> tuple[bytes, int]:
    """What every peer but lhotse does with a file, so that they differ in their writers only."""
    frames, rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples = frames[:, 0] if frames.shape[1] == 1 else mono(frames) if mono else frames.mean(axis=1)
    if rate != RATE:
        samples = soxr.resample(samples, rate, RATE, quality="HQ")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue(), len(samples)


def dot(frames: Samples) -> Samples:
    """Channels averaged by one matrix product, several times as fast as `mean`."""
    average: Samples = frames @ np.full(frames.shape[1], 1 / frames.shape[1], np.float32)
    return average


def webdataset(
    clips: list[Clip], out: Path, mono: Callable[[Samples], Samples] | None = None
) -> dict[str, Any]:
    """Tar shards of FLAC and JSON."""
    from webdataset import ShardWriter

    clock = Clock()
    out.mkdir(parents=True)
    with ShardWriter(str(out / "%05d.tar"), maxsize=SHARD, verbose=0) as writer:
        for clip in clips:
            data, count = transcode(clip.path, mono)
            note = json.dumps({"captions": clip.captions, "duration": count / RATE}).encode()
            writer.write({"__key__": clip.name, "flac": data, "json": note})
    return {"clock": clock.read(), "bytes": folder_bytes(out)}


def webdataset_dot(clips: list[Clip], out: Path) -> dict[str, Any]:
    """The same with the fastest downmix there is, for a harder comparison."""
    return webdataset(clips, out, dot)


def lhotse(clips: list[Clip], out: Path) -> dict[str, Any]:
    """Shar, with lhotse's own decoding, downmix, resampling and encoding."""
    from lhotse import CutSet, Recording, SupervisionSegment

    def cuts() -> Any:
        for clip in clips:
            recording = Recording.from_file(clip.path, recording_id=clip.name)
            cut = recording.to_cut()
            if recording.num_channels > 1:
                cut = cut.to_mono()[0].with_id(clip.name)
            said = {"text": clip.captions[0], "custom": {"captions": clip.captions}, "duration": cut.duration}
            cut.supervisions = [SupervisionSegment(clip.name, clip.name, start=0, **said)]
            yield cut.resample(RATE) if recording.sampling_rate != RATE else cut

    clock = Clock()
    out.mkdir(parents=True)
    settings: dict[str, Any] = {"shard_size": 100, "num_jobs": 1, "warn_unused_fields": False}
    if version("lhotse").startswith("2"):
        settings["compress_jsonl"] = False  # else its index does not cover the cuts
    CutSet.from_cuts(cuts()).to_shar(str(out), fields={"recording": "flac"}, **settings)
    return {"clock": clock.read(), "bytes": folder_bytes(out)}


def mds(clips: list[Clip], out: Path) -> dict[str, Any]:
    """MosaicML streaming."""
    stand_in_for_torchvision()
    from streaming import MDSWriter

    clock = Clock()
    columns = {"id": "str", "audio": "bytes", "captions": "str", "duration": "float64"}
    with MDSWriter(out=str(out), size_limit=SHARD, columns=columns) as writer:
        for clip in clips:
            writer.write(_row(clip))
    return {"clock": clock.read(), "bytes": folder_bytes(out)}


def litdata(clips: list[Clip], out: Path) -> dict[str, Any]:
    """litData's optimize, one worker."""
    from litdata import optimize

    clock = Clock()
    settings = {"chunk_bytes": SHARD, "num_workers": 1, "verbose": False, "start_method": "fork"}
    optimize(_row, clips, str(out), **settings)
    return {"clock": clock.read(), "bytes": folder_bytes(out)}


def datasets(clips: list[Clip], out: Path) -> dict[str, Any]:
    """Hugging Face datasets: map, then Parquet files."""
    from datasets import Audio, Dataset, Features, Sequence, Value, disable_progress_bars

    disable_progress_bars()
    clock = Clock()
    rows = [{"id": clip.name, "path": clip.path, "captions": clip.captions} for clip in clips]
    texts, text = Sequence(Value("string")), Value("string")
    features = Features({"id": text, "captions": texts, "audio": Audio(), "duration": Value("float64")})
    settings = {"features": features, "writer_batch_size": 100, "load_from_cache_file": False}
    table = Dataset.from_list(rows).map(_datasets_row, remove_columns=["path"], **settings)
    out.mkdir(parents=True)
    number = max(1, len(clips) // 150)
    for i in range(number):
        table.shard(number, i, contiguous=True).to_parquet(str(out / f"train-{i:05d}.parquet"))
    return {"clock": clock.read(), "bytes": folder_bytes(out)}


def _row(clip: Clip) -> dict[str, Any]:
    data, count = transcode(clip.path)
    return {"id": clip.name, "audio": data, "captions": "\n".join(clip.captions), "duration": count / RATE}


def _datasets_row(row: dict[str, Any]) -> dict[str, Any]:
    data, count = transcode(row["path"])
    return {"audio": {"bytes": data, "path": f"{row['id']}.flac"}, "duration": count / RATE}


def stand_in_for_torchvision() -> None:
    """Empty modules: streaming imports torchvision, for picture data sets only."""
    vision = "torchvision"
    names = [vision, f"{vision}.datasets", f"{vision}.transforms", f"{vision}.transforms.functional"]
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


PEERS: dict[str, Writer] = {
    "lhotse": lhotse, "webdataset": webdataset, "webdataset-dot": webdataset_dot, "mds": mds, "litdata": litdata,
    "datasets": datasets,
}  # fmt: skip
