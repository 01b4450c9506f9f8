"""The peers of the read benchmark: shuffled, padded batches of so many seconds, as their own documentation has it."""

import importlib
import io
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import soundfile
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from benchmarks.peers import RATE, stand_in_for_torchvision

SECONDS, WORKERS, SEED = 640.0, 2, 0
NEEDS = {
    "lhotse": "lhotse", "lhotse2": "lhotse", "webdataset": "webdataset", "datasets": "datasets",
    "litdata": "litdata", "mds": "streaming",
}  # fmt: skip
_BUFFER = 600  # clips that each worker sorts by length, where the peer has no buckets; and those in lhotse's
_BUCKETS, BINS = 10, "bins.json"


class Coded(NamedTuple):
    """A clip as a store hands it out."""

    flac: bytes
    seconds: float
    caption: str


class Padded(NamedTuple):
    """A batch: (B, S) or (B, T, F), and what of it is not padding, in seconds."""

    values: Tensor
    clips: int
    seconds: float


Stream = Callable[[Path], Iterable[Coded]]
Features = Callable[[Tensor], Tensor]


@dataclass
class Head:
    """Decoded clips to what the model takes: `audio`, the waves; `fbank`, the peers' usual log-mels; `mel`, ours."""

    kind: str
    _features: Features | None = None

    def __call__(self, waves: list[Tensor]) -> Tensor:
        """Padded with zeros."""
        if self.kind != "audio":
            self._features = self._features or self._made()
            with torch.inference_mode():
                waves = [self._features(wave_S) for wave_S in waves]
        padded = torch.zeros(len(waves), max(map(len, waves)), *waves[0].shape[1:])
        for row, wave in zip(padded, waves, strict=True):
            row[: len(wave)] = wave
        return padded

    def _made(self) -> Features:
        if self.kind == "mel":
            from captionstew.audio.mel import zipformer_mel

            mel = zipformer_mel()
            return lambda wave_S: mel(wave_S[None], torch.tensor([len(wave_S)]))[0][0]
        kaldi: Any = importlib.import_module("torchaudio.compliance.kaldi")
        settings = {"num_mel_bins": 80, "high_freq": -400.0, "dither": 0.0, "snip_edges": False}
        return lambda wave_S: kaldi.fbank(wave_S[None], sample_frequency=RATE, **settings)


class Bucketed(IterableDataset[Padded]):
    """Batches of a stream, by length within a buffer: what users of these peers write themselves."""

    def __init__(self, stream: Stream, store: Path, head: str) -> None:
        self.clips, self.head = stream(store), Head(head)  # MDS waits for ever if each worker makes its own

    def __iter__(self) -> Iterator[Padded]:
        chance, clips = random.Random(SEED), iter(self.clips)
        while buffer := list(islice(clips, _BUFFER)):
            batches = list(_cut(sorted(buffer, key=lambda clip: clip.seconds)))
            chance.shuffle(batches)
            for batch in batches:
                waves = [_decode(clip.flac) for clip in batch]
                yield Padded(self.head(waves), len(batch), sum(clip.seconds for clip in batch))


def bins(seconds: list[float]) -> list[float]:
    """The limits of lhotse's buckets, each with equally much audio; known beforehand, as its authors advise."""
    ordered = sorted(seconds)
    share, limits, so_far = sum(ordered) / _BUCKETS, list[float](), 0.0
    for length in ordered:
        so_far += length
        if so_far > share * (len(limits) + 1) and len(limits) < _BUCKETS - 1:
            limits.append(length)
    return limits


def loader(name: str, store: Path, head: str) -> Iterable[Padded]:
    """A peer's batches of one epoch, by WORKERS processes."""
    if name.startswith("lhotse"):
        return _lhotse(store, head)
    return DataLoader(Bucketed(_STREAMS[name], store, head), batch_size=None, num_workers=WORKERS)


def _cut(clips: list[Coded]) -> Iterator[list[Coded]]:
    batch: list[Coded] = []
    for clip in clips:
        if batch and clip.seconds * (len(batch) + 1) > SECONDS:
            yield batch
            batch = []
        batch.append(clip)
    if batch:
        yield batch


def _decode(flac: bytes) -> Tensor:
    return torch.from_numpy(soundfile.read(io.BytesIO(flac), dtype="float32")[0])


def _webdataset(store: Path) -> Iterator[Coded]:
    from webdataset import WebDataset, split_by_worker

    settings = {"shardshuffle": 100, "seed": SEED, "workersplitter": split_by_worker, "empty_check": False}
    for row in WebDataset(_files(store, "*.tar"), **settings).shuffle(200):
        note = json.loads(row["json"])
        yield Coded(row["flac"], note["duration"], note["captions"][0])


def _datasets(store: Path) -> Iterator[Coded]:
    from datasets import Audio, disable_progress_bars, load_dataset

    disable_progress_bars()
    rows = load_dataset("parquet", data_files=_files(store, "*.parquet"), split="train", streaming=True)
    for row in rows.cast_column("audio", Audio(decode=False)).shuffle(seed=SEED, buffer_size=200):
        yield Coded(row["audio"]["bytes"], row["duration"], row["captions"][0])


def _litdata(store: Path) -> Iterable[Coded]:
    from litdata import StreamingDataset

    return Rows(StreamingDataset(str(store), shuffle=True, seed=SEED))


def _mds(store: Path) -> Iterable[Coded]:
    stand_in_for_torchvision()
    from streaming import StreamingDataset

    settings = {"shuffle_seed": SEED, "batch_size": 40, "num_canonical_nodes": 1}
    return Rows(StreamingDataset(local=str(store), shuffle=True, **settings))


@dataclass(frozen=True)
class Rows:
    """A data set of rows as benchmarks.peers writes them."""

    rows: Iterable[Any]

    def __iter__(self) -> Iterator[Coded]:
        for row in self.rows:
            yield Coded(row["audio"], float(row["duration"]), row["captions"].split("\n")[0])


def _files(store: Path, pattern: str) -> list[str]:
    return sorted(map(str, store.glob(pattern)))


_STREAMS: dict[str, Stream] = {
    "webdataset": _webdataset, "datasets": _datasets, "litdata": _litdata, "mds": _mds,
}  # fmt: skip


def _lhotse(store: Path, head: str) -> Iterable[Padded]:
    """Shar and dynamic buckets; version 2 reads its indexed Shar."""
    import lhotse
    from lhotse.dataset import DynamicBucketingSampler
    from lhotse.dataset.dataloading import make_worker_init_fn
    from lhotse.dataset.iterable_dataset import IterableDatasetWrapper

    cuts = _cuts(store, lhotse.__version__.startswith("2"))
    settings = {"max_duration": SECONDS, "shuffle": True, "buffer_size": _BUFFER, "seed": SEED}
    bins = json.loads((store / BINS).read_text())
    sampler = DynamicBucketingSampler(cuts, duration_bins=bins, rank=0, world_size=1, **settings)
    start = make_worker_init_fn(rank=0, world_size=1, seed=SEED)
    batches = IterableDatasetWrapper(LhotseBatches(head), sampler)
    return DataLoader(batches, batch_size=None, num_workers=WORKERS, worker_init_fn=start)


def _cuts(store: Path, second: bool) -> Any:
    from lhotse import CutSet

    cuts = _files(store, "cuts.*.jsonl") or _files(store, "cuts.*.jsonl.gz")
    fields = {"cuts": cuts, "recording": _files(store, "recording.*.tar")}
    if not second:
        return CutSet.from_shar(fields=fields, split_for_dataloading=True, shuffle_shards=True, seed=SEED)
    from lhotse.shar.readers.indexed import LazyIndexedSharIterator

    os.environ["LHOTSE_USE_WORKER_PARTITION"] = "1"
    return CutSet(LazyIndexedSharIterator(fields=fields, shuffle=True, seed=SEED))


class LhotseBatches(torch.utils.data.Dataset[Padded]):
    """What lhotse's own input strategies make of cuts: waves, or features on the fly."""

    def __init__(self, head: str) -> None:
        self.head = head
        self._strategy: Any = None

    def __getitem__(self, cuts: Any) -> Padded:
        from lhotse import Fbank, FbankConfig
        from lhotse.dataset.input_strategies import AudioSamples, OnTheFlyFeatures

        if self._strategy is None:
            on_the_fly = (
                OnTheFlyFeatures(Fbank(FbankConfig(num_filters=80))) if self.head == "fbank" else None
            )
            self._strategy = on_the_fly or AudioSamples()
        values, lengths_B = self._strategy(cuts)[:2]
        if self.head == "mel":
            values = Head("mel")([wave_S[:n] for wave_S, n in zip(values, lengths_B.tolist(), strict=True)])
        assert all(cut.supervisions[0].text for cut in cuts), "a cut without its caption"
        return Padded(values, len(cuts), sum(cut.duration for cut in cuts))
