"""What is wrong on purpose, so that a first build shows how everything is accounted for.

    flaw         clips  where                       what it is                                  drop reason
    merged           6  wavcaps                     the id of an audiocaps training clip        merged
    leak             1  wavcaps                     the id of an audiocaps test clip            contaminated
    duplicate        3  one in each corpus          the same samples under another id           duplicate
    re-encoded       3  wavcaps (MP3, Vorbis)       the same sound, encoded again               near-duplicate
    silent           2  audiocaps, wavcaps          digital silence; noise of one bit           silent
    truncated        1  wavcaps                     FLAC cut at 60 % of its bytes               truncated
    not-audio        1  audiocaps                   a web page saved as .wav                    unreadable
    missing          2  audiocaps, clotho           a row without a file                        missing
    short            1  wavcaps                     0.3 s                                       duration
    long             1  wavcaps                     75 s of brown noise                         duration
    refusal          2  wavcaps                     a language model's excuse as only caption   refusal
    residue          1  wavcaps                     words of a prompt in the only caption       residue
    empty            1  audiocaps                   an empty text as only caption               empty

The captions of merged rows are pooled with those of the clip that they join.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from captionstew.corpora.sampler import grains, melodies, movers, noises, passages, voices
from captionstew.corpora.sampler.catalogue import (
    AUDIOCAPS,
    CLOTHO,
    WAVCAPS,
    Clip,
    Recording,
    audiocaps,
    clotho,
    identifier,
    wavcaps,
)
from captionstew.corpora.sampler.take import Samples, SceneMaker, take

NUM_FLAWS: Mapping[str, int] = {
    "merged": 6, "leak": 1, "duplicate": 3, "re-encoded": 3, "silent": 2, "truncated": 1,
    "not-audio": 1, "missing": 2, "short": 1, "long": 1, "refusal": 2, "residue": 1, "empty": 1,
}  # fmt: skip

_EXCUSES: Mapping[str, str] = {
    identifier(708): "As an AI language model, I cannot listen to audio or describe this clip.",
    identifier(709): "I'm sorry, but there is no sound information given that I could turn into a caption.",
    identifier(710): "Here is a caption based on the given label: a rotor-like chopping sound",
}
_NOTHING: Mapping[str, str] = {
    AUDIOCAPS: "Complete silence from beginning to end",
    WAVCAPS: "Nothing can be heard at all",
}
_TRAINING: Mapping[str, str] = {AUDIOCAPS: "train", CLOTHO: "development", WAVCAPS: "train"}
NOT_AUDIO = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n"


@cache
def flawed() -> tuple[Clip, ...]:
    """Every clip with a flaw, in the order of the table above."""
    return (*_shared(), *_copies(), *_broken(), *_miscaptioned())


def _shared() -> tuple[Clip, ...]:
    train = [clip for clip in audiocaps() if clip.split == "train"]
    tests = [clip for clip in audiocaps() if clip.split == "test"]
    merged = [_again(clip, WAVCAPS, clip.name, "merged", ".flac") for clip in train[5:65:10]]
    return (*merged, _again(tests[3], WAVCAPS, tests[3].name, "leak", ".flac"))


def _copies() -> tuple[Clip, ...]:
    """Of sounds that change enough for a fingerprint to tell them apart."""
    mixed = clotho()[0]
    return (
        _again(_first(audiocaps(), melodies.tune), AUDIOCAPS, identifier(200), "duplicate", ".wav"),
        _again(mixed, CLOTHO, f"Copy of {mixed.name}", "duplicate", ".wav"),
        _again(_first(audiocaps(), melodies.arpeggio), WAVCAPS, identifier(700), "duplicate", ".flac"),
        _again(_first(audiocaps(), voices.one_voice), WAVCAPS, identifier(701), "re-encoded", ".mp3"),
        _again(_first(wavcaps(), passages.pass_by), WAVCAPS, identifier(702), "re-encoded", ".mp3"),
        _again(_first(wavcaps(), melodies.scale), WAVCAPS, identifier(703), "re-encoded", ".ogg"),
    )


def _broken() -> tuple[Clip, ...]:
    return (
        _alone(AUDIOCAPS, identifier(201), "silent", ".wav", grains.rain),
        _alone(WAVCAPS, identifier(704), "silent", ".flac", grains.rain),
        _alone(WAVCAPS, identifier(705), "truncated", ".flac", melodies.scale),
        _alone(AUDIOCAPS, identifier(202), "not-audio", ".wav", noises.surf),
        _alone(AUDIOCAPS, identifier(203), "missing", ".wav", movers.siren),
        _alone(CLOTHO, "Lost recording", "missing", ".wav", noises.wind),
        _alone(WAVCAPS, identifier(706), "short", ".flac", noises.coloured, (0.3, 32000)),
        _alone(WAVCAPS, identifier(707), "long", ".ogg", noises.brown, (75.0, 8000)),
    )


def _miscaptioned() -> tuple[Clip, ...]:
    return (
        _alone(WAVCAPS, identifier(708), "refusal", ".flac", noises.whoosh),
        _alone(WAVCAPS, identifier(709), "refusal", ".flac", melodies.bass_line),
        _alone(WAVCAPS, identifier(710), "residue", ".flac", movers.rotor),
        _alone(AUDIOCAPS, identifier(204), "empty", ".wav", noises.thunder),
    )


def _first(clips: tuple[Clip, ...], maker: SceneMaker) -> Clip:
    return next(clip for clip in clips if clip.split == "train" and clip.recording.maker is maker)


def _again(clip: Clip, corpus: str, name: str, flaw: str, suffix: str) -> Clip:
    """The same recording in another row, worded differently."""
    return replace(clip, corpus=corpus, name=name, flaw=flaw, suffix=suffix, split=_TRAINING[corpus], skip=1)


def _alone(
    corpus: str, name: str, flaw: str, suffix: str, maker: SceneMaker, form: tuple[float, int] = (6.0, 32000)
) -> Clip:
    """A recording that occurs nowhere else; its form is seconds and sample rate."""
    recording = Recording(f"{flaw} {name}", maker, *form)
    return Clip(corpus, name, _TRAINING[corpus], recording, suffix, flaw=flaw)


def spoiled(clip: Clip, sound: Samples) -> Samples:
    """The samples as the clip's flaw leaves them."""
    if clip.flaw == "silent":
        random = take(clip.recording.key, 1, 1.0).random
        dither = random.integers(-1, 2, len(sound)) / np.float32(32767)
        return np.zeros_like(sound) if clip.corpus == AUDIOCAPS else dither.astype(np.float32)
    if clip.flaw in {"merged", "leak"} and sound.ndim == 2:
        return np.asarray(sound.mean(axis=1), np.float32)
    return sound


def reworded(clip: Clip, captions: tuple[str, ...]) -> tuple[str, ...]:
    """The captions as the clip's flaw leaves them."""
    if clip.flaw == "silent":
        return (_NOTHING[clip.corpus],)
    if clip.name in _EXCUSES:
        return (_EXCUSES[clip.name],)
    return ("",) if clip.flaw == "empty" else captions[clip.skip :]


def damaged(clip: Clip, data: bytes) -> bytes:
    """The file as the clip's flaw leaves it."""
    if clip.flaw == "truncated":
        return data[: len(data) * 6 // 10]
    return NOT_AUDIO if clip.flaw == "not-audio" else data
