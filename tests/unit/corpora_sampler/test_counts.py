"""Where a caption counts, as many events are heard."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from captionstew.corpora.sampler.take import Curve, Samples

Heard = Callable[[str], list[tuple[tuple[str, ...], Samples, int]]]

COUNTS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
TIMES = {"once": 1, "twice": 2}
NUMBER = re.compile(rf"\b({'|'.join([*COUNTS, *TIMES])})\b(?!-)")
MORSE = {
    "...": "S", "---": "O", "-.-.": "C", "--.-": "Q", "....": "H", "..": "I", "-.-": "K", "-.": "N",
    "-..": "D", ".": "E", ".--": "W", "-..-": "X", ".-.": "R", "-": "T", ".-": "A", "--": "M",
}  # fmt: skip


def counted(captions: tuple[str, ...]) -> set[int]:
    """The first number of each caption that has one."""
    found = (NUMBER.search(caption.lower()) for caption in captions)
    return {TIMES.get(match[1]) or COUNTS.index(match[1]) for match in found if match}


def envelope(sound: Samples, rate: int, seconds: float = 0.01) -> Curve:
    """Root mean square of each stretch, all channels together."""
    mono = sound.mean(axis=1) if sound.ndim == 2 else sound
    size = round(seconds * rate)
    frames = mono[: len(mono) // size * size].reshape(-1, size).astype(np.float64)
    return np.asarray(np.sqrt((frames**2).mean(axis=1)), np.float64)


def bursts(sound: Samples, rate: int, gap: float, share: float = 0.1) -> list[tuple[float, float]]:
    """Begin and end (s) of what is above that share of the loudest moment; shorter gaps are bridged."""
    loud = np.flatnonzero((level := envelope(sound, rate)) > share * level.max()) * 0.01
    breaks = np.flatnonzero(np.diff(loud) > gap)
    begins = [loud[0], *loud[breaks + 1]]
    ends = [*loud[breaks], loud[-1]]
    return [(float(begin), float(end) + 0.01) for begin, end in zip(begins, ends, strict=True)]


def rises(sound: Samples, rate: int, decibels: float, apart: float) -> int:
    """How often the sound suddenly gets that much louder, counted once per `apart` seconds."""
    level = 20 * np.log10(np.concatenate((np.full(6, 1e-4), envelope(sound, rate, 0.025))) + 1e-4)
    before = np.maximum(level[:-4], np.maximum(level[1:-3], level[2:-2]))
    jumps = np.flatnonzero((level[4:] - before > decibels) & (level[4:] > level.max() - 20)) * 0.025
    return 1 + int(np.count_nonzero(np.diff(jumps) > apart))


@pytest.mark.parametrize(
    ("scene", "gap", "more"),
    [
        ("beeps", 0.05, 0),
        ("beeps_and_low_tone", 0.05, 1),
        ("countdown", 0.05, 1),
        ("telephone", 0.2, 0),
        ("keypad", 0.04, 0),
        ("buzzer", 0.2, 0),
        ("zaps", 0.1, 0),
        ("knocks", 0.1, 0),
        ("claps", 0.1, 0),
        ("static_bursts", 0.1, 0),
        ("drips", 0.1, 0),
        ("hoots", 0.2, 0),
        ("laughter", 0.4, 0),
        ("blast", 0.5, 0),
    ],
)
def test_as_many_events_as_the_caption_says(heard: Heard, scene: str, gap: float, more: int) -> None:
    checked = 0
    for captions, sound, rate in heard(scene):
        for number in counted(captions):
            assert len(bursts(sound, rate, gap)) == number + more, captions
            checked += 1
    assert checked


@pytest.mark.parametrize(("scene", "apart"), [("bell", 0.5), ("tune", 0.2)])
def test_ringing_sounds_are_struck_as_often_as_stated(heard: Heard, scene: str, apart: float) -> None:
    checked = 0
    for captions, sound, rate in heard(scene):
        for number in counted(captions):
            assert rises(sound, rate, 2.0, apart) == number, captions
            checked += 1
    assert checked


def test_a_doorbell_rings_two_notes(heard: Heard) -> None:
    for captions, sound, rate in heard("doorbell"):
        assert rises(sound, rate, 2.0, 0.3) == 2, captions


def test_bird_like_chirps_come_in_as_many_groups(heard: Heard) -> None:
    for captions, sound, rate in heard("bird"):
        groups = bursts(sound, rate, 0.3)
        for caption in captions:
            if match := re.search(r"(\w+) groups of (\w+) bird-like chirps", caption.lower()):
                chirps = bursts(sound, rate, 0.02)
                assert (len(groups), len(chirps)) == (
                    COUNTS.index(match[1]),
                    COUNTS.index(match[1]) * COUNTS.index(match[2]),
                )
            elif match := re.search(r"(\w+) groups of them|\b(once|twice|(\w+) times)", caption.lower()):
                word = match[1] or match[3] or match[2]
                assert len(groups) == (TIMES.get(word) or COUNTS.index(word)), caption


def test_alarms_beep_in_groups_of_that_many(heard: Heard) -> None:
    for captions, sound, rate in heard("alarm"):
        beeps = bursts(sound, rate, 0.02)
        groups = bursts(sound, rate, 0.2)
        for number in counted(captions):
            assert len(beeps) == number * len(groups), captions


def test_morse_spells_the_letters(heard: Heard) -> None:
    checked = 0
    for captions, sound, rate in heard("morse"):
        named = {match[1] for caption in captions if (match := re.search(r"letters ((?:[A-Z] ?)+)", caption))}
        beeps = bursts(sound, rate, 0.02)
        unit = min(end - begin for begin, end in beeps)
        letters, signs = [], ""
        for index, (begin, end) in enumerate(beeps):
            signs += "-" if end - begin > 2 * unit else "."
            pause = beeps[index + 1][0] - end if index + 1 < len(beeps) else 99
            if pause > 2 * unit:
                letters.append(MORSE[signs])
                signs = ""
        for words in named:
            spelled = words.split()
            assert letters == spelled * (len(letters) // len(spelled)), captions
            checked += 1
    assert checked
