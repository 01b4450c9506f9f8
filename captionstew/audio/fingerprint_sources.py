"""Where the words of many fingerprints lie: in memory or in files, read a stretch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from captionstew.audio.fingerprint_words import Words

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stored:
    """Words in a file, little-endian; a slice of them is read from it, and nothing of it stays in memory."""

    path: Path

    @cached_property
    def _count(self) -> int:
        return self.path.stat().st_size // 4

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, stretch: slice) -> Words:
        begin, end, step = stretch.indices(len(self))
        assert step == 1, step
        return np.fromfile(self.path, "<u4", max(0, end - begin), offset=4 * begin).astype(
            np.uint32, copy=False
        )


@dataclass(frozen=True)
class Sources:
    """One set of fingerprints, or two that are compared with each other: clips and words of the second come after."""

    words: tuple[Words | Stored, ...]
    starts: Index  # of each clip, in all words together
    first: int | None = None  # clips of the first of two sets

    def __len__(self) -> int:
        return int(self.starts[-1])

    def read(self, begin: int, end: int) -> Words:
        """The words at the places from `begin` to `end`, as far as there are any."""
        parts, before = list[Words](), 0
        for words in self.words:
            parts.append(words[max(0, begin - before) : max(0, end - before)])
            before += len(words)
        parts = [part for part in parts if len(part)] or parts[:1]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def blocks(self, size: int, margin: int = 0) -> Iterator[tuple[int, Words]]:
        """All words, `size` at a time: the place where each block begins; the block, with `margin` words around it.

        Beyond the first and the last word the margin is 0.
        """
        for begin in range(0, len(self), size):
            end = min(begin + size, len(self))
            low, high = max(0, begin - margin), min(len(self), end + margin)
            words = self.read(low, high)
            short = margin - (begin - low), margin - (high - end)
            yield begin, np.pad(words, short) if any(short) else words

    def clips_of(self, places: Index) -> npt.NDArray[np.int32]:
        """The clip that each place belongs to; places ascend."""
        if not len(places):
            return np.empty(0, np.int32)
        first, last = np.searchsorted(self.starts, places[[0, -1]], "right") - 1
        counts = np.diff(np.searchsorted(places, self.starts[first : last + 2]))
        return np.repeat(np.arange(first, last + 1, dtype=np.int32), counts)
