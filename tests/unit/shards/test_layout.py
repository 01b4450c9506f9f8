"""Names of shards and what lies where."""

from pathlib import Path

import pytest

from captionstew.shards.layout import ShardName, inside, parse_shard, shard_files, shard_path


def test_a_shard_is_named_by_tier_corpus_split_and_number() -> None:
    path = shard_path("audio", "libritts-p", "train", 3, 12)
    assert path == "data/audio/libritts-p/train-00003-of-00012.parquet"
    assert parse_shard(path) == ShardName("audio", "libritts-p", "train", 3, 12)


@pytest.mark.parametrize(
    "path",
    [
        "data/audio/../train-00000-of-00001.parquet",
        "data/audio/clotho/../../x-00000-of-00001.parquet",
        "data/audio/clotho/train-00002-of-00002.parquet",
        "data/video/clotho/train-00000-of-00001.parquet",
        "data/audio/clotho/train-0-of-1.parquet",
        "/data/audio/clotho/train-00000-of-00001.parquet",
        "data/audio/clotho/train-00000-of-00001.parquet\n",
    ],
)
def test_other_paths_are_no_shards(path: str) -> None:
    assert parse_shard(path) is None


def test_a_name_that_could_not_be_read_back_is_refused() -> None:
    with pytest.raises(AssertionError, match="no name for a shard"):
        shard_path("audio", "Clotho", "train", 0, 1)


def test_only_finished_parquet_of_the_tier_is_listed(tmp_path: Path) -> None:
    audio, captions = ["data/audio/a/x.parquet", "data/audio/b/x.parquet"], ["data/captions/a/x.parquet"]
    stray = ["data/stray.parquet"]
    others = ["data/audio/a/.x.parquet", "data/audio/a/x.json", "work/y.parquet"]
    for name in (*others, *stray, *captions, *audio[::-1]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [inside(tmp_path, path) for path in shard_files(tmp_path, "audio")] == audio
    assert [inside(tmp_path, path) for path in shard_files(tmp_path)] == audio + captions + stray
