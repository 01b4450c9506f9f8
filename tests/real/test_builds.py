"""Builds of real audio and real annotation files: what the README says about them is so."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from captionstew.corpora.facts import corpus
from captionstew.corpora.readers.folder import own
from captionstew.errors import BuildError
from captionstew.pipeline.build import Build
from captionstew.pipeline.request import Request
from captionstew.recipe import override, recipe
from captionstew.shards.validate import validate


def _drops(out: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for path in out.glob("drops/*/*.parquet"):
        counts.update(pl.read_parquet(path)["reason"])
    return counts


def _one(name: str, places: tuple[Path, ...], out: Path) -> pl.DataFrame:
    """A corpus alone, every split of it."""
    Build(Request(recipe(name), out, (corpus(name),), {name: places}, cluster="none")).run()
    assert validate(out).passed
    return pl.read_parquet(sorted(out.glob("data/audio/*/*.parquet")))


def test_81_clips_of_three_domains_and_five_formats_come_out_of_one_table(real: Path, tmp_path: Path) -> None:
    facts, places = own(real / "pairs.jsonl")
    Build(Request(recipe("folder"), tmp_path, (facts,), {"folder": tuple(places)}, cluster="none")).run()
    rows = pl.read_parquet(sorted(tmp_path.glob("data/audio/folder/*.parquet")))
    lines = [json.loads(line) for line in (real / "pairs.jsonl").read_text().splitlines()]
    assert len(rows) == len(lines) == 81
    assert set(rows["domain"]) == {"speech", "music", "sound"}
    assert Counter(rows["source_container"]) == {"ogg": 49, "wav": 25, "mp3": 4, "flac": 3}
    told = {"folder:" + line["id"]: {" ".join(text.split()) for text in line["captions"]} for line in lines}
    for clip_id, captions in rows.select("clip_id", "captions").iter_rows():
        assert {caption["text"] for caption in captions} <= told[clip_id]
    assert validate(tmp_path).passed


def test_esc10_has_its_400_clips_as_test_data_with_labels(real: Path, tmp_path: Path) -> None:
    rows = _one("esc50", (real / "esc10",), tmp_path)
    assert (len(rows), set(rows["split"])) == (400, {"test"})
    assert rows["captions"].list.len().sum() == 0
    assert rows["events"].list.len().min() == 1
    assert rows["source_id"].n_unique() == 304


def test_audiocaps_keeps_the_three_clips_that_are_here_and_lists_the_rest(real: Path, tmp_path: Path) -> None:
    places = (real / "annotations" / "audiocaps" / "v1", real / "audiocaps_test")
    rows = _one("audiocaps", places, tmp_path)
    assert (len(rows), set(rows["split"])) == (3, {"test"})
    assert _drops(tmp_path) == {"missing": 51_305, "merged": 5_880}
    assert len(pl.read_parquet(tmp_path / "drops" / "locate" / "audiocaps.parquet")) == 51_305


def test_a_training_recipe_excludes_audiocaps_evaluation_clips(real: Path, tmp_path: Path) -> None:
    places = {"audiocaps": (real / "annotations" / "audiocaps" / "v1", real / "audiocaps_test")}
    pipeline = override(
        replace(recipe("paper"), corpora=("audiocaps",)), ["against=audiocaps", "blocklists="]
    )
    with pytest.raises(BuildError, match="no clip has its audio here"):
        Build(Request(pipeline, tmp_path, (corpus("audiocaps"),), places, cluster="none")).run()
    entries = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert {e["stage"]: e["drops"] for e in entries}["decontaminate"] == {"evaluation": 495 + 975}
