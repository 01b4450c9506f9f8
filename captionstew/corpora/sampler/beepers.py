"""Devices that signal a counted number of times: beeps, rings, keys, buzzers, alarms, zaps."""

import numpy as np

from captionstew.corpora.sampler.signals import (
    decay,
    hertz,
    place,
    silence,
    soft,
    tone,
)
from captionstew.corpora.sampler.take import Samples, Scene, Take
from captionstew.corpora.sampler.words import number, times

_MORSE = {
    "S O S": "... --- ...", "C Q": "-.-. --.-", "H I": ".... ..", "O K": "--- -.-", "N O": "-. ---",
    "D E": "-.. .", "W X": ".-- -..-", "R S T": ".-. ... -", "A M": ".- --",
}  # fmt: skip
_KEYPAD = tuple(
    (low, high) for low in (697.0, 770.0, 852.0) for high in (1209.0, 1336.0, 1477.0)
)  # ITU-T Q.23


def beep(take: Take, pitch: float, seconds: float, waveform: str = "sine") -> Samples:
    """One tone of that length."""
    return tone(take.lasting(seconds), pitch, waveform)


def spread(take: Take, sounds: list[Samples], spacing: float, start: float = 0.2) -> Samples:
    """Sounds begun `spacing` seconds apart."""
    canvas = silence(take)
    for index, sound in enumerate(sounds):
        place(take, canvas, sound, start + index * spacing)
    return canvas


def beeps_and_low_tone(take: Take) -> Scene:
    """Short high beeps, counted, then one long low tone."""
    count = take.count(2, 6, 0.75)
    short = beep(take, hertz(take.integer(76, 86)), 0.15, take.pick("sine", "square"))
    canvas = spread(take, [short] * count, 0.35)
    after = 0.2 + count * 0.35 + 0.15
    long = beep(take, hertz(take.integer(43, 52)), min(2.5, take.seconds - after - 0.2), "triangle")
    place(take, canvas, long, after)
    return take.scene(
        canvas,
        (f"{number(count)} short beeps and a long low tone", f"{number(count)} short beeps and a low tone"),
        (
            f"{number(count)} short beeps, then a long low tone",
            f"A [device|machine]-like beep sounds {times(count)}, followed by one long low tone",
            f"{number(count)} short beeps are followed by a low drawn-out one",
            f"{number(count)} short beeps at a high pitch end in a long low tone",
            f"An electronic signal: {number(count)} short beeps and a long, much lower tone",
        ),
    )


def beeps(take: Take) -> Scene:
    """Equal beeps, counted."""
    count, midi = take.count(2, 8, 0.5), take.integer(69, 90)
    single = beep(take, hertz(midi), take.between(0.1, 0.2), take.pick("sine", "square", "triangle"))
    spacing = min(0.8, (take.seconds - 0.4) / count)
    where = "high" if midi > 78 else "clear"
    return take.scene(
        spread(take, [single] * count, spacing),
        (f"{number(count)} short beeps", f"{number(count)} short {where} beeps"),
        (
            f"{number(count)} short beeps, [evenly spaced|one after another]",
            f"{number(count)} short beeps of an electronic device-like signal",
            f"A {where} electronic beep sounds {times(count)}",
            f"{number(count)} short {where} beeps with equal pauses and then nothing more",
            f"An electronic tone beeps {times(count)} [and stops|at even distances]",
        ),
    )


def countdown(take: Take) -> Scene:
    """Equal beeps a while apart, then one higher and longer."""
    count = take.count(2, 5, 1.2)
    spacing = min(take.between(0.6, 1.1), (take.seconds - 1.4) / count)
    midi = take.integer(60, 72)
    sounds = [beep(take, hertz(midi), 0.12)] * count + [beep(take, hertz(midi + 12), 0.9)]
    return take.scene(
        spread(take, sounds, spacing),
        ("a start signal of beeps", f"{number(count)} short beeps and a longer high one"),
        (
            f"{number(count)} short beeps, then a longer one an octave higher",
            f"A countdown-like signal: {number(count)} short beeps and one long high one",
            f"{number(count)} short beeps and a final, higher beep, as before the start of a race",
            "Equal beeps count down and end in a long higher beep",
            f"{number(count)} short beeps lead to a long beep at a higher pitch",
        ),
    )


def morse(take: Take) -> Scene:
    """Two or three letters in Morse code, spelled correctly, sent once or more."""
    letters, repeats = take.pick(*_MORSE), take.count(1, 3, 3.4)
    unit, pitch, clock = take.between(0.06, 0.08), take.between(550, 850), 0.2
    canvas = silence(take)
    for sign in (_MORSE[letters] + "   ") * repeats:
        units = {".": 1, "-": 3, " ": 1}[sign]
        if sign != " ":
            place(take, canvas, beep(take, pitch, units * unit), clock)
        clock += (units + 1) * unit
    how_many = number(len(_MORSE[letters].replace(" ", "")))
    return take.scene(
        canvas,
        (f"Morse-like beeps sent {times(repeats)}", "short and long telegraph-like beeps"),
        (
            f"Morse code beeps [spell|for] the letters {letters}",
            f"{how_many} short and long beeps, like a telegraph, {times(repeats)}",
            f"A Morse-like signal of {how_many} short and long tones, sent {times(repeats)}",
            f"The letters {letters} in Morse code on a [clear|pure] tone",
            "Dots and dashes of a single tone, as from a telegraph key",
        ),
    )


def telephone(take: Take) -> Scene:
    """A two-tone warbled ring, counted."""
    count = take.count(2, 4, 1.9)
    stretch = take.lasting(take.between(0.7, 1.2))
    low, ratio, warble = take.between(400, 650), take.between(1.15, 1.4), take.integer(12, 26)
    pitch = np.where((stretch.time * warble).astype(int) % 2 == 1, low * ratio, low)
    ring = tone(stretch, pitch, take.pick("square", "triangle", "sawtooth"))
    spacing = max(1.5, min(take.between(1.6, 2.4), (take.seconds - 0.3) / count))
    return take.scene(
        spread(take, [ring] * count, spacing),
        (f"{number(count)} telephone-like rings", "a warbling telephone-like ring"),
        (
            f"A telephone-like ring [sounds|is heard] {times(count)}",
            f"{number(count)} warbling rings like those of an office telephone",
            f"Something rings like an electronic telephone, {times(count)} in all",
            f"{number(count)} telephone-like rings with pauses in between",
            "A warbling two-tone ring stops and starts again like a phone",
        ),
    )


def keypad(take: Take) -> Scene:
    """Dual tones as of telephone keys, counted."""
    count = take.count(3, 9, 0.4)
    spacing, length = min(take.between(0.28, 0.6), (take.seconds - 0.3) / count), take.between(0.12, 0.22)
    pairs = [take.pick(*_KEYPAD) for _ in range(count)]
    sounds = [beep(take, low, length) + beep(take, high, length) for low, high in pairs]
    return take.scene(
        spread(take, sounds, spacing),
        (f"{number(count)} touch-tone-like signals", "dialling tones"),
        (
            f"{number(count)} touch-tone signals, as when dialling a number",
            f"Telephone keys seem to be pressed {times(count)}",
            f"{number(count)} short two-tone signals like those of a phone keypad",
            f"A number of {number(count)} digits is dialled in touch tones",
            f"Dialling tones, {number(count)} in quick succession",
        ),
    )


def buzzer(take: Take) -> Scene:
    """A rough low buzz, counted."""
    count, pitch = take.count(1, 3, 1.7), take.between(90, 140)
    stretch = take.lasting(0.9)
    buzz = soft(stretch, tone(stretch, pitch, "square") + tone(stretch, pitch * 1.06, "sawtooth"))
    return take.scene(
        spread(take, [buzz] * count, 1.4),
        ("a harsh low buzzer", f"a buzzer-like sound heard {times(count)}"),
        (
            f"A harsh buzzer-like sound goes off {times(count)}",
            f"A low rough buzz, {times(count)}, like the wrong-answer buzzer of a quiz show",
            f"A [grating|rasping] electric buzz sounds {times(count)}",
            f"A door-buzzer-like noise is heard {times(count)} and stops [abruptly|at once]",
            "A rough low buzzing as from an old door buzzer",
        ),
    )


def alarm(take: Take) -> Scene:
    """Groups of fast beeps, as of a cheap alarm clock, until the end."""
    count, gap, pause = take.integer(2, 5), take.between(0.1, 0.16), take.between(0.3, 0.7)
    single = beep(take, take.between(1500, 2600), gap * 0.5, take.pick("square", "triangle", "sawtooth"))
    canvas, how_many = silence(take), number(count)
    for start in np.arange(0.1, take.seconds - count * gap, count * gap + pause):
        for index in range(count):
            place(take, canvas, single, float(start) + index * gap)
    return take.scene(
        canvas,
        ("an alarm-clock-like beeping", f"fast beeps in groups of {how_many}"),
        (
            f"An alarm-clock-like beeping in groups of {how_many}",
            f"A shrill digital alarm keeps beeping, {how_many} quick beeps at a time",
            f"Fast high beeps, {how_many} in each group, like an alarm [clock|going off]",
            "An electronic alarm [repeats|goes on] without stopping",
            f"Urgent high-pitched beeping with a short pause after every {how_many} beeps",
        ),
    )


def zaps(take: Take) -> Scene:
    """Fast falling sweeps, counted."""
    count = take.count(2, 6, 0.7)
    stretch = take.lasting(take.between(0.2, 0.5))
    fall = np.exp2(-stretch.time / take.between(0.03, 0.12))
    pitch = take.between(150, 500) + take.between(1500, 3500) * fall
    zap = soft(stretch, tone(stretch, pitch, take.pick("square", "sawtooth", "sine")) * decay(stretch, 0.12))
    return take.scene(
        spread(take, [zap] * count, min(take.between(0.55, 1.1), (take.seconds - 0.4) / count)),
        (f"{number(count)} laser-like zaps", "arcade-like zapping"),
        (
            f"{number(count)} laser-like zaps, [as in|like those of] an arcade game",
            f"A falling electronic zap is heard {times(count)}",
            f"{number(count)} quick sweeps from high to low, like toy ray guns",
            f"Laser-like shots sound {times(count)} in even distances",
            f"An arcade-like zap [sounds|goes off] {times(count)}",
        ),
    )
