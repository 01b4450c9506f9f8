"""The compiled fingerprint makes the very bits that numpy makes, of any samples: those of its definition."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from captionstew.audio import fingerprint_words
from captionstew.audio.compiled import compiled
from captionstew.audio.fingerprint import fingerprint
from captionstew.audio.fingerprint_words import Pcm, Words, quick_words, slow_words, tables_of, words_of
from captionstew.audio.signal import quantise

Samples = npt.NDArray[np.float32]
Quick = Callable[[Pcm, int], Words]
RATE = 16_000

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("cc"), reason="no C compiler here"
)


@pytest.fixture(scope="module")
def quick() -> Quick:
    """The compiled words."""
    library = compiled("fingerprint", fingerprint_words._believed, native=True)
    assert library is not None
    return lambda pcm, rate: quick_words(library, pcm, tables_of(rate))


def noise(count: int, seed: int = 0, level: float = 3_000.0) -> Pcm:
    drawn = np.random.default_rng(seed).normal(0, level, count)
    return np.clip(np.rint(drawn), -32768, 32767).astype(np.int16)


@needs_compiler
@pytest.mark.parametrize("seconds", [0.0, 0.5, 0.81, 0.85, 1.0, 1.3, 2.0, 3.1, 7.77])
def test_both_make_the_same_words_of_any_length(quick: Quick, seconds: float) -> None:
    for more in (0, 1, 511):
        pcm = noise(round(seconds * RATE) + more)
        assert np.array_equal(quick(pcm, RATE), slow_words(pcm, tables_of(RATE)))


@needs_compiler
@pytest.mark.parametrize("rate", [4_000, 8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_both_make_the_same_words_at_any_rate(quick: Quick, rate: int) -> None:
    pcm = noise(3 * rate, seed=rate)
    found = quick(pcm, rate)
    assert len(found) > 20
    assert np.array_equal(found, slow_words(pcm, tables_of(rate)))


@needs_compiler
def test_both_make_the_same_words_of_all_kinds_of_sounds(
    quick: Quick, melody: Callable[..., Samples]
) -> None:
    sounds = [quantise(melody(seed, 4.0)) for seed in range(6)]
    sounds += [noise(40_000, 1, level) for level in (0.3, 1.0, 30.0, 1e6)]
    sounds += [np.full(40_000, value, np.int16) for value in (0, 1, -32768, 32767)]
    half = noise(60_000)
    half[20_000:50_000] = 0
    sounds += [
        half,
        np.where(np.arange(40_000) % 997, 0, 32767).astype(np.int16),
        sounds[0][::-1],
        sounds[1][::2],
    ]
    for pcm in sounds:
        assert np.array_equal(quick(pcm, RATE), slow_words(pcm, tables_of(RATE)))


def test_words_are_those_of_whole_transforms_in_twice_the_precision(melody: Callable[..., Samples]) -> None:
    differ = [
        by_definition(pcm) ^ words_of(pcm, RATE)
        for pcm in [noise(90_000), *map(quantise, map(melody, range(4)))]
    ]
    assert np.concatenate(differ).size > 250
    assert np.bitwise_count(np.concatenate(differ)).sum() <= 2  # ties, which rounding decides


def by_definition(pcm: Pcm) -> Words:
    """Words by matrix products and numpy's own transform, in double precision."""
    tables = tables_of(RATE)
    taps = tables.taps.astype(np.float64) / 2**15
    low = np.convolve(pcm, taps[::-1], "valid")[:: tables.step]
    frames = np.lib.stride_tricks.sliding_window_view(low, 512)[::128] * np.hanning(513)[:512] / 32768
    squares = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    squares = squares[: len(squares) // 2 * 2].reshape(-1, 2, 257).sum(axis=1)
    shares = np.zeros((33, 257))
    for share, (first, last), begin in zip(
        shares, tables.bins, np.cumsum([0, *np.ptp(tables.bins, axis=1)]), strict=False
    ):
        share[first:last] = 2 * tables.weights[begin : begin + last - first]
    bands = squares @ shares.T
    for _ in range(2):
        bands = bands[:-2] + bands[1:-1] + bands[2:]
    slope = bands[:, :-1] - bands[:, 1:]
    words = np.packbits(slope[6:] > slope[:-6], axis=1).view(">u4").reshape(-1)
    level = np.maximum(bands.sum(axis=1)[6:], bands.sum(axis=1)[:-6])
    return np.where(level <= max(10**-4.5 * level.max(), 0.018), 0, words).astype(np.uint32)


@needs_compiler
def test_without_a_compiler_the_words_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pcm = noise(30_000, 5)
    expected = fingerprint(pcm, RATE)
    compiled.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        assert np.array_equal(fingerprint(pcm, RATE), expected)
        assert list(tmp_path.rglob("*.so")) == []
    finally:
        compiled.cache_clear()


@needs_compiler
def test_a_library_that_makes_other_words_is_not_believed(tmp_path: Path) -> None:
    import ctypes

    source = Path(fingerprint_words.__file__).with_name("fingerprint.c")
    made = tmp_path / "other.c"
    made.write_text(source.read_text().replace("#define LAG 6", "#define LAG 5"))
    library = tmp_path / "other.so"
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(made)], check=True, capture_output=True
    )
    assert not fingerprint_words._believed(ctypes.CDLL(str(library)))


@needs_compiler
@pytest.mark.parametrize("flags", [(), ("-mavx2",), ("-mavx2", "-mfma")])
def test_it_does_not_matter_how_wide_registers_are(tmp_path: Path, flags: tuple[str, ...]) -> None:
    import ctypes

    if flags and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("a processor without AVX2")
    source = Path(fingerprint_words.__file__).with_name("fingerprint.c")
    library = tmp_path / "fingerprint.so"
    command = ["cc", "-O2", "-ffp-contract=off", *flags, "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    assert fingerprint_words._believed(ctypes.CDLL(str(library)))
