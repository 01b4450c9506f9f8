"""Things that are struck: knocks, bells, chimes, claps, a blast."""

import numpy as np

from captionstew.corpora.sampler.beepers import spread
from captionstew.corpora.sampler.signals import (
    band,
    cycles,
    decay,
    hertz,
    noise,
    place,
    silence,
    soft,
    wave,
)
from captionstew.corpora.sampler.take import Samples, Scene, Take
from captionstew.corpora.sampler.words import number, times


def knock(take: Take, pitch: float) -> Samples:
    """A dull blow: a low tone and a little noise, both very short."""
    stretch = take.lasting(0.2)
    body = wave(cycles(stretch, pitch), [1.0, 0.5, 0.3]) + 0.4 * noise(stretch, band(pitch, 6 * pitch))
    return soft(stretch, body * decay(stretch, 0.018), 0.0005, 0.05)


def knocks(take: Take) -> Scene:
    """Blows in a group, counted."""
    count, pitch = take.count(2, 6, 0.45), take.between(140, 260)
    sounds = [knock(take, pitch) for _ in range(count)]
    return take.scene(
        spread(take, sounds, take.between(0.28, 0.4), take.between(0.3, 0.8)),
        (f"{number(count)} knock-like thuds", f"{number(count)} door-knock-like sounds"),
        (
            f"{number(count)} knock-like thuds [in a row|in quick succession]",
            f"A knocking sound, as on a wooden door, {times(count)}",
            f"{number(count)} dull knocks, then nothing but quiet",
            f"Something seems to knock {times(count)} with a hollow wooden tone",
            f"A group of {number(count)} knocks like knuckles on wood",
        ),
    )


def strike(take: Take, pitch: float, seconds: float) -> Samples:
    """A struck bell: inharmonic partials, the high ones dying first."""
    stretch = take.lasting(seconds)
    partials = ((0.5, 0.5), (1.0, 1.0), (1.19, 0.6), (1.56, 0.4), (2.0, 0.5), (2.74, 0.3), (3.76, 0.2))
    sound = silence(stretch)
    for ratio, strength in partials:
        if ratio * pitch < 0.45 * take.sample_rate:
            half_life = seconds * take.between(0.05, 0.1) / ratio**0.7
            detuned = ratio * pitch * take.between(0.96, 1.04)
            sound += strength * wave(cycles(stretch, detuned), [1.0]) * decay(stretch, half_life)
    return soft(stretch, sound, 0.001, 0.1)


def bell(take: Take) -> Scene:
    """Bell strokes, counted, each ringing into the next."""
    count = take.count(1, 5, 1.9)
    pitch = take.between(350, 900)
    stroke = strike(take, pitch, min(take.between(2.5, 5.0), take.seconds - 0.3))
    spacing = min(take.between(1.1, 2.2), (take.seconds - 0.6) / count)
    plural = "bell-like strokes" if count > 1 else "bell-like stroke"
    return take.scene(
        spread(take, [stroke] * count, spacing),
        (f"{number(count)} ringing {plural}", f"a bell-like sound struck {times(count)}"),
        (
            f"A bell-like sound is struck {times(count)} and rings on",
            f"A [large|metallic] synthetic bell tolls {times(count)}",
            f"{number(count)} {plural} with a long metallic decay",
            f"A synthetic bell [rings|is hit] {times(count)} and slowly fades",
            f"Metallic ringing like a bell, struck {times(count)}",
        ),
    )


def doorbell(take: Take) -> Scene:
    """A high chime and a lower one."""
    midi, lower = take.integer(74, 80), take.pick(3, 4)
    sounds = [strike(take, hertz(midi - step), 1.8) for step in (0, lower)]
    return take.scene(
        spread(take, sounds, take.between(0.5, 0.7), take.between(0.2, 0.6)),
        ("a ding-dong like a doorbell", "a two-note chime"),
        (
            "A ding-dong [like|as of] a doorbell",
            "Two chimes, the second lower than the first",
            "A doorbell-like chime of two notes, high and then low",
            "A bright chime is followed by a lower one and both fade",
            "A two-note chime rings once, like someone at the door",
        ),
    )


def claps(take: Take) -> Scene:
    """Single hand-clap-like bursts, counted."""
    count = take.count(2, 7, 0.6)
    sounds = []
    for _ in range(count):
        stretch = take.lasting(0.18)
        burst = noise(stretch, band(900, 3500, 3))
        sounds.append(soft(stretch, burst * decay(stretch, take.between(0.012, 0.02)), 0.001, 0.05))
    return take.scene(
        spread(take, sounds, min(0.7, (take.seconds - 0.3) / count)),
        (f"{number(count)} clap-like bursts", "slow clap-like sounds"),
        (
            f"{number(count)} hand-clap-like bursts, evenly spaced",
            f"Something seems to clap {times(count)} in a slow rhythm",
            f"{number(count)} single clap-like sounds [one by one|with short pauses]",
            f"A clapping sound is heard {times(count)}",
            f"Short sharp bursts like claps, {number(count)} of them",
        ),
    )


def blast(take: Take) -> Scene:
    """One boom that decays."""
    stretch = take.lasting(min(3.0, take.seconds - 0.5))
    low = wave(cycles(stretch, 40 + 60 * np.exp2(-stretch.time / 0.1)), [1.0]) * decay(stretch, 0.3)
    boom = soft(stretch, low + 0.4 * noise(stretch, band(60, 900)) * decay(stretch, 0.2), 0.002, 0.2)
    start, canvas = take.between(0.5, take.seconds - 2.4) if take.seconds > 4 else 0.4, silence(take)
    place(take, canvas, boom, start)
    return take.scene(
        canvas,
        ("a single deep boom", "one explosion-like thump"),
        (
            "A single deep boom, then quiet",
            "One explosion-like thump [fades quickly|dies away]",
            "A low, heavy impact-like sound [is heard once|occurs once]",
            "Quiet, one deep explosion-like boom, and quiet again",
            "A lone cannon-like boom with a short rumbling tail",
        ),
    )
