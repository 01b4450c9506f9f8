"""From samples to the words of a fingerprint: the same bits on every machine, compiled or not."""

import ctypes
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from captionstew.audio.compiled import compiled

Pcm = npt.NDArray[np.int16]
Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float32]

BITS = 32
SILENT = 0  # the word of a moment too quiet to say anything
_RATE = 4000  # Hz, about; codecs keep less of what lies higher, which would double the cost
_FRAME = 512  # samples at that rate, 128 ms
_HOP = 128  # samples, 32 ms; with less overlap what another grid of frames finds differs by chance
_LOWEST, _HIGHEST = 150.0, 1900.0  # Hz
_SPAN = 3  # words; energies are smoothed over 2 x 192 ms
_LAG = 6  # words; a bit compares energies 384 ms apart
_BEYOND = 2 * (_SPAN - 1) + _LAG  # energies that the last word still takes
_GATE = 10**-4.5  # of the loudest moment: -45 dB
_FLOOR = 0.018  # the level of a tone at -80 dBFS; codecs fill silence with a noise of their own
_TAPS = 8  # of the low-pass, for each sample that is kept
_TAP_BITS = 15  # behind the point of a tap: sums of 16-bit samples fit 32 bits
_EXACT = 2.0**-24  # constants are multiples of it, so that the last bit of a machine's cosine does not matter
_SIZES = (512, 128, 32, 8)  # of the transforms that are taken in fours; those of 2 are left


@dataclass(frozen=True, eq=False)
class Tables:
    """What the words of one sample rate are computed with."""

    step: int  # samples of which one is kept
    taps: npt.NDArray[np.int16]
    window: Floats
    twiddles: tuple[Floats, ...]  # of each size: (size / 4, 3, 2), cosine and sine of points 1 to 3
    bins: npt.NDArray[np.int32]  # (33, 2): the first bin of each band, and behind its last
    weights: Floats  # of the bins of all bands, end to end


def words_of(pcm: Pcm, rate: int) -> Words:
    """The words of 16-bit mono samples; none for clips under 0.8 s."""
    tables = tables_of(rate)
    library = compiled("fingerprint", _believed, native=True)
    return quick_words(library, pcm, tables) if library else slow_words(pcm, tables)


def slow_words(pcm: Pcm, tables: Tables) -> Words:
    """The words by numpy alone; every sum of floats is taken in an order that is written down."""
    count = _num_energies(len(pcm), tables)
    if count <= _BEYOND:
        return np.empty(0, np.uint32)
    low = _low_passed(pcm, tables, (2 * count - 1) * _HOP + _FRAME)
    frames = np.lib.stride_tricks.sliding_window_view(low, _FRAME)[::_HOP].T * tables.window[:, None]
    power = _power(frames[:, 0::2], frames[:, 1::2], tables)
    smooth = _moving_sum(_moving_sum(_energies(power, tables)))
    slope = smooth[:-1] - smooth[1:]
    words = np.packbits(slope[:, _LAG:] > slope[:, :-_LAG], axis=0).T.copy().view(">u4").reshape(-1)
    level = reduce(np.add, smooth)
    level = np.maximum(level[_LAG:], level[:-_LAG])
    silent = level <= max(np.float32(_GATE) * level.max(), np.float32(_FLOOR))
    return np.where(silent, SILENT, words).astype(np.uint32)


def quick_words(library: ctypes.CDLL, pcm: Pcm, tables: Tables) -> Words:
    """The same words by the library that is made of fingerprint.c."""
    count = _num_energies(len(pcm), tables)
    if count <= _BEYOND:
        return np.empty(0, np.uint32)
    pcm = np.ascontiguousarray(pcm, np.int16)
    energies = np.empty((count, BITS + 1), np.float32)
    words = np.empty(count - _BEYOND, np.uint32)
    given = _given(
        tables
    )  # held until C has read what it points to: another thread may put its own into the cache
    _function(library)(pcm.ctypes.data, given[0], count, energies.ctypes.data, words.ctypes.data)
    return words


@cache
def tables_of(rate: int) -> Tables:
    """The tables of a sample rate.

    Bands are wide as the ear has it (mel), and each overlaps the next by half: codecs at 32 kbit/s keep no narrower
    ones. A bin at an edge is shared, so that none is empty.
    """
    step = max(1, round(rate / _RATE))
    taps = _TAPS * step
    kernel = np.sinc(0.95 * (np.arange(taps) - (taps - 1) / 2) / step) * np.hanning(taps + 2)[1:-1]
    whole = np.rint(kernel / kernel.sum() * 2**_TAP_BITS)
    assert np.abs(whole).sum() * 2**15 < 2**31, (rate, np.abs(whole).sum())
    kept = rate / step
    lowest, highest = (2595 * np.log10(1 + edge / 700) for edge in (_LOWEST, min(_HIGHEST, kept / 2)))
    edges = 700 * (10 ** (np.linspace(lowest, highest, BITS + 3) / 2595) - 1) * _FRAME / kept
    all_bins = np.arange(_FRAME // 2 + 1)[:, None]
    shared = np.minimum(all_bins + 0.5, edges[None, 2:]) - np.maximum(all_bins - 0.5, edges[None, :-2])
    shared = np.clip(shared, 0, 1).T
    bins = [(heard[0], heard[-1] + 1) for heard in map(np.flatnonzero, shared > 0)]
    weights = [_exact(row[first:last] / 2) for row, (first, last) in zip(shared, bins, strict=True)]
    return Tables(step, whole.astype(np.int16), _exact(np.hanning(_FRAME + 1)[:_FRAME]) / np.float32(2**30),
                  tuple(map(_twiddles, _SIZES)), np.array(bins, np.int32), np.concatenate(weights))  # fmt: skip


def _num_energies(samples: int, tables: Tables) -> int:
    """Pairs of whole frames in so many samples; below 1 where there is none."""
    low = (samples - len(tables.taps)) // tables.step + 1
    return ((low - _FRAME) // _HOP + 1) // 2


def _low_passed(pcm: Pcm, tables: Tables, count: int) -> Floats:
    """So many samples at about 4 kHz, times 2 ** `_TAP_BITS`: whole numbers, rounded to 24 bits."""
    rows = np.lib.stride_tricks.sliding_window_view(pcm, len(tables.taps))[:: tables.step][:count]
    low: Floats = (rows.astype(np.int32) @ tables.taps.astype(np.int32)).astype(np.float32)
    return low


def _power(re: Floats, im: Floats, tables: Tables) -> Floats:
    """Squares (bins, words) of both frames of each word, twice: of what is transformed, one is the real part, one the
    imaginary, and the squares at a frequency and at its negative are twice the sum of theirs.

    Transforms in fours, then in twos, leave frequencies in the order of their digits, turned round.
    """  # fmt: skip
    for size, twiddles in zip(_SIZES, tables.twiddles, strict=True):
        re, im = _fours(re, im, size, twiddles)
    re, im = (np.stack([x[0::2] + x[1::2], x[0::2] - x[1::2]], axis=1).reshape(x.shape) for x in (re, im))
    digits = np.arange(_FRAME).reshape(4, 4, 4, 4, 2).transpose(4, 3, 2, 1, 0).reshape(-1)
    squares: Floats = (re * re + im * im)[digits]
    return squares[: _FRAME // 2 + 1] + squares[-np.arange(_FRAME // 2 + 1)]


def _fours(re: Floats, im: Floats, size: int, twiddles: Floats) -> tuple[Floats, Floats]:
    """One step of all transforms of `size` points: each becomes four of a quarter, one behind the other."""
    (a, b, c, d), (e, f, g, h) = (
        np.moveaxis(x.reshape(-1, 4, size // 4, x.shape[-1]), 1, 0) for x in (re, im)
    )
    left = (a + c) + (b + d), (e + g) + (f + h)
    others = (
        ((a - c) + (f - h), (e - g) - (b - d)),
        ((a + c) - (b + d), (e + g) - (f + h)),
        ((a - c) - (f - h), (e - g) + (b - d)),
    )
    made = [left]
    for (x, y), (cosine, sine) in zip(others, twiddles.transpose(1, 2, 0)[..., None], strict=True):
        made.append((x * cosine - y * sine, x * sine + y * cosine))
    one, other = (np.stack(parts, axis=1).reshape(re.shape) for parts in zip(*made, strict=True))
    return one, other


def _energies(power: Floats, tables: Tables) -> Floats:
    """Energies (bands, words), each a sum from the lowest bin on."""
    energies, behind = np.zeros((BITS + 1, power.shape[1]), np.float32), 0
    for band, (first, last) in enumerate(tables.bins):
        for k in range(first, last):
            energies[band] += power[k] * tables.weights[behind + k - first]
        behind += last - first
    return energies


def _moving_sum(bands: Floats) -> Floats:
    sums: Floats = bands[:, :-2] + bands[:, 1:-1] + bands[:, 2:]  # _SPAN = 3 words
    return sums


def _twiddles(size: int) -> Floats:
    angles = -2 * np.pi / size * np.arange(size // 4)[:, None] * np.arange(1, 4)
    return _exact(np.stack([np.cos(angles), np.sin(angles)], axis=-1))


def _exact(values: npt.NDArray[np.float64]) -> Floats:
    return (np.rint(values / _EXACT) * _EXACT).astype(np.float32)


class _Given(ctypes.Structure):
    """`Tables` in fingerprint.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("taps", "window", "twiddles", "weights", "bins")),
        *((name, ctypes.c_int32) for name in ("num_taps", "step")),
        *((name, ctypes.c_float) for name in ("gate", "floor")),
    )


@cache
def _given(tables: Tables) -> tuple[_Given, Floats]:
    """The tables as C has them, and what they point to beyond the tables themselves."""
    twiddles = np.concatenate([part.reshape(-1) for part in tables.twiddles])
    arrays = (tables.taps, tables.window, twiddles, tables.weights, tables.bins)
    addresses = (array.ctypes.data for array in arrays)
    return _Given(*addresses, len(tables.taps), tables.step, _GATE, _FLOOR), twiddles


@cache
def _function(library: ctypes.CDLL) -> Any:
    function = library.fingerprint
    pointer = ctypes.c_void_p
    function.argtypes = [pointer, ctypes.POINTER(_Given), ctypes.c_int64, pointer, pointer]
    function.restype = None
    return function


def _believed(library: ctypes.CDLL) -> bool:
    """Whether its words are those of numpy: for tones, noise, silence and full scale, at two rates."""
    time = np.arange(60_000)
    tone = 9_000 * np.sin(time / 30) * np.sin(time / 4_000)
    noise = np.random.default_rng(0).normal(0, 3_000, len(time))
    sounds = (tone, noise, tone + noise / 30, 0 * tone, np.sign(noise) * 32_767)
    return all(
        np.array_equal(quick_words(library, pcm, tables_of(rate)), slow_words(pcm, tables_of(rate)))
        for rate in (16_000, 44_100)
        for pcm in (sound.astype(np.int16) for sound in sounds)
    )
