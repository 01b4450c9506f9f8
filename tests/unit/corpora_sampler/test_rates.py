"""Tempi and rates are those that the captions state."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from captionstew.corpora.sampler.take import Curve, Samples

Heard = Callable[[str], list[tuple[tuple[str, ...], Samples, int]]]

COUNTS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def envelope(sound: Samples, rate: int) -> Curve:
    """Root mean square of each 5 ms, without its mean."""
    mono = sound.mean(axis=1) if sound.ndim == 2 else sound
    size = rate // 200
    level = np.sqrt((mono[: len(mono) // size * size].reshape(-1, size).astype(np.float64) ** 2).mean(axis=1))
    return np.asarray(level - level.mean(), np.float64)


def modulation(sound: Samples, rate: int, low: float = 0.5, high: float = 20.0) -> float:
    """The strongest rate (Hz) at which the loudness swings."""
    level = envelope(sound, rate)
    magnitude = np.abs(np.fft.rfft(level * np.hanning(len(level)), 1 << 15))
    frequency = np.fft.rfftfreq(1 << 15, (rate // 200) / rate)
    inside = (frequency >= low) & (frequency <= high)
    return float(frequency[inside][magnitude[inside].argmax()])


def period(sound: Samples, rate: int, shortest: float, longest: float) -> float:
    """Seconds after which the loudness repeats itself best."""
    level = np.maximum(np.diff(envelope(sound, rate)), 0)
    level -= level.mean()
    similar = np.fft.irfft(np.abs(np.fft.rfft(level, 2 * len(level))) ** 2)[: len(level)]
    step = (rate // 200) / rate
    lags = np.arange(round(shortest / step), round(longest / step))
    return float(lags[similar[lags].argmax()] * step)


def number(word: str) -> int:
    """Digits or a word as a number."""
    return int(word) if word.isdigit() else COUNTS.index(word)


@pytest.mark.parametrize("scene", ["metronome", "drum_machine", "kick_pulse"])
def test_tempo_is_as_stated(heard: Heard, scene: str) -> None:
    checked = 0
    for captions, sound, rate in heard(scene):
        for caption in captions:
            if match := re.search(r"(\d+) (?:beats per minute|to the minute)", caption):
                beat = 60 / int(match[1])
                bars = 2 if scene == "drum_machine" else 1  # kick and snare alternate
                found = period(sound, rate, 0.75 * beat * bars, 1.35 * beat * bars) / bars
                assert found == pytest.approx(beat, rel=0.03), caption
                checked += 1
    assert checked


@pytest.mark.parametrize("scene", ["tremolo", "beating", "gated_buzz"])
def test_swings_per_second_are_as_stated(heard: Heard, scene: str) -> None:
    checked = 0
    for captions, sound, rate in heard(scene):
        for caption in captions:
            if match := re.search(r"(once|\w+ times|\w+ pulses)(?: a| per)? second", caption):
                stated = 1 if match[1] == "once" else number(match[1].split()[0])
                assert modulation(sound, rate) == pytest.approx(stated, abs=0.35), caption
                checked += 1
    assert checked


def test_alternating_notes_change_as_often_as_stated(heard: Heard) -> None:
    for captions, sound, rate in heard("alternating"):
        mono = sound.mean(axis=1) if sound.ndim == 2 else sound
        parts = mono[: len(mono) // (rate // 20) * (rate // 20)].reshape(-1, rate // 20)
        magnitude = np.abs(np.fft.rfft(parts * np.hanning(parts.shape[1]), 8192, axis=1))
        pitch = magnitude.argmax(axis=1)
        changes = np.count_nonzero(np.abs(np.diff(np.log(pitch))) > 0.2)
        for caption in captions:
            if match := re.search(r"(\w+) to the second", caption):
                assert changes / (len(mono) / rate) == pytest.approx(number(match[1]), abs=0.4), caption


def test_clocks_tick_once_a_second(heard: Heard) -> None:
    for _, sound, rate in heard("clock"):
        assert period(sound, rate, 0.4, 1.4) == pytest.approx(1, abs=0.03)


def test_rotors_chop_faster_slower_or_evenly(heard: Heard) -> None:
    for captions, sound, rate in heard("rotor"):
        begin, end = sound[: len(sound) // 3], sound[-len(sound) // 3 :]
        ratio = modulation(end, rate, 3, 18) / modulation(begin, rate, 3, 18)
        found = "gets faster" if ratio > 1.2 else "gets slower" if ratio < 0.8 else "keeps its speed"
        stated = {match[0] for text in captions if (match := re.search(r"gets \w+|keeps its speed", text))}
        assert stated <= {found}, (captions, ratio)
