"""Overlap: the same recording, and for YouTube the same time."""

from pathlib import Path

import polars as pl
import pytest

from captionstew.corpora.facts import corpus
from captionstew.corpora.overlap import KEYS, blocked, evaluation_keys, overlapping
from captionstew.errors import CorpusError

Row = tuple[str, float | None, float | None]


def table(*rows: Row) -> pl.LazyFrame:
    return pl.LazyFrame(list(rows), schema=KEYS, orient="row")


@pytest.mark.parametrize(
    ("mine", "theirs", "hit"),
    [
        (("yt:a", 30, 40), ("yt:a", 35, 45), True),
        (("yt:a", 30, 40), ("yt:a", 40, 50), False),
        (("yt:a", 30, 40), ("yt:b", 30, 40), False),
        (("yt:a", 30, None), ("yt:a", 39.9, None), True),
        (("yt:a", 30, None), ("yt:a", 40, None), False),
        (("yt:a", None, None), ("yt:a", 100, 110), True),
        (("yt:a", 100, 110), ("yt:a", None, None), True),
        (("fs:1", 0, 5), ("fs:1", 100, 105), True),
        (("libritts:1_2", None, None), ("libritts:1_2", None, None), True),
    ],
)
def test_overlap_is_by_recording_and_for_videos_by_time(mine: Row, theirs: Row, hit: bool) -> None:
    assert overlapping(table(mine), table(theirs)).collect().height == int(hit)


def test_rows_come_back_whole_in_order_and_once() -> None:
    clips = table(("yt:b", 0, 10), ("yt:a", 0, 10), ("yt:a", 0, 10)).with_columns(
        name=pl.Series(["x", "y", "z"])
    )
    hits = overlapping(clips, table(("yt:a", 0, 10), ("yt:a", 5, 15))).collect()
    assert hits.columns == [*KEYS, "name"]
    assert hits["name"].to_list() == ["y", "z"]


def test_keys_are_those_of_the_evaluation_splits(tmp_path: Path) -> None:
    header = "audiocap_id,youtube_id,start_time,caption\n"
    for split, video in (("train", "a"), ("val", "b"), ("test", "c")):
        (tmp_path / f"{split}.csv").write_text(header + f"1,{video * 11},30,x\n2,{video * 11},30,y\n")
    found = evaluation_keys(corpus("audiocaps"), [tmp_path]).collect()
    assert found.rows() == [(f"yt:{video * 11}", 30.0, None) for video in ("b", "c")]


def test_an_evaluation_split_without_its_list_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text("audiocap_id,youtube_id,start_time,caption\n1,abcdefghijk,30,x\n")
    with pytest.raises(CorpusError, match=r"test\.csv"):
        evaluation_keys(corpus("audiocaps"), [tmp_path])


def test_a_training_corpus_has_no_evaluation_keys() -> None:
    assert evaluation_keys(corpus("wavcaps-bbc"), []).collect().is_empty()


def test_block_lists_name_whole_recordings(tmp_path: Path) -> None:
    listed = '{"AudioSet": ["Yabcdefghijk.wav", "YYbcdefghijk.wav"], "FreeSound": ["123", "Not found"]}'
    (tmp_path / "blacklist_exclude_test_ac.json").write_text(listed)
    found = blocked(corpus("wavcaps-freesound"), [tmp_path], ["test"]).collect()
    assert found.rows() == [(key, None, None) for key in ("yt:abcdefghijk", "yt:Ybcdefghijk", "fs:123")]


def test_a_block_list_that_is_nowhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"blacklist_exclude_all_ac\.json"):
        blocked(corpus("wavcaps-freesound"), [tmp_path])
