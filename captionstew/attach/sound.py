"""Whether copies of clips that begin together sound the same, very many pairs at a time."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from captionstew.audio.fingerprint import COVERED, FEWEST, limit
from captionstew.audio.fingerprint_words import BITS, SILENT, Words

_AT_ONCE = 1 << 21  # words of both sides that are compared at a time: some 16 MB


def alike(ours: Sequence[bytes], theirs: Sequence[bytes], most: int) -> npt.NDArray[np.bool_]:
    """For each pair of fingerprints whether they are of one recording, begun at most `most` words apart.

    The rules are those of `captionstew.audio.fingerprint.same_sound`, without its doubt about sounds that repeat
    themselves: here ids say already that the two are one. Too short or too quiet to tell is not alike.
    """
    assert len(ours) == len(theirs), (len(ours), len(theirs))
    found = np.zeros(len(ours), np.bool_)
    for part in _parts([max(len(a), len(b)) // 4 for a, b in zip(ours, theirs, strict=True)]):
        found[part] = _alike([ours[at] for at in part], [theirs[at] for at in part], most)
    return found


def _parts(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of pairs of about the same length, so many at a time that they fit."""
    part: list[int] = []
    for at in np.argsort(lengths, kind="stable").tolist():
        if part and (len(part) + 1) * max(lengths[at], 1) > _AT_ONCE:
            yield part
            part = []
        part.append(at)
    if part:
        yield part


def _alike(ours: Sequence[bytes], theirs: Sequence[bytes], most: int) -> npt.NDArray[np.bool_]:
    left, right = _padded(ours), _padded(theirs)
    fewer = np.minimum(np.count_nonzero(left, axis=1), np.count_nonzero(right, axis=1))
    needed = np.maximum(FEWEST, COVERED * fewer)
    found = np.zeros(len(ours), np.bool_)
    for shift in range(-most, most + 1):
        a, b = left[:, max(0, shift) :], right[:, max(0, -shift) :]
        width = min(a.shape[1], b.shape[1])
        a, b = a[:, :width], b[:, :width]
        heard = (a != SILENT) & (b != SILENT)
        active = heard.sum(axis=1)
        bits = np.where(heard, np.bitwise_count(a ^ b), 0).sum(axis=1, dtype=np.int64)
        found |= (active >= needed) & (bits / (BITS * np.maximum(active, 1)) < limit(active))
    return found


def _padded(prints: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    rows: list[Words] = [np.frombuffer(data[: len(data) // 4 * 4], "<u4") for data in prints]
    table = np.full((len(rows), max(map(len, rows), default=0)), SILENT, np.uint32)
    for row, words in zip(table, rows, strict=True):
        row[: len(words)] = words
    return table
