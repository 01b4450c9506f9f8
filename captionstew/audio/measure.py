"""Quality measures of a clip from one pass of short spectra: loudness, silence, clipping, DC, bandwidth."""

import ctypes
import math
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from captionstew.audio.codec import Pcm
from captionstew.audio.compiled import compiled
from captionstew.audio.spectra import FRAME, Spectra, slow_spectra

_SILENT = 1e-6  # mean square of -60 dBFS
_BLOCK, _STEP = 6, 2  # frames: 384 ms blocks, 128 ms apart (BS.1770-5: 400 ms, 100 ms)
_ABSOLUTE_GATE = 10 ** ((-70 + 0.691) / 10)
_RELATIVE_GATE = 0.1
_HELD = 0.99  # of the energy, below the bandwidth
_DECIMALS = 2  # of a loudness; what lies behind them differs from machine to machine


@dataclass(frozen=True)
class Measures:
    """What schema clip.v1 says of a clip's quality, in its units."""

    loudness: float | None
    peak: float | None
    silence: float
    clipping: float
    dc_offset: float
    bandwidth: float


@dataclass(frozen=True)
class Found:
    """What the measures are made of."""

    peak: float  # the furthest from 0 that a sample lies
    clipped: float  # samples
    silent: float  # frames
    energy: float  # the mean square that the gates leave; below 0 where they leave nothing
    bin: float  # the one below which 99 % of the energy lies; 0 where there is none


def measure(pcm: Pcm, rate: int, sums: Spectra) -> Measures:
    """The measures of a clip, given its samples and the sums over its spectra; by C where it is compiled."""
    library = compiled("measure", _believed, native=True)
    found = quick_found(library, pcm, sums) if library else slow_found(pcm, sums)
    return Measures(
        loudness=round(-0.691 + 10 * math.log10(found.energy), _DECIMALS) if found.energy >= 0 else None,
        peak=20 * math.log10(found.peak / 32768) if found.peak else None,
        silence=found.silent / len(sums.energies),
        clipping=found.clipped / len(pcm),
        dc_offset=sums.mean,
        bandwidth=found.bin * rate / FRAME,
    )


def quick_found(library: ctypes.CDLL, pcm: Pcm, sums: Spectra) -> Found:
    """By the library that is made of measure.c."""
    pcm, found = np.ascontiguousarray(pcm, np.int16), (ctypes.c_double * 5)()
    _function(library)(
        pcm.ctypes.data, len(pcm), sums.energies.ctypes.data, sums.weighted.ctypes.data, sums.bins.ctypes.data,
        len(sums.energies), _ABSOLUTE_GATE, found,
    )  # fmt: skip
    return Found(*found)


def slow_found(pcm: Pcm, sums: Spectra) -> Found:
    """By numpy."""
    peak = max(int(pcm.max()), -int(pcm.min()))
    clipped = int(np.count_nonzero(np.abs(pcm.astype(np.int32)) >= 32767)) if peak >= 32767 else 0
    silent = int(np.count_nonzero(sums.energies < _SILENT))
    return Found(peak, clipped, silent, _energy(sums.weighted), _highest(sums.bins))


def _energy(energies: npt.NDArray[np.float32]) -> float:
    """Mean of K-weighted frame energies with both gates of BS.1770-5."""
    if len(energies) > _BLOCK:
        sums = np.cumsum(np.concatenate(([0.0], energies)), dtype=np.float64)
        blocks = (sums[_BLOCK:] - sums[:-_BLOCK])[::_STEP] / _BLOCK
    else:
        blocks = energies.mean(dtype=np.float64, keepdims=True)
    loud = blocks[blocks > _ABSOLUTE_GATE]
    return float(loud[loud > loud.mean() * _RELATIVE_GATE].mean()) if len(loud) else -1.0


def _highest(bins: npt.NDArray[np.float64]) -> int:
    """The bin below which 99 % of the energy lies, without DC."""
    total = np.cumsum(bins[1:])
    return int(np.searchsorted(total, _HELD * total[-1])) + 1 if total[-1] > 0 else 0


@cache
def _function(library: ctypes.CDLL) -> Any:
    function = library.measured
    pointer = ctypes.c_void_p
    function.argtypes = [pointer, ctypes.c_int64, *[pointer] * 3, ctypes.c_int64, ctypes.c_double, pointer]
    function.restype = None
    return function


def _believed(library: ctypes.CDLL) -> bool:
    """Whether it agrees with numpy: for a tone, noise, bursts, silence and full scale, in 1 to 40 frames."""
    time = np.arange(40 * FRAME)
    noise = np.random.default_rng(0).normal(0, 3_000, len(time))
    bursts = np.where(time % 9_000 < 4_000, 12_000, 0.3) * np.sin(time / 20)
    sounds = (9_000 * np.sin(time / 30), noise, bursts, 0 * noise, np.sign(noise) * 32_768)
    clips = (
        np.clip(sound[:count], -32_768, 32_767).astype(np.int16)
        for count in (1, 700, 6 * FRAME, 7 * FRAME, 15 * FRAME + 5, len(time))
        for sound in sounds
    )
    return all(near(pcm, library) for pcm in clips)


def near(pcm: Pcm, library: ctypes.CDLL) -> bool:
    """Whether both ways find the same of these samples, but for rounding."""
    sums = slow_spectra(pcm, 16_000)
    quick, slow = quick_found(library, pcm, sums), slow_found(pcm, sums)
    return np.allclose(astuple(quick), astuple(slow), rtol=1e-9, atol=0)
