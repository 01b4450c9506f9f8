"""The sampler, made once, and what can be read and heard in it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from captionstew.corpora.sampler import make
from captionstew.corpora.sampler.layout import clips
from captionstew.corpora.sampler.scenes import SCENES, STEREO_SCENES, finished
from captionstew.corpora.sampler.take import Samples, take

Sound = tuple[tuple[str, ...], Samples, int]  # captions, frames, rate


@pytest.fixture(scope="session")
def sampler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampler")
    make(folder)
    return folder


@pytest.fixture(scope="session")
def captions(sampler: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """All captions of a clip by corpus and file stem, from the annotation files alone."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for path in sorted((sampler / "sampler-audiocaps" / "dataset").glob("*.csv")):
        for row in csv.DictReader(path.open(encoding="utf-8")):
            key = ("sampler-audiocaps", f"Y{row['youtube_id']}")
            found[key] = (*found.get(key, ()), row["caption"])
    for path in sorted((sampler / "sampler-clotho").glob("clotho_captions_*.csv")):
        for row in csv.DictReader(path.open(encoding="utf-8")):
            texts = tuple(row[f"caption_{number}"] for number in range(1, 6))
            found["sampler-clotho", row["file_name"].removesuffix(".wav")] = texts
    path = sampler / "sampler-wavcaps" / "json_files" / "AudioSet_SL" / "as_final.json"
    for row in json.loads(path.read_text(encoding="utf-8"))["data"]:
        found["sampler-wavcaps", row["id"].removesuffix(".wav")] = (row["caption"],)
    return found


@pytest.fixture(scope="session")
def files(sampler: Path) -> dict[tuple[str, str], Path]:
    """The audio files by corpus and stem."""
    paths = [path for path in sampler.rglob("*") if path.suffix in {".wav", ".flac", ".ogg", ".opus", ".mp3"}]
    return {(path.relative_to(sampler).parts[0], path.stem): path for path in paths}


@pytest.fixture(scope="session")
def heard(
    captions: dict[tuple[str, str], tuple[str, ...]], files: dict[tuple[str, str], Path]
) -> Callable[[str], list[Sound]]:
    """The good clips that one scene made, captions, stored frames and rate, and some more takes of it."""

    def of(scene: str) -> list[Sound]:
        sounds: list[Sound] = []
        for corpus in ("sampler-audiocaps", "sampler-clotho", "sampler-wavcaps"):
            for clip in clips(corpus):
                if clip.recording.maker.__name__ == scene and not clip.flaw:
                    key = (corpus, clip.name if corpus == "sampler-clotho" else f"Y{clip.name}")
                    frames, rate = soundfile.read(files[key], dtype="float32")
                    sounds.append((captions[key], np.asarray(frames, np.float32), rate))
        assert sounds, f"no clip was made by {scene}"
        (maker,) = (maker for maker in (*SCENES, *STEREO_SCENES) if maker.__name__ == scene)
        for number in range(5):
            draw = take(f"{scene} {number}", 22050, (3.5, 5.0, 9.0)[number % 3], 1 + (maker in STEREO_SCENES))
            made = maker(draw)
            sounds.append((made.captions, finished(draw, made.sound), 22050))
        return sounds

    return of
