"""The command line on tiny real data: a folder of sounds with captions, and a finished build of it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from captionstew.cli.main import main

from ..fetch.conftest import Site, archive_table, file_table
from .checkouts import REPOSITORY, Checkout, table, zipped

NUM_SOUNDS = 6


@dataclass(frozen=True)
class Said:
    """What a command returned and wrote."""

    code: int
    out: str
    err: str


Cli = Callable[..., Said]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run a command in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("CAPTIONSTEW_HOME", str(tmp_path / ".store"))  # not what its user has fetched

    def run(*words: object) -> Said:
        capfd.readouterr()
        code = main([str(word) for word in words])
        return Said(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory, melody: Callable[..., Any]) -> Path:
    """WAV files with a caption each; one of them is not audio."""
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(NUM_SOUNDS):
        samples = np.round(melody(number, seconds=1.5) * 32767).astype(np.int16)
        soundfile.write(folder / f"tune {number}.wav", samples, 16_000)
        (folder / f"tune {number}.txt").write_text(f"A tune of number {number}\n", encoding="utf-8")
    (folder / "broken.wav").write_bytes(b"RIFF and nothing else")
    return folder


@pytest.fixture(scope="session")
def built(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of those sounds; not to be changed."""
    folder = tmp_path_factory.mktemp("built") / "folder"
    here = Path.cwd()
    os.chdir(folder.parent)
    try:
        assert main(["build", "folder", "--from", str(sounds), "--out", "folder", "--quiet"]) == 0
    finally:
        os.chdir(here)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """The code and its recipes, with the corpora that the test adds."""
    folder = tmp_path / "checkout"
    (folder / "pipelines" / "corpora").mkdir(parents=True)
    for name in ("captionstew", "schemas", "training"):
        (folder / name).symlink_to(REPOSITORY / name)
    for pattern in ("*.py", "events", "prompts", "corpora/*.toml"):
        for path in (REPOSITORY / "pipelines").glob(pattern):
            (folder / path.relative_to(REPOSITORY)).symlink_to(path)
    monkeypatch.setattr("captionstew.rooms.files", lambda _: folder / "captionstew")
    monkeypatch.setenv("CAPTIONSTEW_HOME", str(folder / "store"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(folder)
    return Checkout(folder, cli)


@pytest.fixture
def site() -> Iterator[Site]:
    """A server."""
    made = Site()
    yield made
    made.close()


@pytest.fixture
def tiny(checkout: Checkout, site: Site, melody: Callable[..., Any]) -> str:
    """A corpus of two sounds behind the server."""
    tables = file_table("tiny.csv", site.put("/tiny.csv", table("a.wav", "b.wav")), bytes=49)
    tables = tables.replace("bytes = 49", f"bytes = {len(table('a.wav', 'b.wav'))}")
    tables += archive_table(site.put("/tiny.zip", zipped(melody, "a.wav", "b.wav")), to="audio")
    checkout.add("tiny", tables)
    return "tiny"
