"""Many small sounds at once: fire, a worn record, rain, drops, bubbles."""

import numpy as np

from captionstew.corpora.sampler.signals import (
    band,
    cycles,
    decay,
    noise,
    place,
    silence,
    soft,
    tilt,
    wander,
    wave,
)
from captionstew.corpora.sampler.take import Samples, Scene, Take
from captionstew.corpora.sampler.words import number, times


def fire(take: Take) -> Scene:
    """Sparse crackles of many sizes over a low flutter."""
    canvas = 0.05 * noise(take, tilt(2)) * wander(take, 0.4, 1.0, 4)
    stretch = take.lasting(0.02)
    for _ in range(round(take.seconds * take.between(12, 25))):
        crack = noise(stretch, band(take.between(800, 4000), 9000))
        pop = crack * decay(stretch, take.between(0.0005, 0.003))
        place(take, canvas, pop, take.between(0, take.seconds), take.between(0.1, 1) ** 3)
    return take.scene(
        canvas,
        ("fire-like crackling", "irregular crackles"),
        (
            "Irregular crackling like a small fire",
            "A fire-like [crackling|snapping] over a faint low rumble",
            "Dry pops and crackles [at irregular moments|without any rhythm], like burning wood",
            "Crackling like [an open fire|a bonfire], some snaps louder than others",
            "Small sharp crackles come irregularly, [as from|like] a campfire",
        ),
    )


def vinyl(take: Take) -> Scene:
    """Ticks once per turn of a record, over faint hiss."""
    canvas, turn = 0.02 * noise(take, tilt(1)), 60 / 33.333
    stretch = take.lasting(0.01)
    for _ in range(round(take.seconds * 8)):
        tick = noise(stretch, band(1500, 8000)) * decay(stretch, 0.0006)
        place(take, canvas, tick, take.between(0, take.seconds), take.between(0.1, 0.4))
    for second in np.arange(take.between(0.1, 0.4), take.seconds, turn):
        place(take, canvas, noise(stretch, band(300, 5000)) * decay(stretch, 0.002), float(second), 0.8)
    return take.scene(
        canvas,
        ("crackle like a worn record", "soft hiss with light crackles"),
        (
            "Hiss and [light|fine] crackle like an old record between songs",
            "Faint crackling with one stronger tick at each turn, like a vinyl record",
            "A worn-record-like crackle over [soft|quiet] hiss",
            "Soft static with small ticks, and a louder tick every two seconds or so",
            "The run-out groove sound of a record, [imitated by|made from] clicks and hiss",
        ),
    )


def rain(take: Take) -> Scene:
    """Dense drops over hiss."""
    rate = take.between(60, 160)
    canvas = 0.08 * noise(take, band(1200, 9000))
    stretch = take.lasting(0.012)
    fall = decay(stretch, 0.0015)
    drops = [noise(stretch, band(take.between(1500, 4500), 8000, 4)) * fall for _ in range(24)]
    for second in take.random.uniform(0, take.seconds, round(take.seconds * rate)):
        place(take, canvas, take.pick(*drops), float(second), take.between(0.05, 0.5))
    dense = rate > 110
    return take.scene(
        soft(take, canvas, 0.2, 0.2),
        ("rain-like patter", f"{'dense' if dense else 'light'} rain-like pattering"),
        (
            f"{'Dense' if dense else 'Light'} rain-like patter without [thunder or wind|a pause]",
            "A pattering noise like rain [on leaves|on a roof] goes on evenly",
            f"Rain-like drops fall {'thick and fast' if dense else 'without a pause'} over soft hiss",
            "Steady pattering of many tiny drops, [as in rain|like rainfall]",
            "Countless small taps and a soft hiss, like [steady rain|a shower of rain]",
        ),
    )


def drip(take: Take, pitch: float, seconds: float = 0.09) -> Samples:
    """A drop or bubble: a short sine that rises by half an octave as it dies."""
    stretch = take.lasting(seconds)
    rise = pitch * np.exp2(0.6 * stretch.time / seconds)
    return soft(stretch, wave(cycles(stretch, rise), [1.0]) * decay(stretch, seconds / 5), 0.002, 0.02)


def drips(take: Take) -> Scene:
    """A counted number of water-drop-like blips."""
    count = take.count(3, 9, 0.7)
    spacing, canvas = (take.seconds - 0.5) / count, silence(take)
    for index in range(count):
        drop = drip(take, take.between(900, 1600))
        place(take, canvas, drop, 0.2 + spacing * (index + take.between(0, 0.3)))
    return take.scene(
        canvas,
        (f"{number(count)} drip-like sounds", "slow water-drop-like blips"),
        (
            f"{number(count)} drip-like blips, one after another",
            f"Something seems to drip like a tap, {times(count)} in all",
            f"{number(count)} water-drop-like plinks with [pauses|silence] between them",
            "Single drop-like sounds fall slowly [and not quite evenly|with gaps between them]",
            "A slow dripping, each drop a short rising blip",
        ),
    )


def bubbles(take: Take) -> Scene:
    """Many overlapping rising blips of different sizes."""
    canvas = silence(take)
    for _ in range(round(take.seconds * take.between(10, 20))):
        size = take.between(0.05, 0.14)
        blip = drip(take, take.between(25, 60) / size, size)
        place(take, canvas, blip, take.between(0, take.seconds - 0.2), take.between(0.2, 1))
    return take.scene(
        canvas,
        ("bubbling sounds", "liquid-like bubbling"),
        (
            "Bubbling like [water in a pot|a liquid about to boil]",
            "Many [small|quick] bubble-like blips rise and pop at random",
            "A gurgling, bubbling sound made of rising blips",
            "Liquid-like bubbling goes on [without a rhythm|irregularly]",
            "Plopping and bubbling noises like those of a [thick soup|fish tank]",
        ),
    )
