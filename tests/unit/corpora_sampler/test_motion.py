"""What the captions say moves, grows, fades, hurries or changes sides does so."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from captionstew.corpora.sampler.take import Curve, Samples

Heard = Callable[[str], list[tuple[tuple[str, ...], Samples, int]]]

TIMES = {"once": 1, "twice": 2, "three times": 3, "four times": 4}


def mono(sound: Samples) -> Samples:
    """Both channels as one."""
    return sound.mean(axis=1) if sound.ndim == 2 else sound


def frames(sound: Samples, rate: int, seconds: float = 0.05) -> Samples:
    """Consecutive stretches of the sound, one per row."""
    size = round(seconds * rate)
    return sound[: len(sound) // size * size].reshape(-1, size)


def loudness(sound: Samples, rate: int, seconds: float = 0.05) -> Curve:
    """Root mean square of each stretch."""
    power = (frames(sound, rate, seconds).astype(np.float64) ** 2).mean(axis=1)
    return np.asarray(np.sqrt(power), np.float64)


def track(sound: Samples, rate: int, low: float = 30, high: float = 4000) -> Curve:
    """The strongest frequency of each twentieth of a second."""
    parts = frames(sound, rate)
    magnitude = np.abs(np.fft.rfft(parts * np.hanning(parts.shape[1]), 16384, axis=1))
    frequency = np.fft.rfftfreq(16384, 1 / rate)
    inside = (frequency >= low) & (frequency <= high)
    return np.asarray(frequency[inside][magnitude[:, inside].argmax(axis=1)], np.float64)


def centroid(sound: Samples, rate: int) -> Curve:
    """The mean frequency of each twentieth of a second."""
    magnitude = np.abs(np.fft.rfft(frames(sound, rate), axis=1)) ** 2
    frequency = np.fft.rfftfreq(round(0.05 * rate), 1 / rate)
    return np.asarray((magnitude * frequency).sum(axis=1) / magnitude.sum(axis=1), np.float64)


def trend(values: Curve) -> float:
    """Correlation with time: near 1 rises, near -1 falls."""
    return float(np.corrcoef(np.arange(len(values)), values)[0, 1])


def onsets(sound: Samples, rate: int) -> Curve:
    """Seconds at which short sounds begin."""
    level = loudness(sound, rate, 0.005)
    loud = np.flatnonzero(level > max(0.05 * level.max(), 3 * float(np.median(level))))
    return np.asarray(loud[np.flatnonzero(np.diff(loud, prepend=-99) > 4)] * 0.005, np.float64)


def says(captions: tuple[str, ...], words: str) -> bool:
    """Whether any caption has one of the words."""
    return any(re.search(rf"\b({words})\b", caption.lower()) for caption in captions)


def test_glides_go_the_way_of_the_caption(heard: Heard) -> None:
    for captions, sound, rate in heard("glide"):
        direction = trend(np.log(track(mono(sound), rate)))
        assert abs(direction) > 0.9
        assert says(captions, "upward|low to high|low pitch to|starts low") == (direction > 0), captions
        assert says(captions, "downward|high to low|high pitch to|starts high") == (direction < 0), captions


def test_whistles_turn_round(heard: Heard) -> None:
    for captions, sound, rate in heard("whistle"):
        first, second = np.array_split(np.log(track(mono(sound), rate, 300)), 2)
        ways = ["up" if trend(half) > 0 else "down" for half in (first, second)]
        for caption in captions:
            words = re.findall(r"\b(up|down)\b", caption)
            assert not words or words == ways, caption


def test_sirens_rise_and_fall_as_often_as_the_caption_says(heard: Heard) -> None:
    for captions, sound, rate in heard("siren"):
        pitch = track(mono(sound), rate, 300, 1700)
        high = pitch > (pitch.min() * pitch.max()) ** 0.5
        peaks = np.count_nonzero(np.diff(high.astype(int), prepend=0) == 1)
        for caption in captions:
            stated = [number for words, number in TIMES.items() if words in caption]
            assert not stated or stated == [peaks], caption


def test_surf_swells_as_often_as_the_caption_says(heard: Heard) -> None:
    for captions, sound, rate in heard("surf"):
        level = np.convolve(loudness(mono(sound), rate), np.ones(5) / 5, "same")
        high = level > 0.4 * level.max()
        swells = np.count_nonzero(np.diff(high.astype(int), prepend=0) == 1)
        for caption in captions:
            stated = [number for words, number in TIMES.items() if words in caption]
            stated += [n for n, word in ((2, "two"), (3, "three")) if f"{word} waves" in caption.lower()]
            assert not stated or stated == [swells], caption


@pytest.mark.parametrize("scene", ["revving", "whoosh"])
def test_what_rises_or_sinks_does_so(heard: Heard, scene: str) -> None:
    for captions, sound, rate in heard(scene):
        pitch = centroid(mono(sound), rate) if scene == "whoosh" else track(mono(sound), rate, 30, 230)
        assert says(captions, "rises|speeds up|dark to bright") == (trend(pitch) > 0.5), captions
        assert says(captions, "sinks|slows down|bright to dark") == (trend(pitch) < -0.5), captions


@pytest.mark.parametrize("scene", ["steps", "fading_noise"])
def test_what_comes_gets_louder_and_what_goes_gets_softer(heard: Heard, scene: str) -> None:
    for captions, sound, rate in heard(scene):
        level = loudness(mono(sound), rate)
        begins, ends = level[: len(level) // 3].max(), level[-len(level) // 3 :].max()
        louder = ends > begins
        assert max(begins / ends, ends / begins) > 3
        assert says(captions, "louder|approach|closer|ends loud") == louder, captions
        assert says(captions, "softer|move away|moves away|fades away|ends very soft") != louder, captions


@pytest.mark.parametrize("scene", ["thunder", "steam", "fading_note"])
def test_what_dies_down_ends_much_softer(heard: Heard, scene: str) -> None:
    for _, sound, rate in heard(scene):
        level = loudness(mono(sound), rate, 0.25)
        assert level[:3].max() > 8 * level[-2], "18 dB at least"


def test_clicks_hurry_or_tire_as_the_caption_says(heard: Heard) -> None:
    for captions, sound, rate in heard("changing_clicks"):
        hurried = trend(np.diff(onsets(mono(sound), rate))) < 0
        assert says(captions, "faster|speed up|gathers speed|ends fast") == hurried, captions
        assert says(captions, "slower|slow down|runs down|ends slow") != hurried, captions


def test_bounces_come_closer_together_and_softer(heard: Heard) -> None:
    for _, sound, rate in heard("bouncing_ball"):
        begins = onsets(mono(sound), rate)
        assert len(begins) >= 6
        assert (np.diff(begins)[1:] <= np.diff(begins)[:-1] + 0.01).all()
        peaks = [np.abs(mono(sound)[int(at * rate) : int((at + 0.03) * rate)]).max() for at in begins]
        assert trend(np.asarray(peaks, np.float64)) < -0.8


def test_what_passes_is_loudest_halfway_and_lower_afterwards(heard: Heard) -> None:
    for _, sound, rate in (*heard("pass_by"), *heard("pass_across")):
        both = np.abs(sound).max(axis=1) if sound.ndim == 2 else sound
        level = loudness(both, rate, 0.1)
        assert abs(level.argmax() / len(level) - 0.5) < 0.12
        pitch = track(mono(sound), rate, 70, 190)
        quarter = len(pitch) // 4
        assert np.median(pitch[-quarter:]) < 0.93 * np.median(pitch[:quarter])


def test_what_crosses_goes_from_the_first_side_to_the_second(heard: Heard) -> None:
    for captions, sound, rate in heard("pass_across"):
        left, right = (loudness(sound[:, side], rate, 0.5) for side in (0, 1))
        begins = "left" if left[:2].sum() > right[:2].sum() else "right"
        ends = "left" if left[-2:].sum() > right[-2:].sum() else "right"
        for caption in captions:
            assert re.findall(r"\b(left|right)\b", caption) == [begins, ends], caption


def test_what_circles_changes_sides_as_often_as_the_caption_says(heard: Heard) -> None:
    for captions, sound, rate in heard("circling"):
        left, right = (loudness(sound[:, side], rate, 0.1) for side in (0, 1))
        on_the_right = (right > left).astype(int)
        assert on_the_right[0] == 0
        rounds = np.count_nonzero(np.diff(on_the_right) == 1)
        for caption in captions:
            stated = [number for words, number in TIMES.items() if words in caption]
            assert not stated or stated == [rounds] or "two times" in caption, caption


def test_falling_objects_sink_in_pitch_and_end_in_a_thud(heard: Heard) -> None:
    for _, sound, rate in heard("falling_object"):
        pitch = track(mono(sound), rate)
        fall = pitch[: int(0.72 * len(pitch))]
        assert trend(fall) < -0.95
        assert pitch[int(0.77 * len(pitch))] < 200
