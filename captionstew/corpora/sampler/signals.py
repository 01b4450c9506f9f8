"""Oscillators, noises, envelopes and mixing: what every sound of the sampler is made of."""

from collections.abc import Callable, Sequence

import numpy as np

from captionstew.corpora.sampler.take import Curve, Samples, Take

_TABLE = 8192  # entries of one tabulated period; the nearest one is within -70 dB of the truth

Gain = Callable[[Curve], Curve]  # how strong a noise is at each frequency in hertz


def hertz(midi: float) -> float:
    """The pitch of a MIDI note number in equal temperament; 69 is A at 440 Hz."""
    return float(440.0 * 2.0 ** ((midi - 69) / 12))


def cycles(take: Take, pitch: float | Curve) -> Curve:
    """Periods gone by at each sample of a tone whose pitch, in hertz, stays or follows a curve."""
    if isinstance(pitch, np.ndarray):
        return np.cumsum(pitch, dtype=np.float64) / take.sample_rate
    return take.time * pitch


def strengths(waveform: str, pitch: float, sample_rate: int) -> Sequence[float]:
    """Harmonics of a named waveform, as many as stay below the Nyquist frequency at `pitch`."""
    number = np.arange(1, max(2, min(40, int(0.45 * sample_rate / pitch) + 1)))
    odd = number % 2 == 1
    series = {
        "sine": (number == 1) * 1.0,
        "square": odd / number,
        "sawtooth": 1 / number,
        "triangle": odd * np.where(number % 4 == 1, 1, -1) / number**2,
        "organ": np.isin(number, (1, 2, 3, 4, 6, 8)) / number**1.1,
        "pluck": 1 / number**1.6,
    }
    return [float(strength) for strength in series[waveform]]


def wave(phase: Curve, harmonics: Sequence[float]) -> Samples:
    """A periodic wave, peak 1, whose k-th harmonic has the k-th strength; `phase` is in cycles."""
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    spectrum[1 : len(harmonics) + 1] = -1j * np.asarray(harmonics)
    period = np.fft.irfft(spectrum)
    table: Samples = (period / np.abs(period).max()).astype(np.float32)
    entries = (phase * _TABLE).astype(np.int64) & (_TABLE - 1)
    return np.take(table, entries)


def tone(take: Take, pitch: float | Curve, waveform: str = "sine") -> Samples:
    """A tone of that waveform, as long as the take, with soft ends."""
    highest = float(np.max(pitch))
    return soft(take, wave(cycles(take, pitch), strengths(waveform, highest, take.sample_rate)))


def noise(take: Take, gain: Gain | None = None) -> Samples:
    """Gaussian noise of unit power, its spectrum shaped by `gain`; white without one."""
    size = take.num_samples
    if gain is None:
        return take.random.standard_normal(size, np.float32)
    num_bins = size // 2 + 1
    parts = take.random.standard_normal(2 * num_bins, np.float32).view(np.complex64)
    frequency = np.maximum(np.arange(num_bins), 1) * (take.sample_rate / size)
    shaped = np.fft.irfft(parts * gain(frequency).astype(np.float32), size).astype(np.float32)
    return shaped / np.float32(np.sqrt(np.mean(shaped**2)))


def band(low: float, high: float, order: int = 2) -> Gain:
    """Passes what lies between two frequencies; each edge falls by 6 dB per octave and order."""
    return lambda frequency: 1 / ((1 + (low / frequency) ** order) * (1 + (frequency / high) ** order))


def tilt(exponent: float, low: float = 30.0) -> Gain:
    """Power falls as frequency to the minus `exponent` above `low`: 1 is pink, 2 is brown."""
    return lambda frequency: np.maximum(frequency, low) ** (-exponent / 2) * (frequency > low / 2)


def soft(take: Take, sound: Samples, attack: float = 0.01, release: float = 0.02) -> Samples:
    """The sound without clicks: raised-cosine rise and fall, in seconds."""
    shaped = sound.copy()
    for part, seconds in ((shaped, attack), (shaped[::-1], release)):
        size = min(round(seconds * take.sample_rate), len(shaped) // 2)
        part[:size] *= (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, size))).astype(np.float32)
    return shaped


def decay(take: Take, half_life: float) -> Samples:
    """A gain that begins at 1 and halves every `half_life` seconds."""
    halvings: Samples = take.time.astype(np.float32) / np.float32(half_life)
    return np.exp2(-halvings)


def curve(take: Take, *points: float) -> Curve:
    """Straight lines through values spaced evenly over the take."""
    return np.interp(take.time, np.linspace(0, take.seconds, len(points)), points)


def wander(take: Take, low: float, high: float, per_second: float) -> Samples:
    """A gain that drifts between two values, `per_second` new aims a second."""
    aims = take.random.uniform(low, high, max(3, round(take.seconds * per_second) + 1))
    return curve(take, *aims).astype(np.float32)


def silence(take: Take) -> Samples:
    """Nothing, to place sounds on."""
    return np.zeros(take.num_samples, np.float32)


def place(take: Take, canvas: Samples, sound: Samples, second: float, gain: float = 1.0) -> None:
    """Adds the sound to the canvas from that second on; what reaches past the end is cut."""
    start = round(second * take.sample_rate)
    part = canvas[start : start + len(sound)]
    part += np.float32(gain) * sound[: len(part)]


def pan(sound: Samples, position: Curve) -> Samples:
    """Two channels at constant power; -1 is hard left, 1 hard right."""
    angle = (np.clip(position, -1, 1) + 1) * (np.pi / 4)
    sides = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    return sound[:, None] * sides


def peak_at(sound: Samples, decibels: float) -> Samples:
    """The sound with its highest sample at so many dB relative to full scale."""
    highest = max(float(np.abs(sound).max()), 1e-9)
    return sound * np.float32(10 ** (decibels / 20) / highest)
