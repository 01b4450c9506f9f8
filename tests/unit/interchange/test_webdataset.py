"""What webdataset itself reads of an export, and that tars are like those of tar."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from captionstew.audio.codec import decode_pcm
from captionstew.interchange.export import export
from captionstew.interchange.names import clip_id_of
from captionstew.interchange.webdataset import WebDataset


@pytest.fixture(scope="module")
def tars(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(build, tmp_path_factory.mktemp("tars"), WebDataset(), shard_clips=25).out


def test_webdataset_reads_every_clip(tars: Path, rows: dict[str, Any]) -> None:
    webdataset = pytest.importorskip(
        "webdataset", reason="webdataset is not installed: pip install webdataset"
    )
    urls = [str(tars / name) for name in ("tones-train-{000000..000002}.tar", "beeps-val-000000.tar")]
    found = []
    for url in urls:
        for clip in webdataset.WebDataset(url, shardshuffle=False):
            clip_id = clip_id_of(clip["__key__"])
            row, facts = rows[clip_id], json.loads(clip["json"])
            pcm, _ = decode_pcm(clip["flac"], "flac")
            assert hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest() == row["audio_sha256"]
            assert facts["clip_id"] == clip_id
            texts = [caption["text"] for caption in row["captions"]]
            assert clip["txt"].decode().splitlines() == facts["text"] == texts
            assert (facts["license"], facts["events"]) == (row["license"], row["events"])
            assert set(facts) == set(row) - {"audio"} | {"text"}
            found.append(clip_id)
    assert sorted(found) == sorted(rows)


def test_the_readme_names_all_tars(tars: Path) -> None:
    page = (tars / "README.md").read_text()
    assert "`tones-train-{000000..000002}.tar`" in page
    assert "`beeps-val-000000.tar`" in page


def test_members_have_no_time_and_no_owner(tars: Path) -> None:
    with tarfile.open(tars / "tones-train-000000.tar") as tar:
        members = tar.getmembers()
    assert len(members) == 75
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o644)}


def test_tar_itself_unpacks_them(tars: Path, tmp_path: Path) -> None:
    data = (tars / "tones-train-000002.tar").read_bytes()
    assert len(data) % tarfile.RECORDSIZE == 0
    listed = subprocess.run(["tar", "-tf", "-"], input=data, capture_output=True, check=True)
    assert listed.stderr == b""
    assert len(listed.stdout.splitlines()) == 30
