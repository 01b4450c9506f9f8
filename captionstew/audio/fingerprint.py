"""An acoustic fingerprint that survives re-encoding: signs of band-energy changes, 32 bits every 64 ms."""

from functools import cache

import numpy as np
import numpy.typing as npt

from captionstew.audio.measure import FRAME, Squares

Words = npt.NDArray[np.uint32]

BITS = 32
SILENT = 0  # the word of a moment too quiet to say anything
_LOWEST, _HIGHEST = 250.0, 4000.0  # Hz: what speech codecs and MP3 at 64 kbit/s keep
_SPAN = 4  # frames; energies are smoothed over 2 x 256 ms, longer than any shift of the frame grid
_LAG = 8  # frames; a bit compares energies 512 ms apart
_GATE = 1e-3  # of the loudest moment: -30 dB
_SHORTEST = 2 * _SPAN - 1 + _LAG  # frames: 0.96 s
# Words that two clips must both have: so many, and this share of the shorter one's (beeps match for a moment).
_FEWEST, _COVERED = 8, 0.6
# Bit error rate. Of 80,106 pairs of ESC-10, speech and music 5 lie below it, 3 of which share audio; copies in
# another encoding lie at 0.06 (median).
_SAME = 0.28


def fingerprint(squares: Squares, rate: int) -> Words:
    """One 32-bit word per 64 ms, after Haitsma and Kalker (ISMIR 2002, section 4.2); empty for clips under 0.96 s.

    A bit is the sign of the change over time of the difference of two neighbouring bands' energies, so that gain and
    slow filtering cancel. Quiet moments, whose bits would be chance, are `SILENT`.
    """
    if len(squares) < _SHORTEST:
        return np.empty(0, np.uint32)
    first, weights = _bands(rate)
    smooth = _moving_sum(_moving_sum(squares[:, first : first + len(weights)] @ weights))
    slope = smooth[:, :-1] - smooth[:, 1:]
    words = np.packbits(slope[_LAG:] > slope[:-_LAG], axis=1).view(">u4").reshape(-1).astype(np.uint32)
    level = smooth.sum(axis=1)
    level = np.maximum(level[_LAG:], level[:-_LAG])
    words[level <= _GATE * level.max()] = SILENT
    return words


def distance(a: Words, b: Words) -> float:
    """The lowest bit error rate over all alignments of two fingerprints; 1.0 if they never overlap enough.

    Near 0 for one recording in two encodings, about 0.45 for unrelated ones.
    """
    best = 1.0
    needed = max(_FEWEST, _COVERED * min(np.count_nonzero(a), np.count_nonzero(b)))
    for shift in range(_FEWEST - len(b), len(a) - _FEWEST + 1):
        left, right = a[max(0, shift) :], b[max(0, -shift) :]
        count = min(len(left), len(right))
        left, right = left[:count], right[:count]
        heard = (left != SILENT) & (right != SILENT)
        if (active := np.count_nonzero(heard)) >= needed:
            errors = np.bitwise_count((left ^ right)[heard]).sum()
            best = min(best, float(errors) / (BITS * active))
    return best


def same_sound(a: Words, b: Words) -> bool:
    """Whether two fingerprints are of one recording."""
    return distance(a, b) < _SAME


def _moving_sum(bands: Squares) -> Squares:
    pairs: Squares = bands[:-1] + bands[1:]
    sums: Squares = pairs[:-2] + pairs[2:]  # _SPAN = 4 frames
    return sums


@cache
def _bands(rate: int) -> tuple[int, Squares]:
    """The first column of the lowest band in squared spectra, and the weights (columns, 33) from there on.

    Bands are logarithmic; a bin at an edge is shared, so that none is empty.
    """
    edges = np.geomspace(_LOWEST, min(_HIGHEST, rate / 2), BITS + 2) * FRAME / rate
    first, last = int(edges[0]), min(int(edges[-1]) + 1, FRAME // 2)
    bins = np.arange(first, last + 1)[:, None]
    shared = np.minimum(bins + 0.5, edges[None, 1:]) - np.maximum(bins - 0.5, edges[None, :-1])
    return 2 * first, np.repeat(np.clip(shared, 0, 1), 2, axis=0).astype(np.float32)
