"""Noises that fill a clip: coloured hiss, wind, surf, static, thunder, steam."""

from collections.abc import Mapping

import numpy as np

from captionstew.corpora.sampler.signals import (
    Gain,
    band,
    curve,
    decay,
    noise,
    place,
    silence,
    soft,
    tilt,
    wander,
)
from captionstew.corpora.sampler.take import Scene, Take
from captionstew.corpora.sampler.words import number, times

_COLOURS: Mapping[str, tuple[Gain | None, str, str]] = {
    "white": (None, "an untuned radio", "bright"),
    "pink": (tilt(1), "a distant waterfall", "even"),
    "brown": (tilt(2), "a far-off rumbling furnace", "deep"),
}


def coloured(take: Take) -> Scene:
    """White, pink or brown noise at one loudness."""
    return steady_noise(take, take.pick(*_COLOURS))


def brown(take: Take) -> Scene:
    """Brown noise at one loudness."""
    return steady_noise(take, "brown")


def steady_noise(take: Take, colour: str) -> Scene:
    """Noise of a named colour at one loudness."""
    gain, like, shade = _COLOURS[colour]
    return take.scene(
        soft(take, noise(take, gain), 0.1, 0.1),
        (f"steady {colour} noise", f"{shade} {colour} noise"),
        (
            f"Steady {colour} noise at [one|a constant] loudness",
            f"{colour} noise, like {like}, [without any change|from start to end]",
            f"A continuous {shade} noise [and nothing else|without any event]",
            f"Nothing but {colour} noise, as from a noise generator",
            f"A constant {shade} rushing sound like {like}",
        ),
    )


def wind(take: Take) -> Scene:
    """Band noise that swells and wanes and shifts its colour in gusts."""
    dark, bright = noise(take, band(120, 400, 3)), noise(take, band(350, 1200, 3))
    gust = wander(take, 0.08, 1.0, 0.9)
    return take.scene(
        soft(take, dark * gust + 0.7 * bright * gust**2, 0.3, 0.3),
        ("wind-like gusts", "wind-like noise that swells and sinks"),
        (
            "Wind-like noise blows in gusts",
            "Gusts of wind-like noise [rise and die down|swell and sink] irregularly",
            "A [howling|blustery] wind-like sound that never stays at one loudness",
            "Noise like strong wind [around a house|over open land], stronger and weaker in turn",
            "Airy noise swells and fades like [gusty|changing] wind",
        ),
    )


def surf(take: Take) -> Scene:
    """Noise that swells and falls an exact number of times."""
    count = take.count(2, 5, 2.2)
    swell = (0.5 - 0.5 * np.cos(2 * np.pi * count * take.time / take.seconds)) ** 1.5
    gain = (0.04 + swell).astype(np.float32)
    sound = (noise(take, tilt(1.4)) + 0.8 * noise(take, band(1500, 6000)) * gain) * gain
    return take.scene(
        soft(take, sound, 0.1, 0.1),
        (f"{number(count)} surf-like swells of noise", "noise rolling in like surf"),
        (
            f"Surf-like noise swells and falls {times(count)}",
            f"{number(count)} waves of noise roll in [and out|one after the other] like surf",
            f"Noise rises and sinks slowly, {times(count)}, like waves on a beach",
            "Slow wave-like swells of hissing noise, as if at the sea",
            f"A soft roar comes and goes like surf, {times(count)} in all",
        ),
    )


def static_bursts(take: Take) -> Scene:
    """A counted number of static bursts."""
    count = take.count(2, 6, 0.9)
    canvas, stretch = silence(take), take.lasting(0.4)
    for index in range(count):
        burst = soft(stretch, noise(stretch, band(600, 5000)), 0.005, 0.01)
        place(take, canvas, burst, 0.2 + index * (take.seconds - 0.4) / count, 0.25)
    return take.scene(
        canvas,
        (f"{number(count)} bursts of static", "bursts of radio-like static"),
        (
            f"{number(count)} bursts of static, like a walkie-talkie",
            f"Radio-like static [breaks in|is heard] {times(count)}, with pauses between",
            f"{number(count)} equally long bursts of hissing noise [with gaps between them|one by one]",
            f"A harsh hiss switches on and off {times(count)}",
            f"Static crackles on, then off, {times(count)} in a row",
        ),
    )


def thunder(take: Take) -> Scene:
    """A crack and a long rolling low rumble that dies away."""
    roll = noise(take, tilt(2.2, 25)) * decay(take, take.seconds / 5) * wander(take, 0.3, 1.0, 3)
    stretch = take.lasting(0.25)
    place(take, roll, noise(stretch, tilt(1)) * decay(stretch, 0.05), 0.05, 1.2)
    return take.scene(
        soft(take, roll, 0.02, 0.3),
        ("a thunder-like rumble", "a crack and a long low rumble"),
        (
            "A thunder-like crack, then a low rumble that rolls away",
            "A sudden crash is followed by deep rumbling that [dies down|fades]",
            "Low rumbling like thunder, loud at first and [softer and softer|then fading]",
            "A [sharp|short] burst, then a deep rolling noise like a thunderstorm far away",
            "A deep rumble starts with a crack and slowly fades into quiet",
        ),
    )


def steam(take: Take) -> Scene:
    """A bright hiss that begins suddenly and ebbs away."""
    gain = np.minimum(1.0, np.exp2(-(take.time - take.seconds * 0.3) / (take.seconds * 0.12)))
    sound = noise(take, band(3000, 11000, 4)) * gain.astype(np.float32)
    return take.scene(
        soft(take, sound, 0.02, 0.2),
        ("a steam-like hiss that ebbs away", "a bright hiss dying down"),
        (
            "A steam-like hiss [starts|sets in] at once and then dies down",
            "Bright hissing like escaping air gets weaker until it [is gone|can hardly be heard]",
            "A [sharp|strong] hiss, as from a valve, ebbs away",
            "Air-like hissing loses pressure and [fades|slowly stops]",
            "A loud high hiss turns into a quiet one, like steam let off",
        ),
    )


def whoosh(take: Take) -> Scene:
    """Noise whose colour moves from dark to bright or back."""
    rising = take.pick(True, False)
    mix = curve(take, 0, 1) if rising else curve(take, 1, 0)
    layers = [noise(take, band(centre * 0.7, centre * 1.4, 4)) for centre in (250, 1000, 4000)]
    gains = [np.clip(1 - 2 * abs(mix - place), 0, 1).astype(np.float32) for place in (0, 0.5, 1)]
    sound = sum((layer * gain for layer, gain in zip(layers, gains, strict=True)), silence(take))
    way = "from dark to bright" if rising else "from bright to dark"
    verb = "rises" if rising else "sinks"
    return take.scene(
        soft(take, sound, 0.1, 0.1),
        (f"noise sweeping {way}", f"a long whoosh that {verb}"),
        (
            f"Noise sweeps {way} [in one long whoosh|over the whole clip]",
            f"A filtered hiss slowly {verb} {way}",
            f"A long whooshing sound {verb} [in pitch|in colour]",
            f"A [slow|long] sweep of filtered noise, {way}",
            f"Rushing air-like noise changes {way} [without a break|little by little]",
        ),
    )


def fading_noise(take: Take) -> Scene:
    """Noise that grows from nearly nothing, or fades to it."""
    growing = take.pick(True, False)
    decibels = curve(take, -40, 0) if growing else curve(take, 0, -40)
    sound = noise(take, tilt(1)) * (10 ** (decibels / 20)).astype(np.float32)
    change = "grows louder" if growing else "fades away"
    return take.scene(
        soft(take, sound),
        (f"noise that slowly {change}", f"a rushing sound that {change}"),
        (
            f"A rushing noise {change} [little by little|steadily]",
            f"Pink noise slowly {change}",
            f"A noise {'starts very soft and ends loud' if growing else 'starts loud and ends very soft'}",
            f"Waterfall-like noise {'comes closer' if growing else 'moves away'}, with nothing else to hear",
            f"A [steady|smooth] roar {change} over the whole clip",
        ),
    )
