"""The sums over spectra: by C and by scipy, against the plain definition."""

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from captionstew.audio.codec import Pcm
from captionstew.audio.compiled import compiled
from captionstew.audio.spectra import FRAME, Spectra, _believed, _tables, agree, quick_spectra, slow_spectra

Way = Callable[[Pcm, int], Spectra]

RATES = (16_000, 44_100)
LENGTHS = (1, FRAME - 1, FRAME, 2 * FRAME, 15 * FRAME + 5, 16 * FRAME, 17 * FRAME, 50 * FRAME + 1000)


def noise(count: int, seed: int = 1) -> Pcm:
    """Brown noise with bursts at full scale."""
    random = np.random.default_rng(seed)
    sound = 300 * np.cumsum(random.normal(size=count)) + random.choice([0, 40_000], count, p=[0.99, 0.01])
    pcm: Pcm = np.clip(sound, -32768, 32767).astype(np.int16)
    return pcm


def quick(pcm: Pcm, rate: int) -> Spectra:
    """By C; skips where nothing can be compiled."""
    if sys.platform != "linux" or not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    library = compiled("spectra", _believed, native=True)
    assert library is not None, "what was compiled is not believed"
    return quick_spectra(library, pcm, rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("length", LENGTHS)
def test_both_ways_agree_at_every_length(length: int, rate: int) -> None:
    assert agree(quick(noise(length), rate), slow_spectra(noise(length), rate))


@pytest.mark.parametrize("way", [quick, slow_spectra])
def test_energies_are_mean_squares_of_frames(way: Way) -> None:
    pcm = noise(20 * FRAME + 7)
    frames = pcm[: 20 * FRAME].reshape(20, FRAME) / 32768
    sums = way(pcm, 16_000)
    np.testing.assert_allclose(sums.energies, (frames**2).mean(1), rtol=1e-4)
    assert sums.mean == pytest.approx(frames.mean(), abs=1e-7)


@pytest.mark.parametrize("way", [quick, slow_spectra])
def test_a_tone_stands_in_its_bin(way: Way) -> None:
    pcm = (10_000 * np.sin(2 * np.pi * 100 * np.arange(18 * FRAME) / FRAME)).astype(np.int16)
    sums = way(pcm, 16_000)
    assert int(sums.bins.argmax()) == 100
    assert sums.bins[100] > 0.999 * sums.bins.sum()


def test_samples_may_be_a_view_with_gaps() -> None:
    pcm = noise(40 * FRAME)
    assert agree(quick(pcm[::2], 16_000), quick(pcm[::2].copy(), 16_000))


def test_threads_that_begin_together_agree() -> None:
    quick(noise(FRAME), 16_000)
    pcm, expected = noise(30 * FRAME), quick(noise(30 * FRAME), 16_000)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(100):
            _tables.cache_clear()
            for one in pool.map(lambda _: quick(pcm, 16_000), range(4)):
                np.testing.assert_array_equal(one.weighted, expected.weighted)
