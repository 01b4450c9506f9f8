"""A tiny build, and the captions release of it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from captionstew.attach.release import CaptionsRelease, open_release
from captionstew.corpora.readers.folder import own
from captionstew.pipeline.build import Build
from captionstew.pipeline.request import Request
from captionstew.recipe import recipe

NUM_CLIPS = 5


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory, melody: Callable[..., Any]) -> Path:
    """WAV files with two captions each."""
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(NUM_CLIPS):
        samples = np.round(melody(number, seconds=2.0) * 32767).astype(np.int16)
        soundfile.write(folder / f"{number}.wav", samples, 16_000)
        (folder / f"{number}.txt").write_text(f"Second to none {number}\nA tune {number}\n")
    return folder


@pytest.fixture(scope="session")
def built(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of them; not to be changed."""
    out = tmp_path_factory.mktemp("built")
    facts, places = own(sounds)
    Build(Request(recipe("folder"), out, (facts,), {"folder": tuple(places)}, cluster="none")).run()
    return out


@pytest.fixture(scope="session")
def published(
    built: Path, captions_of: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The captions release of the build; not to be changed."""
    return captions_of(built, tmp_path_factory.mktemp("published"))


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy of the release that a test may change."""
    return Path(shutil.copytree(published, tmp_path / "release"))


@pytest.fixture
def release(folder: Path) -> CaptionsRelease:
    """It, opened."""
    return open_release(str(folder))
