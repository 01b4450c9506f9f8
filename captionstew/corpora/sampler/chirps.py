"""Small chirping sounds as of birds and insects; only ever said to be like them."""

import numpy as np

from captionstew.corpora.sampler.signals import (
    band,
    noise,
    place,
    silence,
    soft,
    tone,
    wave,
)
from captionstew.corpora.sampler.take import Samples, Scene, Take
from captionstew.corpora.sampler.words import number, times


def chirp(take: Take, pitch: float, seconds: float, octaves: float) -> Samples:
    """A short sweep over so many octaves, up or (negative) down."""
    stretch = take.lasting(seconds)
    return soft(stretch, tone(stretch, pitch * np.exp2(octaves * stretch.time / seconds)), 0.01, 0.03)


def bird(take: Take) -> Scene:
    """Groups of quick chirps; both the groups and the chirps in each are counted."""
    count, notes = take.count(2, 6, 1.3), take.integer(2, 5)
    length, gap, octaves = take.between(0.06, 0.1), take.between(0.12, 0.17), take.between(-0.8, 0.8)
    single = chirp(take, take.between(1800, 3000), length, octaves)
    spacing, canvas = (take.seconds - 0.4) / count, silence(take)
    for group in range(count):
        for index in range(notes):
            place(take, canvas, single, 0.2 + group * spacing + index * gap, 0.9**index)
    return take.scene(
        canvas,
        (f"{number(count)} groups of bird-like chirps", "bird-like chirping"),
        (
            f"{number(count)} groups of {number(notes)} bird-like chirps",
            f"A bird-like call of {number(notes)} chirps is heard {times(count)}",
            f"High bird-like chirps, {number(notes)} at a time, {times(count)}",
            f"Something chirps like a small bird, {number(notes)} quick notes at a time",
            f"Quick whistled chirps, as of a bird, {number(count)} groups of them",
        ),
    )


def crickets(take: Take) -> Scene:
    """A high trill in short even bursts."""
    pitch, rate = take.between(4000, 5200), take.between(2.2, 3.2)
    pulses = np.clip(wave(take.time * 32, [1.0]), 0, 1) * (wave(take.time * rate, [1.0]) > 0)
    sound = tone(take, pitch) * pulses + 0.01 * noise(take, band(300, 2000))
    return take.scene(
        soft(take, sound, 0.1, 0.1),
        ("cricket-like trills", "a high insect-like chirring"),
        (
            "Cricket-like trills in an even rhythm",
            "A high chirring as of a cricket [at night|in the grass]",
            "Insect-like chirping repeats [without end|again and again]",
            "Short high trills, evenly spaced, like [one cricket|a single insect]",
            "A very high pulsing tone like the song of a cricket",
        ),
    )


def hoots(take: Take) -> Scene:
    """Low soft whistles, counted."""
    count = take.count(2, 5, 1.3)
    stretch = take.lasting(take.between(0.4, 0.8))
    pitch = take.between(280, 450) * (1 - take.between(0.05, 0.3) * (stretch.time / stretch.seconds) ** 2)
    round_tone = tone(stretch, pitch, take.pick("triangle", "sine"))
    hoot = soft(stretch, round_tone + 0.03 * noise(stretch, band(300, 900)), 0.15, 0.2)
    spacing, canvas = (take.seconds - 0.4) / count, silence(take)
    for index in range(count):
        place(take, canvas, hoot, 0.2 + index * spacing)
    return take.scene(
        canvas,
        (f"{number(count)} owl-like hoots", "soft low hoots"),
        (
            f"{number(count)} owl-like hoots with pauses between",
            f"A soft low hoot, as of an owl, {times(count)}",
            f"Something hoots {times(count)}, each time a little falling in pitch",
            f"{number(count)} round, hollow whistles like those of an owl",
            f"A gentle hooting sound is heard {times(count)}",
        ),
    )
