"""Sums over the short spectra of a clip, by C where it is compiled and by scipy elsewhere."""

import ctypes
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from captionstew.audio.codec import Pcm
from captionstew.audio.compiled import compiled

FRAME = 1024  # samples; 64 ms at 16 kHz, the step of every measure and of the fingerprint
_SIZES = (1024, 256, 64, 16, 4)  # of the transforms in spectra.c
_FULL = 32768.0

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectra:
    """What the measures need of a clip's frames of `FRAME` samples; full scale is 1.

    Frames do not overlap and are not windowed; a last part shorter than a frame is left out unless it is all there is.
    """

    energies: Floats  # (frames,): mean squares
    weighted: Floats  # (frames,): mean squares, K-weighted (BS.1770-5)
    bins: Doubles  # (FRAME / 2 + 1,): energy of each bin in all frames, unscaled
    mean: float  # of the samples


def spectra(pcm: Pcm, rate: int) -> Spectra:
    """The sums of a clip of at least one sample; both ways agree to about 1e-6 of each."""
    library = compiled("spectra", _believed, native=True)
    return quick_spectra(library, pcm, rate) if library else slow_spectra(pcm, rate)


def slow_spectra(pcm: Pcm, rate: int) -> Spectra:
    """The sums by scipy's transforms; real and imaginary parts stay apart, so that sums are matrix products."""
    import scipy.fft

    frames, used = _frames(pcm)
    rows = scipy.fft.rfft(frames.astype(np.float32), axis=1, overwrite_x=True).view(np.float32)
    mean = float(rows[:, 0].sum(dtype=np.float64)) / used / _FULL
    squares = np.square(rows, out=rows)
    bins = _ones(len(squares)) @ squares
    weights = (np.repeat(_weights(kind), 2) for kind in (0, rate))
    flat, heard = (squares @ each.astype(np.float32) for each in weights)
    return Spectra(flat, heard, (bins[0::2] + bins[1::2]).astype(np.float64), mean)


def quick_spectra(library: ctypes.CDLL, pcm: Pcm, rate: int) -> Spectra:
    """The sums by the library that is made of spectra.c."""
    frames, used = _frames(np.ascontiguousarray(pcm, np.int16))
    tables = _tables(rate)  # held until C has read them: another thread may put its own into the cache
    energies, weighted = np.empty((2, len(frames)), np.float32)
    bins = np.empty(FRAME // 2 + 1)
    total = _function(library)(
        frames.ctypes.data, len(frames), *tables.addresses, 0.25 / (_FULL * FRAME) ** 2,
        energies.ctypes.data, weighted.ctypes.data, bins.ctypes.data,
    )  # fmt: skip
    return Spectra(energies, weighted, bins, total / used / _FULL)


def _frames(pcm: Pcm) -> tuple[Pcm, int]:
    """The samples as rows of a frame, and how many of them there are."""
    count = max(1, len(pcm) // FRAME)
    used = min(len(pcm), count * FRAME)
    if used < FRAME:
        pcm = np.concatenate([pcm, np.zeros(FRAME - used, np.int16)])
    return pcm[: count * FRAME].reshape(count, FRAME), used


@lru_cache(maxsize=256)
def _ones(count: int) -> Floats:
    return np.ones(count, np.float32)


@cache
def _weights(rate: int) -> Doubles:
    """What turns the squares of bins into a mean square: K-weighted for `rate`, or flat for rate 0.

    Each bin stands for its mirror image too, except the first and the last.
    """
    scale = np.full(FRAME // 2 + 1, 2 / (_FULL * FRAME) ** 2)
    scale[[0, -1]] /= 2
    return scale * _k_weighting(rate) if rate else scale


def _k_weighting(rate: int) -> Doubles:
    """The power response of BS.1770's two filters at each bin, from their coefficients for 48 kHz."""
    shelf = (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (1.0, -1.69065929318241, 0.73248077421585),
    )
    highpass = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
    turn = np.exp(-2j * np.pi * np.arange(FRAME // 2 + 1) * rate / FRAME / 48_000)
    gain = np.ones_like(turn)
    for numerator, denominator in (shelf, highpass):
        gain *= np.polyval(numerator[::-1], turn) / np.polyval(denominator[::-1], turn)
    response: Doubles = np.abs(gain) ** 2
    return response


@dataclass(frozen=True, eq=False)
class _Tables:
    """Twiddles, the place of each frequency after five steps in fours, and weights for four times the squares."""

    arrays: tuple[Floats, npt.NDArray[np.int32], Floats]

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Where C finds them."""
        return tuple(array.ctypes.data for array in self.arrays)


@cache
def _tables(rate: int) -> _Tables:
    angles = [
        -2 * np.pi / size * np.arange(size // 4)[:, None, None] * np.arange(1, 4)[:, None] for size in _SIZES
    ]
    turns = [np.concatenate([np.cos(angle), np.sin(angle)], axis=-1).ravel() for angle in angles]
    place = np.arange(FRAME).reshape((4,) * len(_SIZES)).transpose().ravel()
    weights = (_weights(rate) / 4).astype(np.float32)
    return _Tables((np.concatenate(turns).astype(np.float32), place.astype(np.int32), weights))


@cache
def _function(library: ctypes.CDLL) -> Any:
    function = library.spectra
    pointer = ctypes.c_void_p
    function.argtypes = [pointer, ctypes.c_int64, *[pointer] * 3, ctypes.c_float, *[pointer] * 3]
    function.restype = ctypes.c_double
    return function


def _believed(library: ctypes.CDLL) -> bool:
    """Whether it agrees with scipy: for a tone, noise, silence and full scale, in 1 to 40 frames."""
    time = np.arange(40 * FRAME)
    noise = np.random.default_rng(0).normal(0, 3_000, len(time))
    sounds = (9_000 * np.sin(time / 30), noise, 0 * noise, np.sign(noise) * 32_767)
    return all(
        agree(quick_spectra(library, pcm, 16_000), slow_spectra(pcm, 16_000))
        for count in (1, 700, FRAME, 15 * FRAME + 5, len(time))
        for pcm in (sound[:count].astype(np.int16) for sound in sounds)
    )


def agree(one: Spectra, other: Spectra) -> bool:
    """Whether two ways gave the same sums, but for rounding."""
    pairs = ((one.energies, other.energies), (one.weighted, other.weighted), (one.bins, other.bins))
    near = (np.allclose(a, b, rtol=1e-4, atol=1e-6 * float(np.max(b, initial=0))) for a, b in pairs)
    return all(near) and abs(one.mean - other.mean) < 1e-6
