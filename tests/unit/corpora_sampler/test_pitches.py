"""Notes, chords, scales and voices are those that the captions name."""

import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from captionstew.corpora.sampler.take import Curve, Samples

Heard = Callable[[str], list[tuple[tuple[str, ...], Samples, int]]]

NOTES = ["C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"]
NAMED = r"([A-G](?: sharp| flat)?)"


def mono(sound: Samples) -> Samples:
    """Both channels as one."""
    return sound.mean(axis=1) if sound.ndim == 2 else sound


def spectrum(sound: Samples, rate: int) -> tuple[Curve, Curve]:
    """Frequencies and magnitudes of the whole."""
    window = np.hanning(len(sound))
    magnitude = np.abs(np.fft.rfft(sound * window))
    frequency = np.fft.rfftfreq(len(sound), 1 / rate)
    return np.asarray(frequency, np.float64), np.asarray(magnitude, np.float64)


def strongest(sound: Samples, rate: int, low: float = 40, high: float = 4000) -> float:
    """The frequency of the highest peak in a range, between bins by a parabola."""
    frequency, magnitude = spectrum(sound, rate)
    inside = np.flatnonzero((frequency >= low) & (frequency <= high))
    best = int(inside[magnitude[inside].argmax()])
    left, middle, right = np.log(magnitude[best - 1 : best + 2] + 1e-12)
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return float((best + shift) * rate / len(sound))


def midi(frequency: float) -> float:
    """The note number of a frequency, with its cents."""
    return float(69 + 12 * np.log2(frequency / 440))


def named(captions: tuple[str, ...], pattern: str) -> set[str]:
    """The notes (first group) that the pattern finds."""
    found = (re.search(pattern.replace("NOTE", NAMED), caption) for caption in captions)
    return {match[1] for match in found if match}


def melody(sound: Samples, rate: int) -> list[int]:
    """Note numbers of a line of notes, each once while it lasts; what flashes by for 25 ms is none."""
    size, heard = round(0.1 * rate), []
    for start in range(0, len(sound) - size, size // 4):
        part = sound[start : start + size]
        loud = np.abs(part).max() > 0.2 * np.abs(sound).max()
        heard.append(round(midi(strongest(part, rate, 60, 1500))) if loud else 0)
    held = [note for note, after in pairwise(heard) if note and note == after]
    return [note for index, note in enumerate(held) if index == 0 or note != held[index - 1]]


def triad(sound: Samples, rate: int, roots: range) -> tuple[int, str]:
    """The root and quality of the chord whose weakest note is strongest."""
    frequency, magnitude = spectrum(sound, rate)

    def level(note: int) -> float:
        pitch = 440 * 2 ** ((note - 69) / 12)
        return float(magnitude[np.abs(frequency / pitch - 1) < 0.015].max())

    chords = [(root, quality, third) for root in roots for quality, third in (("major", 4), ("minor", 3))]
    root, quality, _ = max(chords, key=lambda chord: min(level(chord[0] + step) for step in (0, chord[2], 7)))
    return root, quality


def test_steady_tones_are_on_the_note_and_the_frequency_of_the_caption(heard: Heard) -> None:
    for captions, sound, rate in heard("steady_tone"):
        pitch = strongest(mono(sound), rate)
        for note in named(captions, r"(?:note|note, an?|tone on) NOTE"):
            assert NOTES[round(midi(pitch)) % 12] == note, captions
        for text in (text for text in captions if "hertz" in text):
            assert pitch == pytest.approx(float(re.search(r"(\d+) hertz", text)[1]), abs=1)  # type: ignore[index]
        where = "low" if pitch < 180 else "high" if pitch > 500 else "medium-pitched"
        places = {
            word for text in captions for word in ("low", "high", "medium-pitched") if word in text.split()
        }
        assert places <= {where}, captions


@pytest.mark.parametrize("scene", ["tremolo", "fading_note", "vibrato"])
def test_single_notes_are_the_named_ones(heard: Heard, scene: str) -> None:
    for captions, sound, rate in heard(scene):
        for note in named(captions, r"(?:on|around|string-like) NOTE\b"):
            pitch = strongest(mono(sound)[: 2 * rate], rate, high=900)
            assert abs((midi(pitch) - NOTES.index(note) + 6) % 12 - 6) < 0.6, (captions, pitch)


def test_sung_vowels_are_on_the_named_note(heard: Heard) -> None:
    for captions, sound, rate in heard("sung_vowel"):
        pitch = float(np.median(pitches(mono(sound), rate)))
        assert named(captions, r"on NOTE$") <= {NOTES[round(midi(pitch)) % 12]}, (captions, pitch)


@pytest.mark.parametrize(("scene", "roots"), [("chord", range(48, 65)), ("choir", range(45, 56))])
def test_chords_are_major_or_minor_on_their_root(heard: Heard, scene: str, roots: range) -> None:
    for captions, sound, rate in heard(scene):
        root, quality = triad(mono(sound), rate, roots)
        assert {word for text in captions for word in ("major", "minor") if word in text} <= {quality}, (
            captions
        )
        assert named(captions, r"(?:root|on|held|long|an?) NOTE\b") <= {NOTES[root % 12]}, captions


def test_chords_in_turn_change_between_major_and_minor(heard: Heard) -> None:
    for captions, sound, rate in heard("chords_in_turn"):
        chords = [triad(half, rate, range(50, 63)) for half in np.array_split(mono(sound), 2)]
        for caption in captions:
            assert re.findall(r"major|minor", caption) == [quality for _, quality in chords], caption
            assert named((caption,), r"on NOTE:") <= {NOTES[root % 12] for root, _ in chords}


def test_scales_run_the_way_and_on_the_notes_of_the_caption(heard: Heard) -> None:
    for captions, sound, rate in heard("scale"):
        notes = melody(mono(sound), rate)
        upward = notes[-1] > notes[0]
        steps = [note - min(notes) for note in sorted(set(notes))]
        text = " ".join(captions)
        assert len(steps) == 8, (captions, notes)
        assert bool(re.search(r"\b(up|climbs)\b", text)) == upward, captions
        assert bool(re.search(r"\b(down|descends)\b", text)) != upward, captions
        assert ("minor" if 3 in steps else "major") in text
        assert named(captions, r"NOTE (?:major|minor)") <= {NOTES[min(notes) % 12]}


def test_arpeggios_run_the_way_and_on_the_chord_of_the_caption(heard: Heard) -> None:
    for captions, sound, rate in heard("arpeggio"):
        notes = melody(mono(sound), rate)
        lowest = min(notes)
        classes = {(note - lowest) % 12 for note in notes}
        text = " ".join(captions)
        assert classes <= {0, 3 if "minor" in text else 4, 7}, (captions, notes)
        steps = np.diff(notes)
        assert ("upward" in text) == (np.count_nonzero(steps > 0) > np.count_nonzero(steps < 0)), captions
        assert named(captions, r"NOTE (?:major|minor)") <= {NOTES[lowest % 12]}


def voice_pitch(sound: Samples, rate: int) -> float:
    """The pitch of a voice between 70 and 400 Hz, by autocorrelation."""
    power = np.abs(np.fft.rfft(sound, 2 * len(sound))) ** 2
    similar = np.fft.irfft(power)[: len(sound)]
    lags = np.arange(rate // 400, rate // 70)
    return float(rate / lags[similar[lags].argmax()])


def pitches(sound: Samples, rate: int) -> list[float]:
    """The pitch of every loud tenth of a second."""
    parts = [sound[at : at + rate // 10] for at in range(0, len(sound) - rate // 10, rate // 10)]
    loud = max(float(np.square(part).mean()) for part in parts)
    return [voice_pitch(part, rate) for part in parts if np.square(part).mean() > 0.1 * loud]


def test_voices_are_as_low_or_high_as_the_caption_says(heard: Heard) -> None:
    for captions, sound, rate in heard("one_voice"):
        level = "low" if np.median(pitches(mono(sound), rate)) < 150 else "high"
        assert all(level in caption.lower().split() for caption in captions), captions


def test_two_voices_take_turns_in_the_order_of_the_caption(heard: Heard) -> None:
    for captions, sound, rate in heard("two_voices"):
        found = pitches(mono(sound)[: round(1.3 * rate)], rate)
        first = "low" if np.median(found) < 150 else "high"
        for caption in captions:
            words = re.findall(r"\b(low|high)\b", caption)
            assert not words or words[0] == first, caption
        everything = pitches(mono(sound), rate)
        assert min(everything) < 130 < 170 < max(everything)


def test_hum_is_at_the_frequency_of_the_mains(heard: Heard) -> None:
    for captions, sound, rate in heard("mains_hum"):
        frequency, magnitude = spectrum(mono(sound), rate)
        levels = {pitch: magnitude[np.abs(frequency - 2 * pitch) < 2].max() for pitch in (50, 60)}
        loudest = max(levels, key=lambda pitch: float(levels[pitch]))
        for caption in captions:
            if match := re.search(r"(\d+) hertz", caption):
                assert int(match[1]) == loudest


def test_noise_has_the_colour_of_the_caption(heard: Heard) -> None:
    slopes = {"white": 0.0, "pink": -3.0, "brown": -6.0}  # dB per octave
    for captions, sound, rate in heard("coloured"):
        frequency, magnitude = spectrum(mono(sound), rate)
        bands = [magnitude[(frequency > low) & (frequency < 2 * low)] for low in (100, 200, 400, 800, 1600)]
        levels = [10 * np.log10(np.mean(band**2)) for band in bands]
        slope = float(np.polyfit(range(5), levels, 1)[0])
        for caption in captions:
            colours = [colour for colour in slopes if colour in caption.lower().split()]
            assert all(slope == pytest.approx(slopes[colour], abs=0.8) for colour in colours), (
                captions,
                slope,
            )
