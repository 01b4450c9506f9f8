"""A clip as numbers to draw: the envelope of its samples, and its log-mel spectrogram."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from captionstew.audio.codec import Pcm

Floats = npt.NDArray[np.float32]

LOWEST = 20.0  # Hz
_WINDOW, _HOP = 0.025, 0.010  # s, as the models hear it
_SMALLEST = 1e-10  # of a power
_AT_ONCE = 4096  # frames
_MOST = 1 << 15  # samples of a frame


def envelope(pcm: Pcm, width: int) -> Floats:
    """The peak of each of `width` stretches of the clip in dBFS, (width,); -inf where it is silent."""
    edges = np.linspace(0, len(pcm), width + 1).astype(int)
    peaks = [np.abs(pcm[a : max(b, a + 1)].astype(np.int32)).max(initial=0) for a, b in pairwise(edges)]
    with np.errstate(divide="ignore"):
        levels: Floats = (20 * np.log10(np.array(peaks, np.float32) / 32768)).astype(np.float32)
    return levels


def log_mel(pcm: Pcm, rate: int, num_mels: int, width: int = 0) -> Floats:
    """Power of mel bands in dB, (num_mels, frames): a frame each 10 ms, or the mean power of `width` stretches.

    Bands are triangles from 20 Hz to half the rate, the lowest first; full scale is 0 dB, about.
    """
    frame, hop = min(max(4, round(_WINDOW * rate)), _MOST), max(1, round(_HOP * rate))  # headers may lie
    samples = np.pad(pcm.astype(np.float32) / 32768, (frame // 2, frame))
    size = 1 << (frame - 1).bit_length()
    window = np.hanning(frame).astype(np.float32)
    banks = _banks(num_mels, rate, size)
    frames = np.lib.stride_tricks.sliding_window_view(samples, frame)[: max(len(pcm), 1) : hop]
    power = np.concatenate(
        [_power(frames[at : at + _AT_ONCE] * window, size, banks) for at in range(0, len(frames), _AT_ONCE)]
    )
    power *= 4 / window.sum() ** 2
    if width:
        power = _stretches(power, width)
    decibels: Floats = (10 * np.log10(np.maximum(power.T, _SMALLEST))).astype(np.float32)
    return decibels


def mel(frequency: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Hz on the mel scale."""
    return 1127 * np.log1p(np.asarray(frequency, np.float64) / 700)


def hertz(mels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The inverse of `mel`."""
    return 700 * np.expm1(np.asarray(mels, np.float64) / 1127)


def _power(frames: npt.NDArray[Any], size: int, banks: Floats) -> Floats:
    powers: Floats = np.square(np.abs(np.fft.rfft(frames, size, axis=1))).astype(np.float32) @ banks
    return powers


def _banks(num_mels: int, rate: int, size: int) -> Floats:
    """Triangles, one column each; narrow ones hold at least the bin next to their centre."""
    edges = np.linspace(mel(LOWEST), mel(rate / 2), num_mels + 2)
    bins = mel(np.fft.rfftfreq(size, 1 / rate))[:, None]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    banks = np.clip(np.minimum(rise, fall), 0, None)
    nearest = np.abs(bins - edges[1:-1]).argmin(axis=0)
    empty = banks.sum(axis=0) < 0.5
    banks[nearest[empty], np.flatnonzero(empty)] = 1.0
    return banks.astype(np.float32)


def _stretches(power: Floats, width: int) -> Floats:
    """The mean of each of `width` stretches of frames; short clips repeat theirs."""
    edges = np.linspace(0, len(power), width + 1)
    first = np.minimum(edges[:-1].astype(int), len(power) - 1)
    last = np.maximum(edges[1:].astype(int), first + 1)
    sums = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0, dtype=np.float64)])
    means: Floats = ((sums[last] - sums[first]) / (last - first)[:, None]).astype(np.float32)
    return means
