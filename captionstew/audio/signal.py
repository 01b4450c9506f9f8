"""Samples to the build's one form: 16 kHz, mono, 16 bit."""

import numpy as np
import soxr

from captionstew.audio.codec import Pcm, Samples

_FULL_SCALE = np.float32(32768)


def resample(samples: Samples, rate: int, target: int) -> Samples:
    """Band-limited resampling (soxr HQ, 20-bit precision); the same array if the rates agree."""
    return samples if rate == target else soxr.resample(samples, rate, target, quality="HQ")


def quantise(samples: Samples) -> Pcm:
    """16-bit PCM, rounded to nearest and clipped; exact for samples that came from 16 bits.

    Values that are not numbers, as broken float files hold, become silence. The input is used as scratch space.
    """
    if not samples.flags.writeable:
        samples = samples.copy()
    with np.errstate(over="ignore"):
        np.multiply(samples, _FULL_SCALE, out=samples)
    np.rint(samples, out=samples)
    if not -32768 <= samples.min(initial=0) <= samples.max(initial=0) <= 32767:  # also false for NaN
        np.nan_to_num(samples, copy=False, nan=0.0, posinf=32767, neginf=-32768)
        np.clip(samples, -32768, 32767, out=samples)
    return samples.astype(np.int16)
