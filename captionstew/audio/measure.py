"""Quality measures of a clip from one pass of short spectra: loudness, silence, clipping, DC, bandwidth."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from captionstew.audio.codec import Pcm
from captionstew.audio.spectra import FRAME, Spectra

_SILENT = 1e-6  # mean square of -60 dBFS
_BLOCK, _STEP = 6, 2  # frames: 384 ms blocks, 128 ms apart (BS.1770-5: 400 ms, 100 ms)
_ABSOLUTE_GATE = 10 ** ((-70 + 0.691) / 10)
_RELATIVE_GATE = 0.1
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


def measure(pcm: Pcm, rate: int, spectra: Spectra) -> Measures:
    """The measures of one clip, given its samples and the sums over its spectra."""
    peak = max(int(pcm.max()), -int(pcm.min()))
    clipped = np.count_nonzero(pcm >= 32767) + np.count_nonzero(pcm <= -32767) if peak >= 32767 else 0
    return Measures(
        loudness=_loudness(spectra.weighted),
        peak=20 * float(np.log10(peak / 32768)) if peak else None,
        silence=float(np.count_nonzero(spectra.energies < _SILENT)) / len(spectra.energies),
        clipping=clipped / len(pcm),
        dc_offset=spectra.mean,
        bandwidth=_bandwidth(spectra.bins, rate),
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
    return round(float(-0.691 + 10 * np.log10(kept.mean())), _DECIMALS)


def _bandwidth(bins: npt.NDArray[np.float64], rate: int) -> float:
    """The frequency below which 99 % of the energy lies, without DC."""
    total = np.cumsum(bins[1:])
    if total[-1] <= 0:
        return 0.0
    return float(np.searchsorted(total, 0.99 * total[-1]) + 1) * rate / FRAME
