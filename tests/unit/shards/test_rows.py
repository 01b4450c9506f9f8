"""Rows of a release to look at: found by id, and told apart from those that look like them."""

from pathlib import Path
from typing import Any

import pytest

from captionstew.errors import StewError
from captionstew.shards.read import Clips
from captionstew.shards.rows import Rows, open_rows


def test_every_row_is_found_by_its_id_in_whichever_shard_it_is(finished: Path) -> None:
    rows, clips = open_rows(finished).audio, Clips(finished)
    assert len(rows) == len(clips) == 270
    for number in (0, 19, 20, 119, 120, 169, 170, 269):
        clip_id = rows.row(number, ["clip_id"])["clip_id"][0].as_py()
        assert rows.find(clip_id) == clips.find(clip_id) == number
        assert rows.row(number).equals(clips.row(number))


def test_an_id_that_is_nowhere_is_not_found(finished: Path) -> None:
    rows = open_rows(finished).audio
    for clip_id in ("yt:00000000201", "aa:first", "zz:last", "", "yt:0000000020199@30"):
        assert rows.find(clip_id) is None


def test_of_a_release_elsewhere_only_neighbours_are_read_for_what_is_meant(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, read = open_rows(finished).audio, list[tuple[int, int]]()
    group = Rows._group

    def counted(self: Rows, number: int, place: int) -> list[str]:
        read.append((number, place))
        return group(self, number, place)

    def nothing(_self: Rows, _text: str, _most: int) -> Any:
        return iter(())

    monkeypatch.setattr(Rows, "_holding", nothing)  # as where no file is on this disk
    monkeypatch.setattr(Rows, "_group", counted)
    assert rows.near("yt:00000000201@3")[0] == "yt:00000000201@30"
    assert rows.near("00000000201@31")[0] == "yt:00000000201@30"
    assert len(read) <= 4  # one row group of each corpus, twice


def test_an_empty_tier_has_no_rows(finished: Path, tmp_path: Path) -> None:
    opened = open_rows(finished)
    assert (len(opened.captions), opened.captions.find("yt:00000000201@30"), opened.captions.near("x")) == (
        0,
        None,
        [],
    )
    assert opened.shown is opened.audio
    with pytest.raises(StewError, match="no manifest"):
        open_rows(tmp_path)
