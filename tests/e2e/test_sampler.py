"""The default build: every made-up flaw is caught by the stage that is there for it, and the rest loads anywhere."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from captionstew.attach.order import ordered
from captionstew.attach.release import open_release
from captionstew.corpora.sampler.flaws import NUM_FLAWS
from captionstew.digest import file_sha256
from captionstew.pipeline.build import Build
from captionstew.shards.layout import inside, shard_files
from captionstew.shards.validate import validate


@pytest.fixture(scope="module")
def built(sampler_build: Path) -> Path:
    return sampler_build


def test_every_flaw_is_dropped_for_its_own_reason(built: Path) -> None:
    reasons: Counter[str] = Counter()
    for account in json.loads((built / "manifest.json").read_text())["accounting"]:
        reasons.update(account["drops"])
    lines = (
        reasons.pop("merged") - 8 * 10
    )  # five captions of each val and test clip are five rows of AudioCaps
    assert lines == NUM_FLAWS["merged"]
    assert reasons == {
        "contaminated": NUM_FLAWS["leak"], "missing": NUM_FLAWS["missing"], "unreadable": NUM_FLAWS["not-audio"],
        "duration": NUM_FLAWS["short"] + NUM_FLAWS["long"], "truncated": NUM_FLAWS["truncated"],
        "silent": NUM_FLAWS["silent"], "duplicate": NUM_FLAWS["duplicate"],
        "near-duplicate": NUM_FLAWS["re-encoded"], "refusal": NUM_FLAWS["refusal"], "residue": NUM_FLAWS["residue"],
        "empty": NUM_FLAWS["empty"],
        "no-caption": NUM_FLAWS["refusal"] + NUM_FLAWS["residue"] + NUM_FLAWS["empty"],
    }  # fmt: skip


def test_what_is_left_is_what_was_meant(built: Path) -> None:
    rows = (
        pl.scan_parquet(built / "data/audio/*/*.parquet")
        .select("corpus", "split", "clip_id", "captions")
        .collect()
    )
    assert Counter(rows["corpus"]) == {"sampler-audiocaps": 100, "sampler-clotho": 60, "sampler-wavcaps": 80}
    shared = rows.filter(
        pl.col("captions").list.eval(pl.element().struct.field("source").n_unique()).list.first() > 1
    )
    assert len(shared) == NUM_FLAWS["merged"]
    test = rows.filter((pl.col("corpus") == "sampler-audiocaps") & (pl.col("split") == "test"))
    assert test["captions"].list.len().to_list() == [5] * 10


def test_it_passes_validation(built: Path) -> None:
    assert [check.failures for check in validate(built).checks if not check.passed] == []


def test_its_captions_and_its_audio_are_attached_to_the_very_shards(
    built: Path, captions_of: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    release = open_release(str(captions_of(built, tmp_path / "captions")))
    places = {name: (built / "source" / name,) for name in release.corpora}
    out = tmp_path / "attached"
    Build(ordered(release, places, out, cluster="none").request).run()
    made, wanted = (
        {inside(folder, path): file_sha256(path) for path in shard_files(folder)} for folder in (out, built)
    )
    assert made == wanted
    assert validate(out).passed


def test_datasets_loads_and_streams_it_as_audio(built: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    files = str(built / "data/audio/*/train-*.parquet")
    for streaming in (False, True):
        loaded = datasets.load_dataset(
            "parquet", data_files=files, split="train", streaming=streaming, cache_dir=str(tmp_path)
        )
        assert isinstance(loaded.features["audio"], datasets.Audio)
        assert loaded.features["audio"].sampling_rate == 16_000
        row = next(iter(loaded.cast_column("audio", datasets.Audio(decode=False))))
        assert row["audio"]["bytes"][:4] == b"fLaC"
        assert row["captions"][0]["text"]
