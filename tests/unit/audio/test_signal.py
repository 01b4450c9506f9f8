"""Signals: 16 bits are exact, and resampling keeps what is below half the rate."""

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from captionstew.audio.signal import quantise, resample

Samples = npt.NDArray[np.float32]


def level(samples: Samples, frequency: float, rate: int) -> float:
    """The amplitude of a frequency in the middle of these samples."""
    inner = samples[len(samples) // 8 : -len(samples) // 8].astype(np.float64)
    window = np.hanning(len(inner))
    turn = np.exp(-2j * np.pi * frequency * np.arange(len(inner)) / rate)
    return float(2 * abs(np.sum(inner * window * turn)) / window.sum())


def test_every_16_bit_value_is_kept() -> None:
    pcm = np.arange(-32768, 32768).astype(np.int16)
    assert np.array_equal(quantise(pcm.astype(np.float32) / np.float32(32768)), pcm)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [(0.0, 0), (0.4 / 32768, 0), (0.6 / 32768, 1), (-0.6 / 32768, -1), (1.5 / 32768, 2), (2.5 / 32768, 2), (1.0, 32767),
     (-1.0, -32768), (1.7, 32767), (-40.0, -32768), (np.inf, 32767), (-np.inf, -32768), (np.nan, 0), (3e38, 32767)],
)  # fmt: skip
def test_samples_are_rounded_and_clipped(sample: float, expected: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = quantise(np.array([sample, 0.25], np.float32))
    assert found.dtype == np.int16
    assert found.tolist() == [expected, 8192]


def test_read_only_samples_are_left_alone() -> None:
    samples = np.array([0.5, -0.5], np.float32)
    samples.flags.writeable = False
    assert quantise(samples).tolist() == [16384, -16384]
    assert samples.tolist() == [0.5, -0.5]


def test_nothing_quantises_to_nothing() -> None:
    assert len(quantise(np.empty(0, np.float32))) == 0


def test_equal_rates_give_the_same_array() -> None:
    samples = np.ones(10, np.float32)
    assert resample(samples, 16_000, 16_000) is samples


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
def test_length_and_tone_are_kept(sine: Callable[..., Samples], rate: int) -> None:
    found = resample(sine(1000, 2.0, rate, 0.5), rate, 16_000)
    assert found.dtype == np.float32
    assert abs(len(found) - 32_000) <= 1
    assert level(found, 1000, 16_000) == pytest.approx(0.5, rel=2e-3)
    assert level(found, 1500, 16_000) < 1e-4


@pytest.mark.parametrize("frequency", [8500, 12_000, 18_000])
def test_what_lies_above_half_the_rate_is_gone(sine: Callable[..., Samples], frequency: int) -> None:
    found = resample(sine(frequency, 2.0, 44_100, 0.9), 44_100, 16_000)
    assert np.abs(found[1000:-1000]).max() < 1e-4


def test_what_lies_below_half_the_rate_stays(sine: Callable[..., Samples]) -> None:
    found = resample(sine(7000, 2.0, 44_100, 0.5), 44_100, 16_000)
    assert level(found, 7000, 16_000) == pytest.approx(0.5, rel=5e-3)


@pytest.mark.parametrize(("rate", "count"), [(1, 3), (2**31 - 1, 50), (44_100, 1), (655_350, 100)])
def test_odd_rates_do_no_harm(rate: int, count: int) -> None:
    found = resample(np.full(count, 0.1, np.float32), rate, 16_000)
    assert abs(len(found) - count * 16_000 / rate) <= 1


def test_one_broken_sample_costs_a_moment_not_the_clip(sine: Callable[..., Samples]) -> None:
    whole, broken = sine(500, 2.0, 44_100), sine(500, 2.0, 44_100)
    broken[44_100] = np.nan
    expected, found = (quantise(resample(samples, 44_100, 16_000)) for samples in (whole, broken))
    assert np.count_nonzero(expected != found) < 1600  # 0.1 s
