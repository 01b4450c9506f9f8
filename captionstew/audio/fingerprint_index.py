"""Which clips of one set sound like a clip of another, or of the same set: likely pairs first, then bit errors."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from captionstew.audio.fingerprint import COVERED, SURE, limit, period
from captionstew.audio.fingerprint_order import Pairs, neighbours, once
from captionstew.audio.fingerprint_sources import Index, Sources, Stored
from captionstew.audio.fingerprint_words import BITS, SILENT, Words

_PART = 1 << 24  # places that are sorted at once: 1 GB
_REACH = 1 << 26  # words of a block of clips; two are in memory at once: 0.5 GB
_PILE = 1 << 22  # likely pairs that are read from a file at once: 50 MB
_PAIRS = 1 << 15  # pairs of clips that are compared at once
_BLOCK = 1 << 20  # words read at a time
_AROUND = (-1, 1)  # words; copies may lie on each other a little better there
_CLOSE = 0.35  # bit error rate from which that is tried


@dataclass(frozen=True)
class Matches:
    """Pairs that are one recording: places in the first and in the second set, and the bit error rate of each pair.

    In order of the first place, then of the second.
    """

    first: Index
    second: Index
    distance: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def joined(cls, parts: Iterable["Matches"]) -> "Matches":
        """All of them, one after the other."""
        several = list(parts)
        columns = [[part.first for part in several], [part.second for part in several]]
        first, second = (np.concatenate([np.empty(0, np.int64), *column]) for column in columns)
        return cls(
            first, second, np.concatenate([np.empty(0, np.float32), *(part.distance for part in several)])
        )


@dataclass(frozen=True)
class Prints:
    """The fingerprints of many clips: those of clip `n`, called `keys[n]`, are `words[starts[n]:starts[n + 1]]`.

    `words` may be in a file. A search holds the words of `part` places and of twice `reach` words at a time, and on
    the disk, in `folder`, the pairs that are likely; what it finds depends on none of the three.
    """

    keys: npt.NDArray[np.uint64]
    words: Words | Stored
    starts: Index
    part: int = _PART
    reach: int = _REACH
    folder: Path | None = None  # the system's folder for temporary files, unless given

    @classmethod
    def of(cls, prints: Iterable[Words], keys: npt.NDArray[np.uint64] | None = None) -> "Prints":
        """From one array of words per clip; keys are 0, 1, 2 ... unless given."""
        several = list(prints)
        starts = np.cumsum([0, *map(len, several)], dtype=np.int64)
        words = np.concatenate([np.empty(0, np.uint32), *several]).astype(np.uint32)
        names = np.arange(len(several), dtype=np.uint64) if keys is None else keys
        return cls(names, words, starts)

    def __len__(self) -> int:
        return len(self.keys)

    def pairs_within(self) -> Matches:
        """Pairs of clips of this set that are one recording; the first place is the lower one."""
        return Matches.joined(self.pairs())

    def pairs(self) -> Iterator[Matches]:
        """The same pairs in pieces, which one after the other are in order."""
        return self._search(Sources((self.words,), self.starts))

    def matches(self, other: "Prints") -> Matches:
        """Pairs of a clip of this set and a clip of the other one that are one recording."""
        starts = np.concatenate([self.starts, self.starts[-1] + other.starts[1:]])
        found = Matches.joined(self._search(Sources((self.words, other.words), starts, len(self))))
        return Matches(found.first, found.second - len(self), found.distance)

    def _search(self, sources: Sources) -> Iterator[Matches]:
        """Likely pairs go to a file for each two blocks of clips; then each two blocks are in memory once."""
        heard = _heard(sources)
        with TemporaryDirectory(prefix="captionstew-pairs-", dir=self.folder) as folder:
            files = dict[tuple[int, int], Path]()
            for pairs in neighbours(sources, self.part) if len(sources) else ():
                for key, rows in _by_block(sources, pairs, self.reach):
                    path = files.setdefault(key, Path(folder) / f"{key[0]}-{key[1]}")
                    with path.open("ab") as file:
                        file.write(rows.tobytes())
            for block, keys in groupby(sorted(files), lambda key: key[0]):
                left = _Block.of(sources, block, self.reach)
                parts = [_among(left, key, sources, heard, files[key], self.reach) for key in keys]
                best = _best(np.concatenate(parts))
                first, second = best[:, :2].T.astype(np.int64)
                yield Matches(first, second, best[:, 2].astype(np.float32))


@dataclass(frozen=True)
class _Block:
    """The words of neighbouring clips, and where those begin in all words."""

    words: Words
    begin: int

    @classmethod
    def of(cls, sources: Sources, number: int, reach: int) -> "_Block":
        """Those clips that begin in this stretch."""
        first, behind = np.searchsorted(sources.starts, [number * reach, (number + 1) * reach])
        begin, end = sources.starts[first], sources.starts[min(behind, len(sources.starts) - 1)]
        return cls(sources.read(int(begin), int(end)), int(begin))


def _heard(sources: Sources) -> npt.NDArray[np.int32]:
    """Words of each clip that are not silent."""
    total = np.zeros(len(sources.starts) - 1, np.int32)
    for begin, words in sources.blocks(_BLOCK):
        clips = sources.clips_of(begin + np.flatnonzero(words != SILENT))
        if len(clips):
            total[clips[0] : clips[-1] + 1] += np.bincount(clips - clips[0]).astype(np.int32)
    return total


def _by_block(sources: Sources, pairs: Pairs, reach: int) -> Iterator[tuple[tuple[int, int], Pairs]]:
    """The pairs by the two blocks that their clips lie in."""
    blocks = sources.starts[pairs[:, :2]] // reach
    order = np.lexsort((blocks[:, 1], blocks[:, 0]))
    pairs, blocks = pairs[order], blocks[order]
    edges = np.flatnonzero(np.any(blocks[1:] != blocks[:-1], axis=1)) + 1
    for rows, block in zip(np.split(pairs, edges), np.split(blocks, edges), strict=True):
        if len(rows):
            yield (int(block[0, 0]), int(block[0, 1])), rows


def _among(
    left: _Block,
    key: tuple[int, int],
    sources: Sources,
    heard: npt.NDArray[np.int32],
    path: Path,
    reach: int,
) -> npt.NDArray[np.float64]:
    """Rows clip, clip, bit error rate of those pairs of two blocks that are one recording."""
    comparison = _Comparison(
        sources.starts, heard, left, left if key[0] == key[1] else _Block.of(sources, key[1], reach)
    )
    several = map(comparison.verified, _pieces(path))
    return comparison.unlike_themselves(_best(np.concatenate([np.empty((0, 3)), *several])))


def _pieces(path: Path) -> Iterator[Pairs]:
    """The pairs in a file, some at a time; those that come again soon come once. The file goes with them."""
    with path.open("rb") as file:
        while rows := file.read(_PILE * 3 * np.dtype(np.int32).itemsize):
            pairs = once(np.frombuffer(rows, np.int32).reshape(-1, 3))
            yield from (pairs[begin : begin + _PAIRS] for begin in range(0, len(pairs), _PAIRS))
    path.unlink()


@dataclass(frozen=True)
class _Comparison:
    """The words of two blocks of clips on each other."""

    starts: Index
    heard: npt.NDArray[np.int32]
    left: _Block
    right: _Block

    def verified(self, pairs: Pairs) -> npt.NDArray[np.float64]:
        """Rows clip, clip, bit error rate of those pairs that are one recording, at these places or beside them."""
        rates, same = self._rated(pairs)
        close = np.flatnonzero(rates < _CLOSE)
        found = [np.column_stack([pairs[same, :2], rates[same]])]
        for around in _AROUND:
            moved = pairs[close] + np.array([0, 0, around], np.int32)
            rates, same = self._rated(moved)
            found.append(np.column_stack([moved[same, :2], rates[same]]))
        return np.concatenate(found)

    def unlike_themselves(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The rows without pairs that are no more alike than each is like itself a moment later (see `period`)."""
        keep = rows[:, 2] < SURE
        unsure = np.flatnonzero(~keep)
        least = np.full(len(unsure), np.inf)
        for column, block in enumerate((self.left, self.right)):
            clips, where = np.unique(rows[unsure, column].astype(np.int64), return_inverse=True)
            spans = (slice(*self.starts[[clip, clip + 1]] - block.begin) for clip in clips)
            periods = np.array([period(block.words[span]) for span in spans])
            least = np.minimum(least, periods[where]) if len(clips) else least
        keep[unsure] = rows[unsure, 2] < least
        return rows[keep]

    def _rated(self, pairs: Pairs) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Bit error rates, and whether they make one recording."""
        errors, active = self._compared(*pairs.T.astype(np.int64))
        rates = errors / (BITS * np.maximum(active, 1))
        needed = COVERED * np.minimum(self.heard[pairs[:, 0]], self.heard[pairs[:, 1]])
        return rates, (active >= needed) & (rates < limit(active))

    def _compared(self, a: Index, b: Index, shift: Index) -> tuple[Index, Index]:
        """Bits that differ and words compared, where word `n + shift` of `a` lies on word `n` of `b`."""
        begin_a = self.starts[a] + np.maximum(shift, 0)
        begin_b = self.starts[b] + np.maximum(-shift, 0)
        counts = np.maximum(0, np.minimum(self.starts[a + 1] - begin_a, self.starts[b + 1] - begin_b))
        ends = np.cumsum(counts)
        along = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
        left = self.left.words[np.repeat(begin_a - self.left.begin, counts) + along]
        right = self.right.words[np.repeat(begin_b - self.right.begin, counts) + along]
        both = (left != SILENT) & (right != SILENT)
        errors = np.concatenate([[0], np.cumsum(np.where(both, np.bitwise_count(left ^ right), 0))])
        active = np.concatenate([[0], np.cumsum(both)])
        return errors[ends] - errors[ends - counts], active[ends] - active[ends - counts]


def _best(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """One row per pair, in order: the one with the fewest errors."""
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    first = np.ones(len(rows), bool)
    first[1:] = np.any(rows[1:, :2] != rows[:-1, :2], axis=1)
    return rows[first]
