"""Rhythms: metronome, clock, drum machine, clicks that hurry or tire."""

import numpy as np

from captionstew.corpora.sampler.signals import (
    band,
    curve,
    cycles,
    decay,
    noise,
    place,
    silence,
    soft,
    tone,
    wave,
)
from captionstew.corpora.sampler.take import Samples, Scene, Take
from captionstew.corpora.sampler.words import number


def click(take: Take, pitch: float, half_life: float = 0.006) -> Samples:
    """A short woody tick at that pitch."""
    stretch = take.lasting(0.08)
    body = wave(cycles(stretch, pitch), [1.0, 0.4]) + 0.3 * noise(stretch, band(pitch, 4 * pitch))
    return soft(stretch, body * decay(stretch, half_life), 0.0005, 0.02)


def kick(take: Take) -> Samples:
    """A bass drum: a sine that falls from 150 to 45 Hz."""
    stretch = take.lasting(0.35)
    pitch = 45 + 105 * np.exp2(-stretch.time / 0.03)
    return soft(stretch, wave(cycles(stretch, pitch), [1.0]) * decay(stretch, 0.08), 0.001, 0.05)


def snare(take: Take) -> Samples:
    """A snare drum: a burst of noise over a short 190 Hz tone."""
    stretch = take.lasting(0.25)
    body = 0.25 * noise(stretch, band(800, 7000)) + 0.5 * wave(cycles(stretch, 190.0), [1.0])
    return soft(stretch, body * decay(stretch, 0.045), 0.001, 0.05)


def hat(take: Take) -> Samples:
    """A closed hi-hat: a very short bright hiss."""
    stretch = take.lasting(0.09)
    return soft(stretch, 0.12 * noise(stretch, band(6000, 12000, 6)) * decay(stretch, 0.015), 0.001, 0.02)


def metronome(take: Take) -> Scene:
    """Even ticks at a stated tempo, none accented."""
    tempo = take.integer(8, 18) * 10
    spacing, tick = 60 / tempo, click(take, take.between(900, 2200))
    canvas = silence(take)
    for second in np.arange(0.1, take.seconds - 0.1, spacing):
        place(take, canvas, tick, float(second))
    return take.scene(
        canvas,
        (f"a metronome at {tempo} beats per minute", "an even metronome tick"),
        (
            f"A metronome [ticks|clicks] at {tempo} beats per minute",
            f"Even [ticking|clicking] of a metronome set to {tempo} beats per minute",
            f"A dry tick repeats in strict time, {tempo} to the minute",
            "A metronome-like click keeps a [constant|steady] beat without accents",
            f"Regular short clicks at {'a slow' if tempo < 100 else 'a quick'} [and even|unchanging] tempo",
        ),
    )


def clock(take: Take) -> Scene:
    """Tick and tock, one each second."""
    first, second = click(take, take.between(2500, 3200), 0.003), click(take, take.between(1700, 2200), 0.003)
    canvas = silence(take)
    for index in range(int(take.seconds - 0.2)):
        place(take, canvas, (first, second)[index % 2], 0.2 + index)
    return take.scene(
        canvas,
        ("a clock-like tick once a second", "slow, even ticking"),
        (
            "A clock-like [ticking|tick-tock], one tick every second",
            "Something ticks like a clock, [once a second|second by second]",
            "Slow mechanical-sounding ticks, [alternately|by turns] higher and lower",
            "Ticking like that of a wall clock, with pauses of a second",
            "A tick, then a lower tock, repeating once every second",
        ),
    )


def drum_machine(take: Take) -> Scene:
    """Kick on one and three, snare on two and four, hi-hat on eighths."""
    tempo = take.integer(9, 15) * 10
    half_beat, canvas = 30 / tempo, silence(take)
    drums = kick(take), snare(take), hat(take)
    for index, second in enumerate(np.arange(0.1, take.seconds - 0.3, half_beat)):
        place(take, canvas, drums[2], float(second))
        if index % 2 == 0:
            place(take, canvas, drums[(index // 2) % 2], float(second))
    return take.scene(
        canvas,
        (f"a drum machine at {tempo} beats per minute", "a simple electronic drum beat"),
        (
            f"A drum machine plays a simple beat at {tempo} beats per minute",
            "An electronic drum beat with kick, snare and hi-hat",
            "Kick and snare [alternate|take turns] while a hi-hat marks the eighth notes",
            f"A [plain|basic] rock-like pattern from a drum machine, {tempo} beats per minute",
            "Synthetic drums keep a steady beat [without fills|without any other instrument]",
        ),
    )


def kick_pulse(take: Take) -> Scene:
    """A bass drum on every beat, a hi-hat between."""
    tempo = take.integer(11, 14) * 10
    beat, canvas, low, high = 60 / tempo, silence(take), kick(take), hat(take)
    for second in np.arange(0.1, take.seconds - 0.4, beat):
        place(take, canvas, low, float(second))
        place(take, canvas, high, float(second) + beat / 2)
    return take.scene(
        canvas,
        ("a thumping dance beat", f"a bass drum at {tempo} beats per minute"),
        (
            f"A synthetic bass drum thumps on every beat, {tempo} beats per minute",
            "A [thumping|pounding] electronic dance beat with a hi-hat between the kicks",
            "Four kicks to the bar with an offbeat hi-hat, like club music",
            "An even electronic thump with a light hiss after each hit",
            "A synthetic bass drum keeps [pounding|beating] in a steady rhythm",
        ),
    )


def changing_clicks(take: Take) -> Scene:
    """Clicks that come faster and faster, or ever more slowly."""
    hurried = take.pick(True, False)
    ends = (2.0, 14.0) if hurried else (14.0, 2.0)
    beats = np.floor(cycles(take, curve(take, *ends)))[: -round(0.1 * take.sample_rate)]
    tick, canvas = click(take, take.between(1200, 2600), 0.004), silence(take)
    for start in np.flatnonzero(np.diff(beats)):
        place(take, canvas, tick, float(start) / take.sample_rate)
    more, change = ("faster and faster", "speed up") if hurried else ("slower and slower", "slow down")
    return take.scene(
        canvas,
        (f"clicks that {change}", f"clicking that gets {more}"),
        (
            f"Clicks come {more}",
            f"[Dry|Short] clicks {change} steadily [until the end|from beginning to end]",
            f"A clicking sound gets {more}, like a wheel that {'gathers speed' if hurried else 'runs down'}",
            f"The [ticking|clicking] starts {'slow and ends fast' if hurried else 'fast and ends slow'}",
            f"A series of ratchet-like clicks that {change}",
        ),
    )


def shaker(take: Take) -> Scene:
    """Short bursts of bright hiss in an even rhythm, every second one weaker."""
    spacing, canvas = take.between(0.18, 0.3), silence(take)
    stretch = take.lasting(0.1)
    burst = soft(stretch, noise(stretch, band(4000, 9000, 4)), 0.03, 0.06)
    for index, second in enumerate(np.arange(0.1, take.seconds - 0.15, spacing)):
        place(take, canvas, burst, float(second), 0.5 if index % 2 else 1.0)
    return take.scene(
        canvas,
        ("a shaker-like rhythm", "even short hisses like a shaker"),
        (
            "A shaker-like hiss keeps an even [rhythm|beat]",
            "Short bright bursts of noise, every second one weaker, like a maraca",
            "A soft [rhythmic|regular] shaking sound, strong and weak in turn",
            "Rattling hisses in a steady rhythm [like|as from] a shaker",
            "Crisp noise bursts repeat evenly, loud and soft by turns",
        ),
    )


def polyrhythm(take: Take) -> Scene:
    """Two pitched blocks, three beats against two."""
    bar, canvas = take.between(1.4, 2.0), silence(take)
    low, high = click(take, 600.0, 0.02), click(take, 1500.0, 0.02)
    for start in np.arange(0.1, take.seconds - 0.2, bar):
        for count, sound in ((2, low), (3, high)):
            for index in range(count):
                place(take, canvas, sound, float(start) + index * bar / count)
    return take.scene(
        canvas,
        ("three high knocks against two low ones", "a two-against-three rhythm"),
        (
            "A high and a low woodblock-like sound play three against two",
            f"Woody clicks in a [cross|poly]rhythm: {number(3)} high ones for every two low ones",
            "Two interlocking patterns of wooden-sounding taps, one high and one low",
            "A [looping|repeating] rhythm of high and low taps that meet at every bar",
            "Hollow high and low ticks form a [three-against-two|rolling] pattern",
        ),
    )


def gated_buzz(take: Take) -> Scene:
    """A gated low tone: on and off in equal parts."""
    rate, pitch = take.pick(2, 3, 4, 5), take.between(110, 330)
    gate = np.clip(8 * wave(take.time * rate, [1.0]) + 0.5, 0, 1)
    return take.scene(
        tone(take, pitch, "sawtooth") * gate,
        ("a buzzing tone switching on and off", "an evenly interrupted buzz"),
        (
            f"A buzzing tone switches on and off {number(rate)} times a second",
            "A chopped-up synthetic buzz at an even pace",
            "A low electronic buzz is [interrupted|cut] at regular moments",
            "Even pulses of a buzzing tone with gaps of the same length",
            f"A stuttering electronic buzz, {number(rate)} pulses per second",
        ),
    )
