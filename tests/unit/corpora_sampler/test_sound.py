"""Clips are audible, unclipped, and cannot be taken for one another."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from captionstew.audio.codec import mono
from captionstew.audio.fingerprint import fingerprint
from captionstew.audio.fingerprint_index import Prints
from captionstew.audio.fingerprint_words import Words
from captionstew.audio.signal import quantise, resample
from captionstew.corpora.sampler.catalogue import Clip, audiocaps, clotho, wavcaps
from captionstew.corpora.sampler.scenes import SCENES, STEREO_SCENES, overlay, sequence
from captionstew.corpora.sampler.take import SceneMaker, take

Files = dict[tuple[str, str], Path]


def file_of(clip: Clip, files: Files) -> Path:
    """Where the clip is stored."""
    return files[clip.corpus, clip.name if clip.corpus == "sampler-clotho" else f"Y{clip.name}"]


def test_clips_are_neither_faint_nor_clipped(files: Files) -> None:
    for clip in (*audiocaps(), *clotho(), *wavcaps()):
        frames, _ = soundfile.read(file_of(clip, files), dtype="float32", always_2d=True)
        peak, power = np.abs(frames).max(), np.sqrt(np.square(frames).mean())
        assert -15.5 < 20 * np.log10(peak) < -2.5, clip.name  # panning costs up to 3 dB, MP3 rings a little
        assert 20 * np.log10(power) > -50, clip.name
        assert np.abs(frames.mean()) < 0.01, clip.name


def test_no_good_clip_is_taken_for_another(files: Files) -> None:
    prints: dict[str, Words] = {}
    for clip in (*audiocaps(), *clotho(), *wavcaps()):
        frames, rate = soundfile.read(file_of(clip, files), dtype="float32")
        pcm = quantise(resample(mono(frames).copy(), rate, 16_000))
        prints[clip.name] = fingerprint(pcm, 16_000)
    names = list(prints)
    found = Prints.of(prints.values()).pairs_within()
    assert [(names[a], names[b]) for a, b in zip(found.first, found.second, strict=True)] == []


@pytest.mark.parametrize(
    "maker", [*SCENES, *STEREO_SCENES, overlay, sequence], ids=lambda maker: str(maker.__name__)
)
def test_scenes_have_five_sentences_and_no_clicks_at_any_length(maker: SceneMaker) -> None:
    for seconds in (8.0, 12.0) if maker in (overlay, sequence) else (3.0, 7.5):
        scene = maker(take(f"{maker.__name__} {seconds}", 22050, seconds, 2))
        assert len(scene.sound) == round(seconds * 22050)
        assert len(set(scene.captions)) >= 5
        assert all(5 <= len(text.split()) <= 20 for text in scene.captions), scene.captions
        assert all(2 <= len(text.split()) <= 12 for text in scene.phrases), scene.phrases
        assert scene.sound.dtype == np.float32
        loudest = np.abs(scene.sound).max()
        assert np.abs(scene.sound[[0, -1]]).max() <= 0.1 * loudest, "soft ends"


def test_wording_does_not_change_the_sound() -> None:
    first, second = take("same", 22050, 4.0), take("same", 22050, 4.0)
    second.wording.integers(10, size=100)
    assert np.array_equal(sequence(first).sound, sequence(second).sound)
