"""Folders that are the same each time, whole or absent."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from captionstew.corpora.sampler import CORPORA, MARKER, make
from captionstew.errors import BuildError, CorpusError


def contents(folder: Path) -> dict[str, str]:
    """A hash of every file below the folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_same_bytes_come_out_each_time(sampler: Path, tmp_path: Path) -> None:
    make(tmp_path, "sampler-wavcaps")  # the one with every container
    again = contents(tmp_path / "sampler-wavcaps")
    assert {Path(name).suffix for name in again} == {".json", ".txt", ".flac", ".ogg", ".opus", ".mp3"}
    assert again == contents(sampler / "sampler-wavcaps")


def test_a_second_call_touches_nothing(sampler: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sampler.rglob("*")}
    make(sampler)
    assert {path: path.stat().st_mtime_ns for path in sampler.rglob("*")} == before


def test_a_killed_call_changes_nothing_and_the_next_one_starts_over(sampler: Path, tmp_path: Path) -> None:
    outdated = tmp_path / "sampler-clotho"
    outdated.mkdir()
    (outdated / MARKER).write_text("Made by captionstew.corpora.sampler, version 0.\n")
    (outdated / "stale.wav").touch()
    before = contents(outdated)
    code = "import sys, pathlib as p, captionstew.corpora.sampler as s; s.make(p.Path(sys.argv[1]), s.CORPORA[1])"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    while process.poll() is None and len(list(tmp_path.rglob("*.wav"))) < 5:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was not stopped part-way"
    assert contents(outdated) == before
    (partial,) = (path for path in tmp_path.iterdir() if path != outdated)
    (partial / "left over.wav").touch()
    make(tmp_path, "sampler-clotho")
    assert [path.name for path in tmp_path.iterdir()] == ["sampler-clotho"]
    assert contents(outdated) == contents(sampler / "sampler-clotho")


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "sampler-clotho" / "thesis.txt"
    theirs.parent.mkdir()
    theirs.write_text("years of work")
    with pytest.raises(CorpusError, match="was not made by the sampler"):
        make(tmp_path, "sampler-clotho")
    assert theirs.read_text() == "years of work"


def test_what_stands_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BuildError, match="sampler-clotho"):
        make(tmp_path / "file", "sampler-clotho")
    with pytest.raises(CorpusError, match="one of: sampler-audiocaps"):
        make(tmp_path, "audiocaps")


def test_every_corpus_is_in_a_folder_of_its_name(sampler: Path) -> None:
    assert sorted(path.name for path in sampler.iterdir()) == list(CORPORA)
