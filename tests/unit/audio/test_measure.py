"""Measures: against signals whose values are known, and slow twins of the same definitions."""

import math
import shutil
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from captionstew.audio.codec import Pcm
from captionstew.audio.compiled import compiled
from captionstew.audio.measure import Measures, _believed, measure, near
from captionstew.audio.spectra import FRAME, spectra

Samples = npt.NDArray[np.float32]
RATE = 16_000


def of(samples: npt.NDArray[np.floating] | Pcm, rate: int = RATE) -> Measures:
    """The measures of samples; floats are taken as fractions of full scale."""
    whole = samples if samples.dtype == np.int16 else np.clip(np.rint(32768 * samples), -32768, 32767)
    pcm: Pcm = whole.astype(np.int16)
    return measure(pcm, rate, spectra(pcm, rate))


def loudness(samples: npt.NDArray[np.floating], rate: int = RATE) -> float:
    """ITU-R BS.1770-5 as it is written: 48 kHz, two filters in time, 400 ms blocks 100 ms apart, two gates."""
    at_48 = soxr.resample(samples.astype(np.float64), rate, 48_000, quality="VHQ")
    sections = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
    weighted = scipy.signal.sosfilt(sections, at_48)
    starts = range(0, len(weighted) - 19_200 + 1, 4800)
    blocks = np.array([np.mean(weighted[start : start + 19_200] ** 2) for start in starts])
    levels = -0.691 + 10 * np.log10(np.maximum(blocks, 1e-20))
    loud = blocks[levels > -70]
    gate = -0.691 + 10 * math.log10(loud.mean()) - 10
    kept = blocks[(levels > -70) & (levels > gate)]
    return -0.691 + 10 * math.log10(kept.mean())


def test_a_full_scale_tone_of_997_hz_has_the_loudness_of_the_standard(sine: Callable[..., Samples]) -> None:
    assert of(sine(997, 10.0, amplitude=1.0)).loudness == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize("decibels", [-6, -20, -40])
def test_loudness_follows_the_level(sine: Callable[..., Samples], decibels: int) -> None:
    tone = sine(997, 5.0, amplitude=10 ** (decibels / 20))
    assert of(tone).loudness == pytest.approx(-3.01 + decibels, abs=0.05)


@pytest.mark.parametrize("seed", range(6))
def test_loudness_is_that_of_the_slow_twin_on_bursts_and_gaps(seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(12):
        parts.append(random.normal(0, 10 ** random.uniform(-2.5, -0.9), random.integers(4000, 24_000)))
        parts.append(random.normal(0, 1e-4 * random.integers(0, 2), random.integers(1000, 30_000)))
    color = scipy.signal.butter(1, random.uniform(300, 6000), fs=RATE, output="sos")
    sound = np.clip(scipy.signal.sosfilt(color, np.concatenate(parts)), -1, 1)
    assert of(sound).loudness == pytest.approx(loudness(sound), abs=0.3)


@pytest.mark.parametrize("frequency", [60, 100, 300, 2000, 6000])
def test_frequencies_weigh_what_they_weigh_in_the_slow_twin(
    sine: Callable[..., Samples], frequency: int
) -> None:
    tone = sine(frequency, 6.0, amplitude=0.3)
    assert of(tone).loudness == pytest.approx(loudness(tone), abs=0.25)


def test_quiet_minutes_do_not_pull_the_loudness_down(sine: Callable[..., Samples]) -> None:
    tone = sine(997, 4.0)
    alone, among_silence = of(tone), of(np.concatenate([np.zeros(40 * RATE), tone]))
    assert alone.loudness is not None
    assert among_silence.loudness == pytest.approx(alone.loudness, abs=0.3)


def test_digital_silence_has_neither_loudness_nor_peak() -> None:
    assert of(np.zeros(3 * RATE, np.int16)) == Measures(
        loudness=None, peak=None, silence=1.0, clipping=0.0, dc_offset=0.0, bandwidth=0.0
    )


def test_the_silent_share_counts_frames_below_60_db(sine: Callable[..., Samples]) -> None:
    tone = sine(1000, 30 * FRAME / RATE)
    faint = tone * 1e-3 * 2  # amplitude 0.001: -63 dB
    silent = np.zeros(10 * FRAME)
    sound = np.concatenate([tone[: 10 * FRAME], silent, faint[: 20 * FRAME]])
    assert of(sound).silence == pytest.approx(0.75)
    assert of(faint * 2).silence == 0.0  # -57 dB


@pytest.mark.parametrize(("limit", "share"), [(32767, 0.5), (32766, 0.0), (-32768, 0.5), (-32767, 0.5)])
def test_samples_at_full_scale_are_clipped(limit: int, share: float) -> None:
    pcm = np.full(4000, limit, np.int16)
    pcm[::2] = 100
    assert of(pcm).clipping == share


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), offset=st.floats(-0.5, 0.5), frames=st.integers(1, 40))
def test_the_offset_is_the_mean(seed: int, offset: float, frames: int) -> None:
    sound = np.random.default_rng(seed).normal(offset, 0.05, frames * FRAME)
    pcm = np.rint(32768 * sound).clip(-32768, 32767).astype(np.int16)
    assert of(pcm).dc_offset == pytest.approx(pcm.mean() / 32768, abs=1e-5)


@pytest.mark.parametrize(("value", "decibels"), [(-32768, 0.0), (16384, -6.0206), (1, -90.309)])
def test_the_peak_is_the_largest_sample(value: int, decibels: float) -> None:
    pcm = np.zeros(5000, np.int16)
    pcm[1234] = value
    assert of(pcm).peak == pytest.approx(decibels, abs=1e-3)


@pytest.mark.parametrize("cutoff", [500, 1500, 3400, 6000])
def test_bandwidth_is_where_99_percent_of_the_energy_lie(cutoff: int) -> None:
    librosa = pytest.importorskip("librosa")
    noise = np.random.default_rng(cutoff).normal(0, 0.1, 40 * FRAME)
    sound = scipy.signal.sosfilt(scipy.signal.butter(8, cutoff, fs=RATE, output="sos"), noise)
    frames = np.abs(np.fft.rfft(sound.reshape(-1, FRAME), axis=1)) ** 2
    together = np.sqrt(frames.sum(axis=0))[:, None]  # one spectrum of the whole clip
    rolloff = librosa.feature.spectral_rolloff(S=together**2, sr=RATE, roll_percent=0.99).item()
    assert of(sound).bandwidth == pytest.approx(rolloff, abs=3 * RATE / FRAME)
    assert of(sound).bandwidth == pytest.approx(cutoff, rel=0.2)


def test_an_offset_is_no_bandwidth(sine: Callable[..., Samples]) -> None:
    assert of(sine(3000, 2.0, amplitude=0.01) + 0.4).bandwidth == pytest.approx(3000, abs=50)


@pytest.mark.parametrize("length", [1, 2, 100, FRAME - 1, FRAME, FRAME + 1, 5 * FRAME, 6 * FRAME, 7 * FRAME])
def test_clips_of_any_length_are_measured(sine: Callable[..., Samples], length: int) -> None:
    pcm = np.rint(16_000 * sine(1000, 1.0, amplitude=1.0)[1 : length + 1]).astype(np.int16)
    found = of(pcm)
    assert found.loudness is not None
    assert found.peak is not None
    assert found.silence == 0.0
    assert found.dc_offset == pytest.approx(pcm[: max(len(pcm) // FRAME, 1) * FRAME].mean() / 32768, abs=1e-5)
    if length >= 5 * FRAME:
        assert found.loudness == pytest.approx(-9.2, abs=0.2)


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="no C compiler here")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    length=st.integers(1, 30 * FRAME),
    level=st.sampled_from([0, 1, 30, 3000, 40_000]),
    pauses=st.booleans(),
)
def test_c_and_numpy_find_the_same(seed: int, length: int, level: int, *, pauses: bool) -> None:
    library = compiled("measure", _believed, native=True)
    assert library is not None, "what was compiled is not believed"
    random = np.random.default_rng(seed)
    sound = (
        random.normal(0, level, length)
        * np.repeat(random.integers(0, 2, length // 5000 + 1), 5000)[:length] ** pauses
    )
    assert near(np.clip(sound, -32768, 32767).astype(np.int16), library)


def test_measures_do_not_change_the_samples(melody: Callable[..., Samples]) -> None:
    pcm = np.rint(32767 * melody(1)).astype(np.int16)
    before = pcm.copy()
    assert of(pcm) == of(before)
    assert np.array_equal(pcm, before)
