"""One reader of the read benchmark in a process of its own: ours or a peer, one epoch.

Run as `python -m benchmarks.readers NAME STORE HEAD`. Prints one JSON object. Imports come before the clock starts,
for all alike; making the reader, its workers and the first batch come after.
"""

import importlib
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers import stand_in_for_torchvision
from benchmarks.read_peers import NEEDS, SECONDS, WORKERS, Padded, loader
from benchmarks.usage import Clock
from captionstew.audio.codec import decode_into
from captionstew.audio.mel import zipformer_mel
from captionstew.shards.batching import Batching
from captionstew.shards.loader import Batch, Loader
from captionstew.shards.plan import START, Items, Plan, Position
from captionstew.shards.read import Clips
from captionstew.shards.texts import Texts
from captionstew.train.data import TrainingData

OURS = ("ours", "ours-pcm")
_FRAMES, _SAMPLES = 100, 16_000  # a second
_BATCHING = Batching(SECONDS, squares=SECONDS * 60, longest=60.0)


class Epoch(Plan):
    """A plan that ends with its first epoch, so that no work for the next is counted."""

    def batches(
        self, position: Position = START, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Items, Position]]:
        """Those of the epoch."""
        for items, place in super().batches(position, rank, world):
            yield items, place
            if place.epoch > position.epoch:
                return


def ours(store: Path, head: str) -> Iterator[Padded]:
    """Our training data, WORKERS threads; int16, which is what goes to a GPU, or log-mels made in the same threads."""
    if head != "audio":
        yield from _features(store)
        return
    with TrainingData(store, _BATCHING, threads=WORKERS) as data:
        data.plan = Epoch.of(data.clips, _BATCHING)
        for batch in data:
            yield Padded(batch.audio_BS, len(batch), batch.seconds)


def _features(store: Path) -> Iterator[Padded]:
    mel, clips = zipformer_mel(), Clips(store)
    texts = Texts(clips)

    def finish(batch: Batch) -> Padded:
        [
            texts.caption(*pair)
            for pair in zip(batch.items.clips.tolist(), batch.items.captions.tolist(), strict=True)
        ]
        lengths_B = torch.from_numpy(batch.items.lengths)
        seconds = float(batch.items.lengths.sum()) / _SAMPLES
        return Padded(mel(torch.from_numpy(batch.audio), lengths_B)[0], len(batch.items), seconds)

    with Loader(clips, Epoch.of(clips, _BATCHING), finish, threads=WORKERS) as batches:
        yield from batches


def bare(store: Path) -> Iterator[Padded]:
    """The limit: every clip read and decoded one after the other into the same memory."""
    clips = Clips(store)
    row, codec = np.empty(int(clips.num_samples.max()), np.int16), clips.row(0, ["codec"])["codec"][0].as_py()
    for clip, length in enumerate(clips.num_samples.tolist()):
        decode_into(clips.clip_bytes(clip), codec, row[:length])
        yield Padded(torch.from_numpy(row[None, :length]), 1, length / _SAMPLES)


def drained(name: str, store: Path, head: str) -> dict[str, object]:
    """Every batch of an epoch passed through this process."""
    _import(name, head)
    clock, begun, first = Clock(), time.perf_counter(), 0.0
    clips, seconds, padded, number = 0, 0.0, 0, 0
    for number, batch in enumerate(_reader(name, store, head), 1):  # noqa: B007 - how many there were
        first = first or time.perf_counter() - begun
        clips, seconds = clips + batch.clips, seconds + batch.seconds
        padded += batch.values.shape[0] * batch.values.shape[1]
    unit = _SAMPLES if head == "audio" else _FRAMES
    said = {"clips": clips, "seconds": seconds, "padded": padded / unit, "batches": number, "first": first}
    return {"clock": clock.read(), **said}


def _import(name: str, head: str) -> None:
    if name == "mds":
        stand_in_for_torchvision()
    if name in NEEDS:
        importlib.import_module(NEEDS[name])
        importlib.import_module("lhotse.dataset" if name.startswith("lhotse") else "soundfile")
    if head == "fbank" and name in NEEDS and not name.startswith("lhotse"):
        importlib.import_module("torchaudio.compliance.kaldi")


def _reader(name: str, store: Path, head: str) -> Iterable[Padded]:
    if name in OURS:
        return ours(store, head)
    return loader(name, store, head) if name in NEEDS else bare(store)


def main() -> None:
    """Run one reader and say what it took."""
    torch.set_num_threads(1)
    name, store, head = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    print(json.dumps(drained(name, store, head)))


if __name__ == "__main__":
    main()
