"""Fingerprints of real sounds, speech and music: copies are recognised, other recordings are not."""

import io
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

from captionstew.audio.codec import decode_mono, probe
from captionstew.audio.fingerprint import fingerprint, same_sound
from captionstew.audio.fingerprint_words import Words
from captionstew.audio.signal import quantise, resample

Samples = npt.NDArray[np.float32]
RATE = 16_000


def words(samples: Samples) -> Words:
    """The fingerprint that a build makes of samples at 16 kHz."""
    return fingerprint(quantise(samples.copy()), RATE)


def again(samples: Samples, rate: int, container: str, subtype: str, **options: float | str) -> Samples:
    """These samples after a detour through a lossy file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1, 1), rate, format=container, subtype=subtype, **options)
    return decode_mono(buffer.getvalue(), probe(buffer.getvalue()))


def mp3_at_64_kbit(samples: Samples) -> Samples:
    """MP3 at 44.1 kHz and 64 kbit/s."""
    wide = soxr.resample(samples, RATE, 44_100)
    small = again(wide, 44_100, "MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=0.88)
    return resample(small, 44_100, RATE)


WAYS: dict[str, tuple[Callable[[Samples], Samples], float]] = {
    "mp3": (mp3_at_64_kbit, 0.96),
    "opus": (lambda samples: again(samples, RATE, "OGG", "OPUS"), 0.96),
    "resampled": (lambda samples: soxr.resample(soxr.resample(samples, RATE, 11_025), 11_025, RATE), 0.96),
    "quieter": (lambda samples: samples * np.float32(0.5), 0.96),
    "half a second less": (lambda samples: samples[RATE // 2 :], 0.9),  # single sneezes are over by then
}


@pytest.fixture(scope="module")
def sounds(real: Path) -> dict[str, list[Samples]]:
    """A sample of each kind at 16 kHz, 8 s at most."""
    files = {
        "sound": sorted((real / "esc10").glob("*/*.ogg"))[::16],
        "speech": sorted((real / "paraspeechcaps").glob("*.wav"))[::4],
        "music": sorted((real / "music").glob("*.mp3"))[:2],
    }
    return {kind: list(decoded(paths)) for kind, paths in files.items()}


def decoded(paths: list[Path]) -> Iterator[Samples]:
    """The samples of these files."""
    for path in paths:
        form = probe(str(path))
        samples = decode_mono(str(path), form, 0, 8 * form.sample_rate)
        yield resample(samples, form.sample_rate, RATE)


@pytest.mark.parametrize("way", WAYS)
def test_copies_of_real_recordings_are_recognised(sounds: dict[str, list[Samples]], way: str) -> None:
    change, least = WAYS[way]
    for kind, several in sounds.items():
        hits = [same_sound(words(one), words(change(one))) for one in several]
        assert np.mean(hits) >= least, f"{kind}: {sum(hits)} of {len(hits)}"


def test_no_two_real_recordings_are_taken_for_one(sounds: dict[str, list[Samples]]) -> None:
    prints = [words(one) for several in sounds.values() for one in several]
    pairs = list(combinations(range(len(prints)), 2))
    assert len(pairs) > 400
    assert [(a, b) for a, b in pairs if same_sound(prints[a], prints[b])] == []
