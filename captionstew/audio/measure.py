"""Quality measures of a clip from one pass of short spectra: loudness, silence, clipping, DC, bandwidth."""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from captionstew.audio.codec import Pcm

FRAME = 1024  # samples; 64 ms at 16 kHz, the step of every measure and of the fingerprint
Squares = npt.NDArray[
    np.float32
]  # (frames, FRAME + 2): squared real and imaginary parts of each bin, in turn

_SILENT = 1e-6  # mean square of -60 dBFS
_BLOCK, _STEP = 6, 2  # frames: 384 ms blocks, 128 ms apart (BS.1770-5: 400 ms, 100 ms)
_ABSOLUTE_GATE = 10 ** ((-70 + 0.691) / 10)
_RELATIVE_GATE = 0.1


@dataclass(frozen=True)
class Measures:
    """What schema clip.v1 says of a clip's quality, in its units."""

    loudness: float | None
    peak: float | None
    silence: float
    clipping: float
    dc_offset: float
    bandwidth: float


def squared_spectra(pcm: Pcm) -> tuple[Squares, float]:
    """Squared spectra of each `FRAME` samples, unscaled (see `_weights`), and the mean sample (full scale = 1).

    Frames do not overlap and are not windowed; a last part shorter than a frame is left out unless it is all
    there is. Real and imaginary parts stay apart: sums over bins are matrix products all the same.
    """
    count = max(1, len(pcm) // FRAME)
    used = min(len(pcm), count * FRAME)
    frames = np.zeros(FRAME, np.float32) if used < FRAME else np.empty(count * FRAME, np.float32)
    frames[:used] = pcm[:used]
    squares = scipy.fft.rfft(frames.reshape(count, FRAME), axis=1, overwrite_x=True).view(np.float32)
    mean = float(squares[:, 0].sum()) / used / 32768
    return np.square(squares, out=squares), mean


def measure(pcm: Pcm, rate: int, squares: Squares, mean: float) -> Measures:
    """The measures of one clip, given its samples and their squared spectra."""
    peak = max(int(pcm.max()), -int(pcm.min()))
    clipped = np.count_nonzero(pcm >= 32767) + np.count_nonzero(pcm <= -32767) if peak >= 32767 else 0
    energy = squares @ _weights(0)
    return Measures(
        loudness=_loudness(squares @ _weights(rate)),
        peak=20 * float(np.log10(peak / 32768)) if peak else None,
        silence=float(np.count_nonzero(energy < _SILENT)) / len(energy),
        clipping=clipped / len(pcm),
        dc_offset=mean,
        bandwidth=_bandwidth(squares, rate),
    )


def _loudness(energy: npt.NDArray[np.float32]) -> float | None:
    """Integrated loudness of K-weighted frame energies with both gates of BS.1770-5."""
    if len(energy) > _BLOCK:
        sums = np.cumsum(np.concatenate(([0.0], energy)), dtype=np.float64)
        blocks = (sums[_BLOCK:] - sums[:-_BLOCK])[::_STEP] / _BLOCK
    else:
        blocks = energy.mean(keepdims=True)
    loud = blocks[blocks > _ABSOLUTE_GATE]
    if not len(loud):
        return None
    kept = loud[loud > loud.mean() * _RELATIVE_GATE]
    return float(-0.691 + 10 * np.log10(kept.mean()))


def _bandwidth(squares: Squares, rate: int) -> float:
    """The frequency below which 99 % of the energy lies, without DC."""
    parts = _ones(len(squares)) @ squares
    total = np.cumsum((parts[0::2] + parts[1::2])[1:], dtype=np.float64)
    if total[-1] <= 0:
        return 0.0
    return float(np.searchsorted(total, 0.99 * total[-1]) + 1) * rate / FRAME


@lru_cache(maxsize=256)
def _ones(count: int) -> npt.NDArray[np.float32]:
    return np.ones(count, np.float32)


@cache
def _weights(rate: int) -> npt.NDArray[np.float32]:
    """What turns a row of squares into a mean square (full scale = 1): K-weighted for `rate`, or flat for rate 0.

    Each bin stands for its mirror image too, except the first and the last.
    """
    scale = np.full(FRAME // 2 + 1, 2 / (32768 * FRAME) ** 2)
    scale[[0, -1]] /= 2
    return np.repeat(scale * (_k_weighting(rate) if rate else 1), 2).astype(np.float32)


def _k_weighting(rate: int) -> npt.NDArray[np.float64]:
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
    response: npt.NDArray[np.float64] = np.abs(gain) ** 2
    return response
