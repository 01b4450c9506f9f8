"""Promises about files and their manifest, kept and broken."""

import json
from pathlib import Path
from typing import Any

import pytest

from captionstew.shards.layout import shard_files
from captionstew.shards.manifest import Account, write_manifest
from captionstew.shards.validate import validate
from captionstew.shards.write import Written, written

TRAIN = "data/audio/tones/train-00000-of-00002.parquet"


def test_a_missing_and_an_extra_shard(build: Path, failures: Any) -> None:
    (build / TRAIN).rename(build / "data/audio/tones/train-00002-of-00003.parquet")
    found = failures(validate(build))
    assert "data/audio/tones/train-00002-of-00003.parquet: not in the manifest" in found["files"]
    assert f"{TRAIN}: missing" in found["files"]
    assert "covers other shards" in found["sidecar"]


def test_a_manifest_that_is_wrong(build: Path, with_manifest: Any) -> None:
    good = json.loads((build / "manifest.json").read_text())
    files = [*good["files"][:2], good["files"][2] | {"rows": 7, "captions": 8, "sha256": "0" * 64}]
    found = with_manifest(files=files)
    assert "sha256" in found["files"]
    assert "7 rows in the manifest, 100 there" in found["files"]
    assert "SHA256SUMS does not agree" in found["manifest"]
    totals = [good["totals"][0] | {"clips": 1}, good["totals"][1]]
    found = with_manifest(files=good["files"], totals=totals)
    assert "the totals are not those of the shards" in found["manifest"]


def test_paths_of_a_manifest_are_not_trusted(build: Path, with_manifest: Any) -> None:
    good = json.loads((build / "manifest.json").read_text())["files"]
    outside = good[0] | {"path": "../../etc/passwd"}
    found = with_manifest(files=[*good, outside])
    assert "../../etc/passwd: not where a shard of beeps val lies" in found["manifest"]
    assert "../../etc/passwd: missing" in found["files"]


def test_a_gap_in_the_numbers(build: Path, with_manifest: Any) -> None:
    good = json.loads((build / "manifest.json").read_text())["files"]
    (build / TRAIN).unlink()
    assert "audio/tones/train: shards [1] of 2" in with_manifest(files=[good[0], good[2]])["manifest"]


def test_damaged_manifest_and_sums(build: Path, failures: Any) -> None:
    (build / "SHA256SUMS").unlink()
    assert "SHA256SUMS" in failures(validate(build))["manifest"]
    (build / "manifest.json").write_text("{")
    found = failures(validate(build))
    assert "manifest.json is damaged" in found["manifest"]
    assert found["files"].count("not in the manifest") == 3


@pytest.mark.parametrize(
    ("account", "message"),
    [
        (Account("tones", "peak", 10, 7, {"loud": 2}), "tones, peak: received 10, kept 7, dropped 2"),
        (Account("tones", "merge", 10, 12, {"odd": -2}), "tones, merge: received 10, kept 12, dropped -2"),
    ],
)
def test_an_account_that_does_not_balance(build: Path, account: Account, message: str, failures: Any) -> None:
    shards: list[Written] = [written(path) for path in shard_files(build)]
    write_manifest(build, shards, recipe="r", recipe_digest="d", accounting=[account])
    assert failures(validate(build)) == {"accounting": message}
