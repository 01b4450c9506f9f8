"""Staged files hold what the gate lets out, in the order and the shards of the build, and are made once."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.corpora.facts import corpus
from captionstew.errors import StewError
from captionstew.pipeline.progress import Event
from captionstew.publish.gate import Gate
from captionstew.publish.prepare import ASKED
from captionstew.publish.stage import FOLDER, Staged, stage
from captionstew.shards.manifest import Manifest
from captionstew.shards.read import Clips
from captionstew.shards.sidecar import read_sidecar

from .builds import caption, clip, ids, make_build

NC, YOUTUBE = "CC-BY-NC-4.0", "LicenseRef-YouTube"


def gate(manifest: Manifest, tier: str = "audio", **fields: object) -> Gate:
    names = {one.corpus for one in manifest.accounting} - {"llm"}
    return Gate({name: corpus(name) for name in names}, ASKED[tier], **fields)  # type: ignore[arg-type]


def read(staged: Staged) -> dict[str, pa.Table]:
    return {file.path: pq.read_table(file.source) for file in staged.files if file.path.startswith("data/")}


def hashes(staged: Staged) -> Mapping[str, str]:
    return {one.path: one.sha256 for one in staged.files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """Clips that stay whole, that are divided by license, and that have captions of others; not to be changed."""
    folder = tmp_path_factory.mktemp("build")
    clips = [clip(n, "sampler-audiocaps", "CC0-1.0") for n in range(220)]
    clips += [clip(n, "fsd50k", ("CC0-1.0", NC, "CC-BY-SA-4.0")[n % 3]) for n in range(300, 345)]
    clips += [clip(n, "audiocaps", YOUTUBE, "test") for n in range(400, 410)]
    clips += [clip(n, "laion-audiostock", "LicenseRef-Audiostock") for n in range(500, 503)]
    sold = caption("a title for sale", "laion-audiostock")
    clips[225]["captions"] = [
        clips[225]["captions"][0],
        sold,
        caption("made", "llm", "lmsys/vicuna-7b-v1.5@a"),
    ]
    return folder, make_build(folder, clips)


def test_rows_lie_in_the_tiers_that_their_licenses_allow(made: tuple[Path, Manifest]) -> None:
    staged = stage(*made, gate(made[1]))
    found = {path: len(table) for path, table in read(staged).items()}
    assert found == {
        "data/audio-sa/fsd50k/train-00000-of-00001.parquet": 15,
        "data/audio/fsd50k/train-00000-of-00001.parquet": 15,
        "data/audio/sampler-audiocaps/train-00000-of-00002.parquet": 150,
        "data/audio/sampler-audiocaps/train-00001-of-00002.parquet": 70,
        "data/captions/audiocaps/test-00000-of-00001.parquet": 10,
        "data/captions/fsd50k/train-00000-of-00001.parquet": 45,
        "data/captions/sampler-audiocaps/train-00000-of-00002.parquet": 150,
        "data/captions/sampler-audiocaps/train-00001-of-00002.parquet": 70,
    }
    for path, table in read(staged).items():
        assert ids(table) == sorted(ids(table))
        assert ("audio" in table.column_names) == ("data/captions/" not in path)
        if "audio-sa" in path:
            assert set(table["license"].to_pylist()) == {"CC-BY-SA-4.0"}
    refused = {(one.tier, one.corpus, one.license): one.clips for one in staged.refusals}
    assert refused == {
        ("audio", "audiocaps", YOUTUBE): 10,
        ("audio", "fsd50k", NC): 15,
        ("captions", "laion-audiostock", "LicenseRef-Audiostock"): 3,
    }


def test_a_shard_that_goes_out_whole_is_the_one_of_the_build(made: tuple[Path, Manifest]) -> None:
    folder, manifest = made
    staged = stage(folder, manifest, gate(manifest))
    of_build = {file.path: file.sha256 for file in manifest.files}
    same = [one for one in staged.files if one.path.startswith("data/audio/sampler")]
    assert [one.source for one in same] == [folder / one.path for one in same]
    assert [one.sha256 for one in same] == [of_build[one.path] for one in same]
    for one in staged.files:
        assert hashlib.sha256(one.source.read_bytes()).hexdigest() == one.sha256
        assert one.source.stat().st_size == one.bytes


def test_the_manifest_goes_on_where_that_of_the_build_ends(made: tuple[Path, Manifest]) -> None:
    staged = stage(*made, gate(made[1]))
    accounts = {(one.corpus, one.stage): one for one in staged.manifest.accounting}
    assert staged.manifest.accounting[: len(made[1].accounting)] == made[1].accounting
    assert accounts["fsd50k", "publish"].kept == accounts["fsd50k", "publish"].received == 45
    assert dict(accounts["laion-audiostock", "publish"].drops) == {"forbidden": 3}
    assert dict(accounts["laion-audiostock", "publish.captions"].drops) == {"forbidden": 1}
    assert accounts["llm", "publish.captions"].kept == 1
    for one in accounts.values():
        assert one.received == one.kept + sum(one.drops.values())
    totals = {(one.tier, one.corpus): one for one in staged.manifest.totals}
    assert set(totals["audio", "fsd50k"].licenses) == {"CC0-1.0"}
    assert (totals["captions", "fsd50k"].clips, totals["captions", "fsd50k"].captions) == (45, 46)
    assert {one.path for one in staged.manifest.files} == set(read(staged))


def test_a_title_for_sale_leaves_its_clip_and_takes_the_tags_with_it(made: tuple[Path, Manifest]) -> None:
    tables = read(stage(*made, gate(made[1])))
    rows = {
        row["clip_id"]: row for row in tables["data/captions/fsd50k/train-00000-of-00001.parquet"].to_pylist()
    }
    changed = rows["fs:000305"]
    assert [one["text"] for one in changed["captions"]] == ["tone 305", "made"]
    assert (changed["tags"], changed["transcript"]) == ([], None)
    assert rows["fs:000306"]["tags"] == ["tone"]
    sa = tables["data/audio-sa/fsd50k/train-00000-of-00001.parquet"].to_pylist()
    assert [one["text"] for row in sa if row["clip_id"] == "fs:000305" for one in row["captions"]] == [
        "tone 305",
        "made",
    ]


def test_the_captions_tier_is_the_build_without_its_audio(made: tuple[Path, Manifest]) -> None:
    tables = read(stage(*made, gate(made[1], "captions")))
    assert not [path for path in tables if "captions" not in path]
    name = "sampler-audiocaps/train-00001-of-00002.parquet"
    whole = pq.read_table(made[0] / "data" / "audio" / name).drop_columns(["audio", "codec"])
    assert tables[f"data/captions/{name}"].equals(whole)


def test_what_is_not_for_commerce_goes_out_only_when_asked_for(made: tuple[Path, Manifest]) -> None:
    tables = read(stage(*made, gate(made[1], "audio-nc")))
    assert set(tables["data/audio-nc/fsd50k/train-00000-of-00001.parquet"]["license"].to_pylist()) == {NC}


def test_the_addresses_of_all_audio_are_published(made: tuple[Path, Manifest], tmp_path: Path) -> None:
    staged = stage(*made, gate(made[1]))
    for one in staged.files:
        (tmp_path / one.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / one.path).write_bytes(one.source.read_bytes())
    assert len(read_sidecar(tmp_path).table) == 220 + 30
    clips = Clips(tmp_path)
    assert clips.clip_bytes(clips.find("fs:000305")).startswith(b"fLaC")  # share-alike
    assert not [one for one in stage(*made, gate(made[1], "captions")).files if one.path.startswith("index")]


def test_running_again_makes_nothing_and_a_stopped_run_goes_on(tmp_path: Path) -> None:
    clips = [clip(n, "fsd50k", ("CC0-1.0", "CC-BY-SA-4.0")[n % 2]) for n in range(40)]
    manifest = make_build(tmp_path / "one", clips, shard=10)
    first = stage(tmp_path / "one", manifest, gate(manifest))
    assert first.written == 12
    times = {one.path: one.source.stat().st_mtime_ns for one in first.files}
    again = stage(tmp_path / "one", manifest, gate(manifest))
    assert again.written == 0
    assert {one.path: one.source.stat().st_mtime_ns for one in again.files} == times

    manifest = make_build(tmp_path / "two", clips, shard=10)

    def stop(event: Event) -> None:
        if (event.stage, event.done) == ("stage", 5):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage(tmp_path / "two", manifest, gate(manifest), watch=stop)
    resumed = stage(tmp_path / "two", manifest, gate(manifest))
    assert 0 < resumed.written <= 7
    assert hashes(resumed) == hashes(first)
    assert resumed.manifest == first.manifest


def test_only_what_changed_is_made_again_and_old_files_are_given_back(tmp_path: Path) -> None:
    clips = [clip(n, "fsd50k", "CC0-1.0") for n in range(40)]
    manifest = make_build(tmp_path, clips, shard=10)
    stage(tmp_path, manifest, gate(manifest))
    staged = stage(tmp_path, manifest, gate(manifest), {"fs:000013"})
    assert staged.written == 2  # the captions and the audio of the second shard
    assert len(list((tmp_path / FOLDER / "files").iterdir())) == 5
    audio = [one for one in staged.files if one.path.startswith("data/audio/")]
    assert [one.source.parent.name for one in audio] == ["fsd50k", "files", "fsd50k", "fsd50k"]


def test_a_withdrawn_clip_is_in_no_tier_and_counted(made: tuple[Path, Manifest]) -> None:
    gone = {"fs:000001", "fs:000305", "fs:000400", "fs:999999"}
    staged = stage(*made, gate(made[1]), gone)
    assert not gone & {name for table in read(staged).values() for name in ids(table)}
    drops = {one.corpus: dict(one.drops) for one in staged.manifest.accounting if one.stage == "publish"}
    assert [drops[name].get("withdrawn") for name in ("sampler-audiocaps", "fsd50k", "audiocaps")] == [
        1,
        1,
        1,
    ]
    assert len(read_sidecar_of(staged)) == 218 + 30


def read_sidecar_of(staged: Staged) -> pa.Table:
    (index,) = [one for one in staged.files if one.path.startswith("index/")]
    return read_sidecar(index.source.parents[1]).table


def test_shards_are_numbered_without_a_gap_when_one_has_nothing_for_a_tier(tmp_path: Path) -> None:
    licenses = ["CC0-1.0"] * 10 + [NC] * 10 + ["CC0-1.0"] * 10
    manifest = make_build(tmp_path, [clip(n, "fsd50k", one) for n, one in enumerate(licenses)], shard=10)
    staged = stage(tmp_path, manifest, gate(manifest))
    audio = [one for one in staged.files if one.path.startswith("data/audio/")]
    assert [one.path.rsplit("/")[-1] for one in audio] == [
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    ]
    assert [one.source for one in audio] == [
        tmp_path / f"data/audio/fsd50k/train-0000{n}-of-00003.parquet" for n in (0, 2)
    ]


def test_audio_that_nobody_plays_stops_the_release_before_anything_is_written(tmp_path: Path) -> None:
    manifest = make_build(tmp_path, [clip(n, "fsd50k", "CC0-1.0", codec="pcm-zstd") for n in range(3)])
    with pytest.raises(StewError, match="neither players nor the Hub know"):
        stage(tmp_path, manifest, gate(manifest))
    assert not (tmp_path / FOLDER / "files").exists()
    assert stage(tmp_path, manifest, gate(manifest, "captions")).files


def test_a_corpus_that_is_left_out_takes_its_captions_with_it(made: tuple[Path, Manifest]) -> None:
    rules = replace(gate(made[1]), without=frozenset({"sampler-audiocaps"}))
    staged = stage(*made, rules)
    assert not [path for path in read(staged) if "sampler" in path]
    drops = {one.corpus: dict(one.drops) for one in staged.manifest.accounting if one.stage == "publish"}
    assert drops["sampler-audiocaps"] == {"left-out": 220}
