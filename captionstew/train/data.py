"""Batches for training and validation as tensors, with captions, from a build folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from captionstew.shards import loader
from captionstew.shards.batching import Batching
from captionstew.shards.loader import Loader, Tally
from captionstew.shards.plan import START, Items, Plan, Position
from captionstew.shards.read import Clips
from captionstew.shards.sources import Integers
from captionstew.shards.texts import Texts
from captionstew.train.objectives.objective import Text
from captionstew.train.pinned import Pinned

Tokenize = Callable[[Sequence[str]], Text]


@dataclass(frozen=True)
class Batch:
    """Clips and one caption of each.

    `audio_BS` is int16 with zeros after each row's `lengths_B` samples; `seeds_B` (int64) are for all that is drawn
    for a row; `clips` number the rows' clips in the build; `position` is where all ranks stand after it.
    """

    audio_BS: Tensor
    lengths_B: Tensor
    seeds_B: Tensor
    clips: Integers
    captions: list[str]
    text: Text
    position: Position
    seconds: float
    source: Clips

    def __len__(self) -> int:
        return len(self.clips)

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its tensors on a device; from pinned memory the copy runs beside other work."""
        tensors = (t.to(device, non_blocking=True) for t in (self.audio_BS, self.lengths_B, self.seeds_B))
        audio_BS, lengths_B, seeds_B = tensors
        return replace(
            self, audio_BS=audio_BS, lengths_B=lengths_B, seeds_B=seeds_B, text=self.text.to(device)
        )

    def names(self) -> list[str]:
        """The ids of the clips, read from the shards."""
        return [self.source.row(int(clip), ["clip_id"])["clip_id"][0].as_py() for clip in self.clips]


class TrainingData:
    """The batches of a build folder for one of `world` ranks, from where it stands on, without end.

    With `Batching(shuffle=False)` each iteration is one pass over everything, as validation wants it. `tokenize` is
    called in the loader's threads. For a CUDA `device` the audio is in pinned memory.
    """

    def __init__(
        self,
        folder: str | Path | Clips,
        batching: Batching,
        tokenize: Tokenize | None = None,
        *,
        threads: int = 0,
        rank: int = 0,
        world: int = 1,
        device: torch.device | None = None,
        max_bad: float = 0.01,
    ) -> None:
        self.clips = folder if isinstance(folder, Clips) else Clips(folder)
        self.plan = Plan.of(self.clips, batching)
        self.texts = Texts(self.clips) if batching.captions != "none" else None
        self.position, self.tally = START, Tally()
        self._tokenize = tokenize or untokenized
        self._threads, self._rank, self._world, self._max_bad = threads, rank, world, max_bad
        self._pinned = Pinned(device) if device is not None and device.type == "cuda" else None
        self._loader: Loader[Batch] | None = None

    @property
    def epoch(self) -> int:
        """How many epochs are over."""
        return self.position.epoch

    @property
    def padding(self) -> float:
        """The share of padding in the audio handed out so far."""
        return self.tally.padding

    @property
    def num_skipped(self) -> int:
        """Clips left out so far because they do not decode; `tally.skipped` has the reasons."""
        return self.tally.skipped.total()

    def state(self) -> dict[str, int | str]:
        """Where to go on, in less than 100 bytes of JSON; the same for all ranks, good for any number of them."""
        return self.plan.state(self.position)

    def seek(self, state: Mapping[str, int | str]) -> None:
        """The next iteration begins where `state` was taken; StewError if that was with other data or settings."""
        self.position = self.plan.position(state)

    def stand_in(self, items: Items) -> Batch:
        """A batch of these clips with faint noise for their audio: as large as the real one, and nothing is read."""
        shape = len(items), int(items.lengths.max())
        audio_BS = torch.randint(
            -99, 99, shape, dtype=torch.int16, generator=torch.Generator().manual_seed(0)
        )
        lengths_B, seeds_B, captions = (
            torch.from_numpy(items.lengths),
            torch.from_numpy(items.seeds),
            self._captions(items),
        )
        text, seconds = self._tokenize(captions), float(items.lengths.sum()) / self.plan.sample_rate
        return Batch(
            audio_BS, lengths_B, seeds_B, items.clips, captions, text, self.position, seconds, self.clips
        )

    def close(self) -> None:
        """The threads have ended."""
        if self._loader:
            self._loader.close()
            self._loader = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Batch]:
        self.close()
        begin = self.position if self.plan.batching.shuffle else START
        self._loader = Loader(
            self.clips, self.plan, self._tensors, begin, threads=self._threads, rank=self._rank, world=self._world,
            buffer=self._pinned, max_bad=self._max_bad, tally=self.tally,
        )  # fmt: skip
        return self._handed_out(self._loader)

    def _handed_out(self, batches: Loader[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self.position = batch.position
            yield batch
        batches.close()

    def _tensors(self, batch: loader.Batch) -> Batch:
        items, captions = batch.items, self._captions(batch.items)
        audio_BS, text = torch.from_numpy(batch.audio), self._tokenize(captions)
        lengths_B, seeds_B = torch.from_numpy(items.lengths), torch.from_numpy(items.seeds)
        if self._pinned:
            audio_BS, text = self._pinned.tensor(len(items)), self._pinned.moved_text(text)
            lengths_B, seeds_B = self._pinned.moved(lengths_B), self._pinned.moved(seeds_B)
        seconds = float(items.lengths.sum()) / self.plan.sample_rate
        position, source = batch.position, self.clips
        return Batch(audio_BS, lengths_B, seeds_B, items.clips, captions, text, position, seconds, source)

    def _captions(self, items: Items) -> list[str]:
        if self.texts is None:
            return [""] * len(items)
        pairs = zip(items.clips.tolist(), items.captions.tolist(), strict=True)
        return [self.texts.caption(clip, number) for clip, number in pairs]


def untokenized(captions: Sequence[str]) -> Text:
    """The captions as a text of no tokens."""
    empty = torch.empty(len(captions), 0, dtype=torch.int64)
    return Text(empty, torch.zeros(len(captions), dtype=torch.int64), tuple(captions))
