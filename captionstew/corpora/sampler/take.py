"""A clip in the making: its random numbers, rate and length, and what comes out of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from captionstew.corpora.sampler.words import expand

Samples = NDArray[np.float32]  # one channel, or two in rows of (left, right); full scale is 1
Curve = NDArray[np.float64]  # a quantity over time: hertz, cycles, gain

T = TypeVar("T")

SEED = 10  # another seed is another sampler: raise VERSION too


@dataclass(frozen=True)
class Scene:
    """What is heard, noun phrases for it, and whole sentences: at least five that are all true."""

    sound: Samples
    phrases: tuple[str, ...]
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Take:
    """Everything that a sound may depend on; the same name always draws the same numbers."""

    random: np.random.Generator  # for the sound
    wording: np.random.Generator  # for the captions, so that editing them changes no sound
    sample_rate: int
    seconds: float
    channels: int = 1

    @property
    def num_samples(self) -> int:
        return round(self.seconds * self.sample_rate)

    @property
    def time(self) -> Curve:
        """Seconds since the beginning, one value per sample."""
        return np.arange(self.num_samples) / self.sample_rate

    def lasting(self, seconds: float) -> "Take":
        """The same clip seen as a shorter stretch: for one event of many."""
        return replace(self, seconds=seconds)

    def pick(self, *choices: T) -> T:
        """One of the choices, each as likely as the next."""
        return choices[int(self.random.integers(len(choices)))]

    def between(self, low: float, high: float) -> float:
        """A number inside [`low`, `high`)."""
        return float(self.random.uniform(low, high))

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both possible."""
        return int(self.random.integers(low, high + 1))

    def count(self, low: int, high: int, spacing: float) -> int:
        """How many events there are: as `integer`, but no more than fit at `spacing` seconds."""
        return self.integer(low, max(low, min(high, int((self.seconds - 0.4) / spacing))))

    def phrase(self, scene: Scene) -> str:
        """One of the noun phrases for a scene."""
        return scene.phrases[int(self.wording.integers(len(scene.phrases)))]

    def scene(self, sound: Samples, phrases: tuple[str, ...], captions: tuple[str, ...]) -> Scene:
        """The finished scene: alternatives in brackets drawn, sentences in random order."""
        order = self.wording.permutation(len(captions))
        sentences = tuple(expand(captions[index], self.wording) for index in order)
        return Scene(sound, tuple(expand(phrase, self.wording) for phrase in phrases), sentences)


SceneMaker = Callable[[Take], Scene]


def take(name: str, sample_rate: int, seconds: float, channels: int = 1) -> Take:
    """A take whose random numbers depend on (seed, clip name) and on nothing else."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
    sound, words = (np.random.default_rng([SEED, key, purpose]) for purpose in (0, 1))
    return Take(sound, words, sample_rate, seconds, channels)
