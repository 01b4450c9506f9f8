"""Which clips there are: ids, splits, lengths and containers of the good ones, per corpus."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from captionstew.corpora.sampler.scenes import SCENES, STEREO_SCENES, finished, overlay, sequence
from captionstew.corpora.sampler.take import Samples, SceneMaker, take

AUDIOCAPS, CLOTHO, WAVCAPS = "sampler-audiocaps", "sampler-clotho", "sampler-wavcaps"

_AUDIOCAPS_SECONDS = (10.0, 10.0, 6.0, 10.0, 4.0, 10.0, 7.0, 10.0, 5.0, 8.0)
_CLOTHO_SECONDS = (8.0, 8.5, 8.0, 9.0, 8.0, 14.0, 8.0, 9.5)  # the real ones last 15 to 30 s
_WAVCAPS_SECONDS = (5.0, 10.0, 14.0, 7.5, 20.0, 3.0, 12.0, 9.0, 16.0, 6.0, 11.0)
# Most files are mono here and some have half the rate, to stay small; sounds that move are always stereo.
_AUDIOCAPS_FORMS = ((44100, 1), (22050, 1), (44100, 2), (22050, 1), (44100, 1), (22050, 1), (22050, 1))
# 32 kHz FLAC as published; a few others so that every decoder runs, and 16 kHz FLAC to pass through.
_WAVCAPS_ODD = {
    7: (".ogg", 32000), 18: (".mp3", 32000), 29: (".opus", 48000), 40: (".ogg", 44100), 51: (".mp3", 44100),
    62: (".opus", 16000), 3: (".flac", 16000), 14: (".flac", 16000), 25: (".flac", 16000),
    36: (".flac", 16000), 47: (".flac", 16000), 58: (".flac", 16000),
}  # fmt: skip
# Clips that were made again, and how often, because a fingerprint took the first for another clip.
_RETAKES: Mapping[str, int] = {
    "stew-000505": 1, "stew-000527": 2, "stew-000539": 1, "stew-000566": 1, "Overlay 11": 1,
    "Sequence, take 27": 1, "\u00c9tude - Sequence (24)": 2, "\u00c9tude - Sequence (35)": 1,
}  # fmt: skip
_FILE_NAMES = ("{} {}", "{}, take {}", "{} [{}]", "{} no.{}", "\u00c9tude - {} ({})", "{}_{}")


@dataclass(frozen=True)
class Recording:
    """How a sound is made; the same recording may be stored under several ids."""

    key: str  # seeds the random numbers
    maker: SceneMaker
    seconds: float
    sample_rate: int
    channels: int = 1

    def make(self) -> tuple[Samples, tuple[str, ...]]:
        """Its samples and its captions, at least five."""
        draw = take(self.key, self.sample_rate, self.seconds, self.channels)
        scene = self.maker(draw)
        return finished(draw, scene.sound), scene.captions


@dataclass(frozen=True)
class Clip:
    """One row of a corpus and the file that belongs to it."""

    corpus: str
    name: str  # the id without what the corpus puts around it
    split: str
    recording: Recording
    suffix: str = ".wav"
    start: int = 0  # seconds into the imagined source
    skip: int = 0  # captions passed over, so that copies are worded differently
    flaw: str = ""  # what is wrong with it on purpose, see `flaws`


def identifier(number: int) -> str:
    """Eleven characters as of a video id, now and then with a beginning that readers trip over."""
    first = {3: "Y", 11: "-", 17: "_"}.get(number % 40, "s")
    return f"{first}tew-{number:06d}"


def _key(name: str) -> str:
    return f"{name} {_RETAKES[name]}" if name in _RETAKES else name


@cache
def audiocaps() -> tuple[Clip, ...]:
    """A hundred clips of up to 10 s: 80 train, 10 val, 10 test."""
    return tuple(_audiocaps())


def _audiocaps() -> Iterator[Clip]:
    for number in range(100):
        split = {4: "val", 9: "test"}.get(number % 10, "train")
        rate, channels = _AUDIOCAPS_FORMS[number % 7]
        maker = SCENES[number % len(SCENES)]
        if number % 16 == 8:
            maker, rate, channels = STEREO_SCENES[number // 16 % 2], 44100, 2
        name, seconds = identifier(number), _AUDIOCAPS_SECONDS[(number + number // 10) % 10]
        recording = Recording(_key(name), maker, seconds, rate, channels)
        yield Clip(AUDIOCAPS, name, split, recording, start=30 * (number % 7))


@cache
def clotho() -> tuple[Clip, ...]:
    """Sixty clips of 8 to 14 s, two in three of them with two things to hear: 40 development, 10 and 10."""
    return tuple(_clotho())


def _clotho() -> Iterator[Clip]:
    for number in range(60):
        split = {4: "validation", 5: "evaluation"}.get(number % 6, "development")
        turn = number + number // 6  # so that each split has some of everything
        maker = (overlay, sequence, SCENES[(5 * number) % len(SCENES)])[turn % 3]
        title = maker.__name__.replace("_", " ").capitalize()
        name = _FILE_NAMES[turn % 6].format(
            title, number
        )  # blanks, commas, brackets, accents as contributors use
        recording = Recording(_key(name), maker, _CLOTHO_SECONDS[number % 8], 44100)
        yield Clip(CLOTHO, name, split, recording)


@cache
def wavcaps() -> tuple[Clip, ...]:
    """Eighty clips of 3 to 20 s, all of them for training."""
    return tuple(_wavcaps())


def _wavcaps() -> Iterator[Clip]:
    for number in range(80):
        suffix, rate = _WAVCAPS_ODD.get(number, (".flac", 32000))
        name = identifier(500 + number)
        maker = (*SCENES[30:], *SCENES[:30], overlay, sequence)[number % (len(SCENES) + 2)]
        recording = Recording(_key(name), maker, _WAVCAPS_SECONDS[number % 11], rate)
        yield Clip(WAVCAPS, name, "train", recording, suffix)
