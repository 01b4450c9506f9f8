"""From facts and a bad network to shards: whatever stops it must not change what it makes."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from ..unit.fetch.conftest import Site, archive_table, facts_text, file_table

REPOSITORY = Path(__file__).parents[2]
NUM_CLIPS = 12


@pytest.fixture
def site() -> Iterator[Site]:
    """A server."""
    made = Site()
    yield made
    made.close()


@pytest.fixture
def checkout(tmp_path: Path, site: Site, melody: Callable[..., Any]) -> Path:
    """A checkout that knows one corpus: annotations, a zip and a tar of its audio, behind the server."""
    folder = tmp_path / "checkout"
    (folder / "pipelines" / "corpora").mkdir(parents=True)
    for name in ("captionstew", "schemas", "training"):
        (folder / name).symlink_to(REPOSITORY / name)
    for pattern in ("*.py", "events", "prompts", "corpora/*.toml"):
        for known in (REPOSITORY / "pipelines").glob(pattern):
            (folder / known.relative_to(REPOSITORY)).symlink_to(known)
    sounds = {f"{number}.flac": _flac(melody(number, seconds=2.0)) for number in range(NUM_CLIPS)}
    rows = "".join(f"{name},Tune number {number}\n" for number, name in enumerate(sounds))
    tables = file_table("tiny.csv", site.put("/tiny.csv", f"file,caption\n{rows}".encode()))
    half = list(sounds.items())
    packed = {"/a.zip": _zip(dict(half[::2])), "/b.tar.gz": _tar(dict(half[1::2]))}
    for path, content in packed.items():
        hash = hashlib.sha256(content).hexdigest()
        tables += archive_table(site.put(path, content), sha256=hash, bytes=len(content), to="audio")
    (folder / "pipelines" / "corpora" / "tiny.toml").write_text(
        facts_text(tables, "tiny", "direct"), encoding="utf-8"
    )
    (folder / "given").mkdir()
    (folder / "given" / "tiny.csv").write_bytes(site.files["/tiny.csv"].content)
    for name, content in sounds.items():
        (folder / "given" / name).write_bytes(content)
    return folder


def _flac(samples: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 16_000, format="FLAC")
    return buffer.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _build(checkout: Path, out: str, *words: str) -> "subprocess.Popen[str]":
    line = [sys.executable, "-m", "captionstew", "build", "tiny", "--cluster", "none", "--out", out, *words]
    environment = os.environ | {"PYTHONPATH": str(checkout), "CAPTIONSTEW_HOME": str(checkout / "store"),
                                "NO_PROXY": "127.0.0.1"}  # fmt: skip
    return subprocess.Popen(line, cwd=checkout, env=environment, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)  # fmt: skip


def _shards(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((folder / "data").rglob("*.parquet"))}  # fmt: skip


def test_a_build_that_fetches_and_is_killed_gives_the_bytes_of_one_that_was_given_all(
    checkout: Path, site: Site
) -> None:
    site.files["/a.zip"].drip, site.files["/b.tar.gz"].cut = 0.004, 2
    site.files["/tiny.csv"].status = [503, 429]
    first = _build(checkout, "fetched")
    deadline = time.monotonic() + 60
    while not list((checkout / "store").glob("incoming/*/a.zip.part")):
        assert time.monotonic() < deadline, first.communicate()
        time.sleep(0.05)
    time.sleep(0.5)
    first.kill()
    first.wait()
    assert not (checkout / "fetched" / "data").exists()
    site.files["/a.zip"].drip = 0.0
    second = _build(checkout, "fetched")
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert f"received {NUM_CLIPS} = kept {NUM_CLIPS}" in out
    assert site.gets("/a.zip")[-1].startswith("bytes=")
    given = _build(checkout, "given-all", "--audio", "tiny=given", "--offline")
    out, err = given.communicate(timeout=120)
    assert given.returncode == 0, err
    assert _shards(checkout / "fetched") == _shards(checkout / "given-all") != {}
