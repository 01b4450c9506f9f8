"""Fingerprints: one recording is itself in another encoding, and nothing else is."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from captionstew.audio.codec import decode_mono, probe
from captionstew.audio.fingerprint import distance, fingerprint, limit, period, same_sound
from captionstew.audio.fingerprint_words import SILENT, Words
from captionstew.audio.signal import quantise, resample

Samples = npt.NDArray[np.float32]
RATE = 16_000


def words(samples: Samples, rate: int = RATE) -> Words:
    """The fingerprint of samples at any rate, as a build makes it."""
    pcm = quantise(resample(np.array(samples, np.float32), rate, RATE))
    return fingerprint(pcm, RATE)


@pytest.fixture(scope="module")
def reencoded(audio_bytes: Callable[..., bytes]) -> dict[str, Callable[[Samples], Samples]]:
    """What happens to a recording on its way through the world."""

    def through(container: str, subtype: str, **options: float | str) -> Callable[[Samples], Samples]:
        def make(samples: Samples) -> Samples:
            data = audio_bytes(samples, RATE, container, subtype, **options)
            return decode_mono(data, probe(data))

        return make

    def other_rate(samples: Samples) -> Samples:
        return resample(resample(samples, RATE, 11_025), 11_025, RATE)

    return {
        "mp3": through("MP3", "MPEG_LAYER_III"),
        "mp3 small": through("MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=0.7),
        "opus": through("OGG", "OPUS"),
        "vorbis": through("OGG", "VORBIS"),
        "resampled": other_rate,
        "quieter": lambda samples: samples * np.float32(0.5),
        "shifted": lambda samples: samples[512:],
        "half a second less": lambda samples: samples[RATE // 2 :],
        "the middle": lambda samples: samples[RATE : 3 * RATE],
        "among silence": lambda samples: np.concatenate([np.zeros(RATE), samples, np.zeros(RATE)]).astype(
            np.float32
        ),
        "upside down": lambda samples: -samples,
    }


WAYS = ["mp3", "mp3 small", "opus", "vorbis", "resampled", "quieter", "shifted", "half a second less", "the middle",
        "among silence", "upside down"]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_recording_is_recognised(
    melody: Callable[..., Samples], reencoded: dict[str, Callable[[Samples], Samples]], way: str
) -> None:
    for seed in range(4):
        sound = melody(seed)
        assert same_sound(words(sound), words(reencoded[way](sound))), seed


def test_unrelated_recordings_are_not_the_same(melody: Callable[..., Samples]) -> None:
    prints = [words(melody(seed)) for seed in range(24)]
    apart = [distance(a, b) for i, a in enumerate(prints) for b in prints[:i]]
    assert min(apart) > 0.26
    assert np.median(apart) == pytest.approx(0.43, abs=0.05)


def test_noise_is_like_no_other_noise() -> None:
    noises = [
        words(np.random.default_rng(seed).normal(0, 0.1, 5 * RATE).astype(np.float32)) for seed in range(12)
    ]
    assert not any(same_sound(a, b) for i, a in enumerate(noises) for b in noises[:i])


def test_a_recording_is_itself(melody: Callable[..., Samples]) -> None:
    print_ = words(melody(7))
    assert distance(print_, print_) == 0.0


def test_distance_is_symmetric(melody: Callable[..., Samples]) -> None:
    for length in (2.0, 3.3, 5.0):
        a, b = words(melody(1, 5.0)), words(melody(2, length))
        c = words(melody(1, 5.0)[3000:])
        assert distance(a, b) == distance(b, a)
        assert distance(a, c) == distance(c, a)


@pytest.mark.parametrize(("seconds", "expected"), [(0, 0), (0.5, 0), (0.85, 1), (1, 4), (2, 19), (5, 66)])
def test_a_word_every_64_ms_and_none_for_clips_under_0_8_s(
    melody: Callable[..., Samples], seconds: float, expected: int
) -> None:
    assert len(words(melody(1, 7.0)[: round(seconds * RATE) + 1])) == expected


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_words_come_at_nearly_the_same_pace_at_any_rate(melody: Callable[..., Samples], rate: int) -> None:
    pcm = quantise(resample(melody(2, 10.0), RATE, rate))
    assert len(fingerprint(pcm, rate)) == pytest.approx(144, rel=0.1)


def test_short_clips_are_like_nothing(melody: Callable[..., Samples]) -> None:
    nothing, short = words(melody(1, 0.5)), words(melody(1, 1.0))
    assert distance(nothing, nothing) == distance(nothing, words(melody(1))) == 1.0
    assert len(short) == 4
    assert distance(short, short) == 1.0  # fewer words than must agree


def test_the_fewer_words_the_more_of_their_bits_must_agree() -> None:
    limits = limit([0, 4, 5, 10, 20, 40, 1000])
    assert limits[:2].tolist() == [0, 0]
    assert (np.diff(limits[1:6]) > 0).all()
    assert limits[-1] == limits[-2] < 0.23  # one speaker, one text


def test_quiet_moments_say_nothing(melody: Callable[..., Samples]) -> None:
    sound = melody(3)
    sound[2 * RATE : 4 * RATE] *= np.float32(1e-4)
    found = words(sound)
    assert (found[35:48] == SILENT).all()
    assert (found[:20] != SILENT).all()


def test_two_clocks_that_tick_alike_are_two(melody: Callable[..., Samples]) -> None:
    def ticking(seed: int) -> Samples:
        return np.tile(melody(1, 1.0) + np.float32(0.1) * melody(seed, 1.0), 6).astype(np.float32)

    one, other = words(ticking(2)), words(ticking(3))
    assert period(one) < 0.05
    assert period(words(melody(1, 6.0))) > 0.4
    assert 0.1 < distance(one, other) < limit(len(one))
    assert not same_sound(one, other)
    assert same_sound(one, words(ticking(2)[RATE // 2 :] * np.float32(0.5)))


def test_silence_is_like_nothing() -> None:
    silence = words(np.zeros(5 * RATE, np.float32))
    assert (silence == SILENT).all()
    assert not same_sound(silence, silence)


def test_the_noise_that_codecs_put_into_silence_is_like_nothing() -> None:
    faint = words(np.random.default_rng(0).normal(0, 3e-5, 5 * RATE).astype(np.float32))
    assert (faint == SILENT).all()


def test_words_are_the_same_at_any_time(melody: Callable[..., Samples]) -> None:
    assert np.array_equal(words(melody(5)), words(melody(5)))
    assert words(melody(5)).dtype == np.uint32
