"""What was published is read by those who know nothing of us: the Hub's own client, `datasets`, and pyarrow."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from captionstew.digest import file_sha256
from captionstew.publish.hub import Hub
from captionstew.shards.manifest import read_manifest
from captionstew.shards.read import Clips

from .releases import prepared

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

pytest.importorskip("datasets", reason="an independent reader is not here")

_READERS = """
import hashlib, json, sys
import pyarrow.dataset
from datasets import Audio, load_dataset
from huggingface_hub import HfFileSystem, snapshot_download
from captionstew.shards.read import Clips

told = {}
for repository in sys.argv[1:]:
    got = told[repository] = {}
    got["folder"] = snapshot_download(repository, repo_type="dataset", revision="v1.0.0")
    try:
        load_dataset(repository, streaming=True)
    except ValueError as error:
        got["without a config"] = str(error)
    stream = load_dataset(repository, "audio", split="train", streaming=True, revision="v1.0.0")
    got["feature"] = type(stream.features["audio"]).__name__
    rows = list(stream.cast_column("audio", Audio(decode=False)))
    got["streamed"] = {row["clip_id"]: hashlib.sha256(row["audio"]["bytes"]).hexdigest() for row in rows}
    texts = load_dataset(repository, "captions", split="train", streaming=True)
    got["texts"] = {row["clip_id"]: [one["text"] for one in row["captions"]] for row in texts}
    root = f"datasets/{repository}@v1.0.0/data/captions"
    table = pyarrow.dataset.dataset(root, filesystem=HfFileSystem(), format="parquet").to_table(["clip_id", "license"])
    got["arrow"] = table.to_pylist()
    clips = Clips(f"hf://{repository}@v1.0.0")
    got["ours"] = {clips.row(i, ["clip_id"])["clip_id"][0].as_py(): hashlib.sha256(clips.clip_bytes(i)).hexdigest()
                   for i in range(len(clips))}
print(json.dumps(told))
"""


def test_every_reader_finds_what_was_published_by_xet_and_by_lfs(
    hub: "LoopbackHub", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = prepared(tmp_path / "build")
    repositories = {"lfs": hub.fresh(), "xet": hub.fresh()}
    for way, name in repositories.items():
        hub.enter(monkeypatch, tmp_path / "hub-home", xet=way == "xet")
        target = Hub(name)
        target.create(private=True)
        target.send(made.release.files, made.repository.documents, [], "v1.0.0", "first")
    arguments = [sys.executable, "-c", _READERS, *repositories.values()]
    environment = hub.environment(tmp_path / "readers")
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    build = Clips(tmp_path / "build")
    manifest = made.release.manifest
    kept = sum(file.rows for file in manifest.files if (file.tier, file.split) == ("captions", "train"))
    for got in (told[name] for name in repositories.values()):
        folder = Path(got["folder"])
        assert read_manifest(folder) == manifest
        assert all(file_sha256(folder / file.path) == file.sha256 for file in manifest.files)
        assert (folder / "README.md").read_bytes() == made.repository.documents["README.md"]
        assert "Config name is missing" in got["without a config"]
        assert got["feature"] == "Audio"
        assert got["streamed"] == {
            clip_id: sha256 for clip_id, sha256 in _heard(build).items() if clip_id in got["streamed"]
        }
        heard = [file for file in manifest.files if file.tier.startswith("audio")]
        assert len(got["ours"]) == sum(file.rows for file in heard)
        assert got["ours"].items() <= _heard(build).items()
        assert len(got["streamed"]) == sum(
            one.rows for one in heard if (one.tier, one.split) == ("audio", "train")
        )
        assert len(got["texts"]) == kept
        assert len(got["arrow"]) == sum(file.rows for file in manifest.files if file.tier == "captions")


def _heard(build: Clips) -> dict[str, str]:
    """The hash of each clip's bytes in the build."""
    names = [build.row(index, ["clip_id"])["clip_id"][0].as_py() for index in range(len(build))]
    return {name: hashlib.sha256(build.clip_bytes(index)).hexdigest() for index, name in enumerate(names)}
