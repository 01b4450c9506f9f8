"""Clips that may sound alike: neighbours in sorted orders of their words that agree around them too."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from captionstew.audio.fingerprint_sources import Index, Sources
from captionstew.audio.fingerprint_words import BITS, SILENT, Words

Codes = npt.NDArray[np.uint64]
Clips = npt.NDArray[np.int32]
Pairs = npt.NDArray[np.int32]  # rows clip, clip, and the place of the first's words under the second's
APART = 8  # words between the two that a code is made of: half a second
# The orders: all 32 bits of a word first, begun at either half, or every second bit of two words. Copies differ in
# few bits, and in some order these come last.
ORDERS = ("all", "half", "even", "odd")
_NEAR = 8  # places in an order that are compared with each
_PLACES = np.uint64(26)  # bits that number the places of one part; the other 38, of a code, decide the order
_NUMBERED = 1 << 26  # places, at most
_DIFFERENT = 13  # bits of 64 that may differ; 22 +- 5 do by chance
_PROBES = (-12, -6, 6, 12)  # words from a place that are compared before all are
_PROBED = 0.32  # of the bits there may differ
_BLOCK = 1 << 22  # words read at a time
_CACHED = 1 << 17  # words, or codes, that are looked through at a time: they fit a processor's cache
_AT_ONCE = 1 << 20  # neighbours that are probed together
_EVEN = np.uint32(0x55555555)


@dataclass(frozen=True)
class Part:
    """Places of one part of an order: clip, word of the clip, code, and the words that are probed (SILENT: none)."""

    clips: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32]
    codes: Codes
    probes: Words  # (places, 4)

    def __len__(self) -> int:
        return len(self.clips)

    def at(self, rows: npt.NDArray[np.uint64] | slice) -> "Part":
        """These rows."""
        return Part(self.clips[rows], self.offsets[rows], self.codes[rows], self.probes[rows])


class _Room:
    """Memory for the places of one part, used again for the next; larger where a part is larger than expected."""

    def __init__(self, places: int) -> None:
        self._columns = _columns(places)
        self._count = 0

    def put(self, part: Part) -> None:
        """These places are behind those that are there."""
        end = self._count + len(part)
        if end > len(self._columns.clips):
            old, self._columns = self.part, _columns(end + end // 4)
            self._fill(0, old)
        self._fill(self._count, part)
        self._count = end

    @property
    def part(self) -> Part:
        """What is there."""
        return self._columns.at(slice(0, self._count))

    def empty(self) -> None:
        """Nothing is there; what `part` was is overwritten."""
        self._count = 0

    def _fill(self, begin: int, part: Part) -> None:
        room = self._columns.at(slice(begin, begin + len(part)))
        room.clips[:], room.offsets[:], room.codes[:] = part.clips, part.offsets, part.codes
        room.probes[:] = part.probes


def _columns(places: int) -> Part:
    probes = np.empty((places, len(_PROBES)), np.uint32)
    return Part(np.empty(places, np.int32), np.empty(places, np.int32), np.empty(places, np.uint64), probes)


def neighbours(sources: Sources, part: int) -> Iterator[Pairs]:
    """Pairs of clips, the first before the second, that nearly agree somewhere; equal ones come once or more often.

    Sorted neighbourhoods, as Manku, Jain and Das Sarma (WWW 2007, section 3) sort fingerprints of pages: the work
    grows with the number of words, however many clips share one. About `part` places are in memory at once: each part
    of an order is looked up in all words, and knows the last places of the part before, so that what is found does
    not depend on it.
    """
    room = _Room(min(len(sources), part + part // 8) + _NEAR)
    for order in ORDERS:
        before = _columns(0)
        for low, high in pairwise(_edges(sources, order, part)):
            room.empty()
            room.put(before)
            _gather(sources, order, low, high, room)
            here = room.part
            ranked = _ranked(here.codes, len(before), order)
            yield from _likely(sources, here, ranked, len(before))
            before = here.at(ranked[-_NEAR:])


def _edges(sources: Sources, order: str, part: int) -> list[int]:
    """Heads between which about `part` words lie; equal ones are never parted."""
    step = max(1, len(sources) >> 17)
    empty = np.empty(0, np.uint32)
    heads = np.sort(
        np.concatenate([empty, *(_head(words[::step], order) for _, words in sources.blocks(_BLOCK))])
    )
    inner = heads[part // step :: max(1, part // step)].tolist()
    return [0, *sorted({*inner} - {0}), 1 << 32]


def _gather(sources: Sources, order: str, low: int, high: int, room: _Room) -> None:
    """`room` holds the places whose head in this order is in [low, high) too; of equal words in a row the first."""
    margin = max(APART, *_PROBES)
    for begin, words in sources.blocks(_BLOCK, margin):
        here = _chosen(words[margin : len(words) - margin], order, low, high)
        clips = sources.clips_of(begin + here)
        starts = sources.starts[clips] - begin
        again = (words[margin + here - 1] == words[margin + here]) & (here > starts)
        if again.any():
            here, clips, starts = here[~again], clips[~again], starts[~again]
        room.put(_part(words, margin, here, clips, starts, sources.starts[clips + 1] - begin))


def _part(words: Words, margin: int, here: Index, clips: Clips, starts: Index, ends: Index) -> Part:
    """Places in a block of words, and what is around them in their clips, which begin and end there."""
    probes = np.empty((len(here), len(_PROBES)), np.uint32)
    for number, offset in enumerate(_PROBES):
        inside = here + offset < ends if offset > 0 else here + offset >= starts
        np.multiply(words[margin + offset :][here], inside, out=probes[:, number])  # SILENT is 0
    word, after = words[margin:][here], words[margin + APART :][here]
    after *= here + APART < ends
    after = np.where(
        after == SILENT, word, after
    )  # not one before it: copies that lack a beginning would differ
    codes = (word.astype(np.uint64) << np.uint64(32)) | after
    return Part(clips, (here - starts).astype(np.int32), codes, probes)


def _chosen(words: Words, order: str, low: int, high: int) -> Index:
    """Where words lie that have such a head and are not silent."""
    found = [np.empty(0, np.int64)]
    for begin in range(0, len(words), _CACHED):
        block = words[begin : begin + _CACHED]
        beyond = _head(block, order) - np.uint32(low)  # where it is below, this is very large
        found.append(begin + np.flatnonzero(beyond <= np.uint32(high - 1 - low)))
    places: Index = np.concatenate(found)
    heard: Index = places[words[places] != SILENT]
    return heard


def _ranked(codes: Codes, known: int, order: str) -> npt.NDArray[np.uint64]:
    """The places in order: first those `known`, which come before all others."""
    numbers = np.arange(len(codes), dtype=np.uint64)
    keys, few = np.empty(len(codes) - known, np.uint64), len(codes) - known <= _NUMBERED
    for begin in range(0, len(keys), _CACHED):
        block = _ordered(codes[known + begin : known + begin + _CACHED], order) >> _PLACES
        keys[begin : begin + _CACHED] = (
            block << _PLACES | numbers[begin : begin + len(block)] if few else block
        )
    if few:
        # The places make all keys different, so that the order is the same on every machine; polars sorts them twice as
        # fast as numpy, and on all cores.
        keys = pl.Series(keys).sort().to_numpy()
        np.bitwise_and(keys, (np.uint64(1) << _PLACES) - np.uint64(1), out=numbers[known:])
    else:  # a head that millions share: the same order, but slowly
        numbers[known:] = np.argsort(keys, kind="stable")
    numbers[known:] += np.uint64(known)
    return numbers


def _likely(sources: Sources, part: Part, ranked: npt.NDArray[np.uint64], known: int) -> Iterator[Pairs]:
    """Neighbours in one part of an order that agree nearby too; the `known` places have been compared already."""
    waiting, count = [np.empty((2, 0), np.uint64)], 0
    for begin in range(0, len(ranked), _CACHED):
        rows = ranked[begin : begin + _CACHED + _NEAR]
        codes = part.codes[rows]
        for step in range(1, _NEAR + 1):
            first = max(0, known - step - begin)
            left, right = codes[first : min(_CACHED, len(codes) - step)], codes[first + step : _CACHED + step]
            close = first + np.flatnonzero(np.bitwise_count(left ^ right) <= _DIFFERENT)
            waiting.append(np.stack([rows[close], rows[close + step]]))
            count += len(close)
        if count > _AT_ONCE or begin + _CACHED >= len(ranked):
            yield _probed(sources, part, *np.concatenate(waiting, axis=1))
            waiting, count = [np.empty((2, 0), np.uint64)], 0


def _probed(
    sources: Sources, part: Part, one: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]
) -> Pairs:
    """Of these places the pairs of clips whose words around them agree."""
    a, b = part.clips[one], part.clips[other]
    swap = a > b
    one, other = np.where(swap, other, one), np.where(swap, one, other)
    keep = a != b
    if sources.first is not None:
        keep &= (np.minimum(a, b) < sources.first) & (np.maximum(a, b) >= sources.first)
    one, other = one[keep], other[keep]
    # `take` moves rows of 16 bytes several times as fast as an index does.
    left, right = (part.probes.take(rows.astype(np.int64), axis=0) for rows in (one, other))
    both = (left != SILENT) & (right != SILENT)
    errors = np.where(both, np.bitwise_count(left ^ right), 0).sum(axis=1)
    keep = errors <= _PROBED * BITS * both.sum(axis=1)
    one, other = one[keep], other[keep]
    pairs = np.stack([part.clips[one], part.clips[other], part.offsets[one] - part.offsets[other]], axis=1)
    return once(pairs)


def once(rows: Pairs) -> Pairs:
    """The rows in order, equal ones once; much faster than numpy's `unique` of rows."""
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    first = np.ones(len(rows), bool)
    first[1:] = np.any(rows[1:] != rows[:-1], axis=1)
    return rows[first]


def _head(words: Words, order: str) -> Words:
    if order == "half":
        return (words << np.uint32(16)) | (words >> np.uint32(16))
    if order == "all":
        return words
    return (words >> np.uint32(1) if order == "odd" else words) & _EVEN


def _ordered(full: Codes, order: str) -> Codes:
    """The codes with their bits in this order, the most significant first."""
    word, second = (full >> np.uint64(32)).astype(np.uint32), full.astype(np.uint32)
    if order in {"all", "half"}:
        return (_head(word, order).astype(np.uint64) << np.uint64(32)) | _head(second, order)
    rest = word if order == "odd" else word >> np.uint32(1)
    parts = (_head(word, order), _head(second, order), rest & _EVEN)
    first, then, last = (
        _packed(part) << np.uint64(place) for part, place in zip(parts, (48, 32, 16), strict=True)
    )
    ordered: Codes = first | then | last
    return ordered


def _packed(bits: Words) -> Codes:
    """Every second bit of 32, side by side in 16."""
    packed = bits.astype(np.uint64)
    for shift, mask in ((1, 0x33333333), (2, 0x0F0F0F0F), (4, 0x00FF00FF), (8, 0x0000FFFF)):
        packed = (packed | (packed >> np.uint64(shift))) & np.uint64(mask)
    return packed
