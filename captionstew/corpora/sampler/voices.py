"""Voice-like sounds: vowels made from pulses and formants, never real speech."""

import numpy as np

from captionstew.corpora.sampler.signals import (
    Gain,
    band,
    curve,
    cycles,
    hertz,
    noise,
    place,
    silence,
    soft,
    wave,
)
from captionstew.corpora.sampler.take import Curve, Samples, Scene, Take
from captionstew.corpora.sampler.words import note, number

# Formant frequencies in hertz of five vowels of an adult voice (after Peterson and Barney 1952, rounded).
_VOWELS = {
    "a": (730, 1090, 2440), "e": (530, 1840, 2480), "i": (270, 2290, 3010), "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}  # fmt: skip
_WIDTHS = (80.0, 110.0, 160.0)
_LOW, _HIGH = (85.0, 115.0), (190.0, 250.0)


def formants(vowel: str, size: float = 1.0) -> Gain:
    """The resonances of a vocal tract; a `size` below 1 is a larger one."""
    peaks = [(centre * size, width) for centre, width in zip(_VOWELS[vowel], _WIDTHS, strict=True)]

    def gain(frequency: Curve) -> Curve:
        total = np.zeros_like(frequency)
        for order, (centre, width) in enumerate(peaks):
            total += 0.6**order / (1 + ((frequency - centre) / width) ** 2)
        return np.sqrt(total) * 0.5 + total

    return gain


def shaped(sound: Samples, gain: Gain, sample_rate: int) -> Samples:
    """The sound through a filter without delay, padded so that nothing wraps around."""
    size = 1 << (len(sound) + 2048).bit_length()
    spectrum = np.fft.rfft(sound, size)
    frequency = np.arange(size // 2 + 1, dtype=np.float64) * (sample_rate / size)
    spectrum *= gain(frequency).astype(np.float32)
    return np.fft.irfft(spectrum, size)[: len(sound)].astype(np.float32)


def voiced(take: Take, pitch: float | Curve, vowel: str, size: float = 1.0) -> Samples:
    """One vowel on that pitch, of unit power: pulses of a throat through the resonances of a mouth."""
    pulses = np.exp(60 * (wave(cycles(take, pitch), [1.0]) - 1))  # smooth pulses carry no aliases
    sound = shaped(pulses - pulses.mean(), formants(vowel, size), take.sample_rate)
    return sound / np.float32(np.sqrt(np.mean(sound**2)) + 1e-9)


def syllable(take: Take, pitch: float, size: float) -> Samples:
    """A vowel with a bent pitch; one in two begins with a consonant-like hiss or tap."""
    bend = curve(take, 1, take.between(0.94, 1.1), take.between(0.88, 1.0))
    first, second = take.pick(*_VOWELS), take.pick(*_VOWELS)
    tone = voiced(take, pitch * bend, first, size)
    if take.pick(True, False):
        mix = curve(take, 0, 1).astype(np.float32)
        tone = tone * (1 - mix) + voiced(take, pitch * bend, second, size) * mix
    tone = soft(take, tone, 0.03, 0.05)
    if take.pick(True, False):
        start = take.lasting(0.06)
        place(take, tone, soft(start, 0.5 * noise(start, band(2500, 7000, 4)), 0.01, 0.03), 0)
    return tone


def babble(take: Take, pitch: float, size: float, start: float, end: float) -> Samples:
    """Phrases of three to seven syllables that sink in pitch, with breaths between, from `start` to `end`."""
    canvas, clock = silence(take), start
    while clock < end - 0.3:
        length = take.integer(3, 7)
        for index in range(length):
            stretch = take.lasting(min(take.between(0.12, 0.26), end - clock))
            if stretch.seconds < 0.08:
                break
            level = pitch * (1.12 - 0.24 * index / length) * take.between(0.96, 1.04)
            place(take, canvas, syllable(stretch, level, size), clock, take.between(0.6, 1))
            clock += stretch.seconds * 0.92
        clock += take.between(0.2, 0.45)
    return canvas


def speaker(take: Take) -> tuple[str, float, float]:
    """A low or a high voice: its name, pitch and formant scale."""
    name, pitches, size = take.pick(("low", _LOW, 1.0), ("high", _HIGH, 1.17))
    return name, take.between(*pitches), size


def one_voice(take: Take) -> Scene:
    """Speech-like babble of one voice."""
    name, pitch, size = speaker(take)
    return take.scene(
        babble(take, pitch, size, 0.2, take.seconds - 0.1),
        (f"speech-like babble with a {name} voice", f"a {name} babbling voice"),
        (
            f"Speech-like babble with a {name} voice, no words to be made out",
            f"A {name} synthetic voice babbles [meaningless syllables|in vowels]",
            f"Something like a {name} voice talks in nonsense syllables",
            f"A {name} robotic voice-like sound with the rhythm of speech",
            f"Syllables without meaning in a {name} synthetic voice",
        ),
    )


def two_voices(take: Take) -> Scene:
    """A low and a high voice taking turns."""
    turns = [("low", 0.98 * _LOW[1], 1.0), ("high", _HIGH[0] * 1.1, 1.17)]
    if take.pick(True, False):
        turns.reverse()
    num_turns = max(2, min(6, int(take.seconds / 2)))
    length, canvas = (take.seconds - 0.2) / num_turns, silence(take)
    for index in range(num_turns):
        _, pitch, size = turns[index % 2]
        canvas += babble(take, pitch, size, 0.1 + index * length, 0.1 + (index + 1) * length - 0.15)
    first, then = turns[0][0], turns[1][0]
    return take.scene(
        canvas,
        ("two speech-like voices taking turns", f"a {first} and a {then} babbling voice in turn"),
        (
            f"Two speech-like voices take turns, a {first} one and a {then} one",
            f"A {first} synthetic voice babbles and a {then} one answers",
            f"Something like a dialogue of a {first} and a {then} voice, without words",
            f"Nonsense syllables in a {first} voice, then in a {then} one, [by turns|and so on]",
            f"Two robotic voice-like sounds alternate, the {first} one first",
        ),
    )


def sung_vowel(take: Take) -> Scene:
    """One vowel held on one note."""
    vowel, spoken = take.pick(("a", "ah"), ("o", "oh"), ("u", "oo"), ("i", "ee"))
    midi = take.integer(45, 62)
    vibrato = 1 + 0.012 * wave(take.time * take.between(4.8, 5.8), [1.0]).astype("float64")
    return take.scene(
        soft(take, voiced(take, hertz(midi) * vibrato, vowel, take.between(1.0, 1.12)), 0.3, 0.5),
        (f"a voice-like tone on '{spoken}'", f"a held '{spoken}' like a singing voice"),
        (
            f"A voice-like tone holds the vowel '{spoken}'",
            f"Something like a singing voice sustains '{spoken}' on {note(midi)}",
            f"A synthetic singer-like '{spoken}' on one note with a light vibrato",
            f"One long sung-sounding '{spoken}', artificial in tone",
            f"A robotic voice-like note on the vowel '{spoken}'",
        ),
    )


def choir(take: Take) -> Scene:
    """A triad of voice-like tones on one vowel."""
    vowel, spoken = take.pick(("a", "ah"), ("o", "oh"), ("u", "oo"))
    root, (quality, intervals) = take.integer(45, 55), take.pick(("major", (0, 4, 7)), ("minor", (0, 3, 7)))
    canvas = silence(take)
    for interval in intervals:
        vibrato = 1 + 0.008 * wave(take.time * take.between(4.5, 5.8), [1.0]).astype("float64")
        canvas += voiced(take, hertz(root + interval) * vibrato, vowel, take.between(1.0, 1.1))
    return take.scene(
        soft(take, canvas, 0.4, 0.6),
        (f"a choir-like {quality} chord on '{spoken}'", "choir-like voices holding a chord"),
        (
            f"A choir-like {quality} chord on the vowel '{spoken}'",
            f"Three voice-like tones hold a {quality} chord on '{spoken}'",
            f"Synthetic singers seem to hold '{spoken}' in a {quality} chord",
            f"A sustained choir-like sound, {quality} in harmony and without words",
            "Artificial voices sing one long vowel together in harmony",
        ),
    )


def crowd(take: Take) -> Scene:
    """Many babbling voices at once."""
    total, canvas = take.integer(7, 9), silence(take)
    for index in range(total):
        pitch = take.between(*_LOW) if index % 2 else take.between(*_HIGH)
        size = 1.0 if index % 2 else 1.17
        voice = babble(take, pitch, size, take.between(0, 0.6), take.seconds)
        canvas += voice * np.float32(take.between(0.5, 1))
    return take.scene(
        canvas,
        ("a crowd-like murmur", "many babbling voices at once"),
        (
            "A crowd-like murmur of many voices at once",
            "Many synthetic voices babble over each other [without intelligible words|all at once]",
            "A confusion of speech-like voices, high and low, [as in|like] a full room",
            "Crowd-like chatter in which no word can be understood",
            "Overlapping voice-like babble as at a party",
        ),
    )


def laughter(take: Take) -> Scene:
    """Bursts of short falling 'ha' syllables, counted by burst."""
    name, pitch, size = speaker(take)
    bursts = take.count(1, 4, 2.0)
    canvas, spacing = silence(take), (take.seconds - 0.3) / bursts
    for burst in range(bursts):
        for index in range(take.integer(4, 6)):
            stretch = take.lasting(0.15)
            breath = 0.25 * noise(stretch, band(900, 4000))
            ha = soft(stretch, voiced(stretch, pitch * 1.5 * 0.95**index, "a", size) + breath, 0.03, 0.06)
            place(take, canvas, ha, 0.2 + burst * spacing + index * 0.2, 0.9**index)
    how_many = "once" if bursts == 1 else f"in {number(bursts)} bursts"
    return take.scene(
        canvas,
        ("laughter-like syllables", f"a {name} laughter-like voice"),
        (
            f"A {name} synthetic voice goes 'ha ha ha' {how_many}",
            f"Laughter-like syllables in a {name} voice, {how_many}",
            f"Something like laughing, made of short falling vowels, {how_many}",
            f"An artificial {name} laugh-like sound is heard {how_many}",
            f"Robotic laughter-like puffs of voice, {how_many}",
        ),
    )


def whisper(take: Take) -> Scene:
    """Syllables of breath through the same resonances: no pitch."""
    canvas, clock = silence(take), 0.2
    while clock < take.seconds - 0.3:
        stretch = take.lasting(take.between(0.12, 0.28))
        breath = noise(stretch, formants(take.pick(*_VOWELS), 1.1))
        place(take, canvas, soft(stretch, breath, 0.03, 0.06), clock, take.between(0.5, 1))
        clock += stretch.seconds + (0.35 if take.integer(1, 6) == 1 else 0.02)
    return take.scene(
        canvas,
        ("whisper-like syllables", "breathy babble without pitch"),
        (
            "Whisper-like syllables without any words",
            "A breathy babble as if someone whispered nonsense",
            "Whisper-like hissing in the rhythm of speech",
            "Something like an unvoiced, whispered babble, syllable after syllable",
            "Soft airy syllables like whispering, nothing to be understood",
        ),
    )
