"""Quality measures of a clip from one pass of short spectra: loudness, silence, clipping, DC, bandwidth."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from captionstew.audio.codec import Pcm

FRAME = 1024  # samples; 64 ms at 16 kHz, the step of every measure and of the fingerprint
Power = npt.NDArray[np.float32]  # (frames, FRAME // 2 + 1)

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


def power_spectra(pcm: Pcm) -> tuple[Power, float]:
    """Power of each `FRAME` samples, full scale = 1 (Parseval: a frame's sum is its mean square), and the mean sample.

    Frames do not overlap and are not windowed; a last part shorter than a frame is left out unless it is all there is.
    """
    count = max(1, len(pcm) // FRAME)
    frames = np.zeros(count * FRAME, np.float32)
    used = min(len(pcm), count * FRAME)
    np.multiply(pcm[:used], np.float32(1 / 32768 / FRAME), out=frames[:used], dtype=np.float32)
    spectra = scipy.fft.rfft(frames.reshape(count, FRAME), axis=1)
    mean = float(spectra[:, 0].real.sum()) * FRAME / used
    power = spectra.real**2
    power += spectra.imag**2
    power[:, 1:-1] *= 2
    return power, mean


def measure(pcm: Pcm, rate: int, power: Power, mean: float) -> Measures:
    """The measures of one clip, given its samples and their power spectra."""
    peak = max(int(pcm.max()), -int(pcm.min()))
    clipped = np.count_nonzero(pcm >= 32767) + np.count_nonzero(pcm <= -32767) if peak >= 32767 else 0
    energy = power.sum(axis=1)
    return Measures(
        loudness=_loudness(power @ _k_weighting(rate)),
        peak=20 * float(np.log10(peak / 32768)) if peak else None,
        silence=float(np.count_nonzero(energy < _SILENT)) / len(energy),
        clipping=clipped / len(pcm),
        dc_offset=mean,
        bandwidth=_bandwidth(power, rate),
    )


def _loudness(energy: Power) -> float | None:
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


def _bandwidth(power: Power, rate: int) -> float:
    """The frequency below which 99 % of the energy lies, without DC."""
    total = np.cumsum(power.sum(axis=0)[1:], dtype=np.float64)
    if total[-1] <= 0:
        return 0.0
    return float(np.searchsorted(total, 0.99 * total[-1]) + 1) * rate / FRAME


@cache
def _k_weighting(rate: int) -> Power:
    """Power response of BS.1770's two filters (its 48 kHz coefficients) at each bin of a frame."""
    shelf = (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (1.0, -1.69065929318241, 0.73248077421585),
    )
    highpass = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
    turn = np.exp(-2j * np.pi * np.arange(FRAME // 2 + 1) * rate / FRAME / 48_000)
    gain = np.ones_like(turn)
    for numerator, denominator in (shelf, highpass):
        gain *= np.polyval(numerator[::-1], turn) / np.polyval(denominator[::-1], turn)
    response: Power = (np.abs(gain) ** 2).astype(np.float32)
    return response
