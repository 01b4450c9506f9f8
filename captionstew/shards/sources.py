"""Which clips, with which of their captions, each corpus gives to training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from captionstew.shards.batching import Batching
from captionstew.shards.shuffle import permuted
from captionstew.shards.styles import Styles

Integers = npt.NDArray[Any]

_LIMIT = 4  # key of the draw that a limit makes


@dataclass(frozen=True)
class Source:
    """The items of one corpus: a clip each, or a clip and one of its captions; `num_samples` of all, as cropped."""

    clips: Integers
    captions: Integers | None
    num_samples: int

    def __len__(self) -> int:
        return len(self.clips)


@dataclass
class Selection:
    """Takes what the settings allow from the clips of a build, and counts in `left_out` what they do not."""

    num_samples: Integers
    num_captions: Integers
    batching: Batching
    sample_rate: int
    chosen: npt.NDArray[np.bool_] | None = None  # of all clips
    withdrawn: npt.NDArray[np.bool_] | None = None
    styles: Styles | None = None
    left_out: dict[str, int] = field(default_factory=dict)

    def sources(self, corpora: Mapping[str, Sequence[range]]) -> dict[str, Source]:
        """The corpora by name that have an item left."""
        sources = {name: self._source(ranges) for name, ranges in sorted(corpora.items())}
        return {name: source for name, source in self._limited(sources).items() if len(source)}

    def _source(self, ranges: Sequence[range]) -> Source:
        parts = (np.arange(part.start, part.stop, dtype=np.uint32) for part in ranges)
        clips, captions = np.concatenate([np.empty(0, np.uint32), *parts]), None
        if self.withdrawn is not None:
            clips = self._kept(clips, ~self.withdrawn[clips], "withdrawn")
        if self.chosen is not None:
            clips = self._kept(clips, self.chosen[clips], "held out")
        shortest = self.batching.shortest * self.sample_rate
        clips = self._kept(clips, self.num_samples[clips] >= max(shortest, 1), "short")
        if self.batching.captions != "none":
            clips = self._kept(clips, self.num_captions[clips] > 0, "uncaptioned")
        if self.styles:
            clips = self._kept(clips, self.styles.reach()[clips], "without a caption of these styles")
        if self.batching.captions == "all":
            counts = self.num_captions[clips].astype(np.int64)
            first = np.repeat(np.cumsum(counts) - counts, counts)
            clips, captions = np.repeat(clips, counts), (np.arange(counts.sum()) - first).astype(np.uint16)
        return self._counted(clips, captions)

    def _kept(self, clips: Integers, keep: npt.NDArray[np.bool_], reason: str) -> Integers:
        lost = len(clips) - int(np.count_nonzero(keep))
        self.left_out[reason] = self.left_out.get(reason, 0) + lost
        return clips[keep] if lost else clips

    def _limited(self, sources: Mapping[str, Source]) -> Mapping[str, Source]:
        """Of each corpus the part of its items that the limit allows, the same in every epoch."""
        most, total = self.batching.limit, sum(map(len, sources.values()))
        if not most or total <= most:
            return sources
        limited = {}
        for key, (name, source) in enumerate(sources.items()):
            count = -(-most * len(source) // total)
            rows = np.sort(permuted(np.arange(count), len(source), self.batching.seed, _LIMIT, key))
            captions = None if source.captions is None else source.captions[rows]
            limited[name] = self._counted(source.clips[rows], captions)
        self.left_out["beyond the limit"] = total - sum(map(len, limited.values()))
        return limited

    def _counted(self, clips: Integers, captions: Integers | None) -> Source:
        most = np.uint32(self.batching.longest * self.sample_rate)
        return Source(clips, captions, int(np.minimum(self.num_samples[clips], most).sum(dtype=np.uint64)))
