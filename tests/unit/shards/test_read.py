"""Finished clips at random."""

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from captionstew.errors import StewError
from captionstew.shards import read
from captionstew.shards.layout import shard_files
from captionstew.shards.read import Clips


def _sounds(folder: Path) -> list[bytes]:
    tables = [pq.ParquetFile(path).read() for path in shard_files(folder, "audio")]
    return [row["bytes"] for table in tables for row in table["audio"].to_pylist()]


def test_every_clip_is_the_one_in_the_shard(finished: Path) -> None:
    clips = Clips(finished)
    assert [clips.clip_bytes(i) for i in range(len(clips))] == _sounds(finished)
    assert clips.clip_bytes(-1) == clips.clip_bytes(269)
    assert (clips.num_samples[3], clips.sample_rate(3)) == (clips.row(3)["num_samples"][0].as_py(), 16_000)
    with pytest.raises(IndexError):
        clips.clip_bytes(270)


def test_rows_captions_and_ids_agree(finished: Path) -> None:
    clips = Clips(finished)
    for index in (0, 19, 20, 119, 120, 169, 170, 269, -1):
        row = clips.row(index)
        assert len(row) == 1
        assert row["audio"][0].as_py()["bytes"] == clips.clip_bytes(index)
        assert clips.captions(index) == [caption["text"] for caption in row["captions"][0].as_py()]
        assert len(clips.captions(index)) == clips.num_captions[index]
        assert clips.find(row["clip_id"][0].as_py()) == index % 270
    assert clips.row(5, ["clip_id", "split"]).column_names == ["clip_id", "split"]
    with pytest.raises(IndexError):
        clips.row(270)


@pytest.mark.parametrize("clip_id", ["yt:00000000150@31", "aa:1", "zz:1", "yt:00000000099@30x"])
def test_an_id_that_is_not_there_is_said(finished: Path, clip_id: str) -> None:
    with pytest.raises(StewError, match=f"no clip '{clip_id}'.*hint: ids look like"):
        Clips(finished).find(clip_id)


def test_ranges_choose_corpus_and_split(finished: Path) -> None:
    clips = Clips(finished)
    assert clips.ranges(corpus="tones") == [range(20, 170), range(170, 270)]
    assert clips.ranges(split="val") == [range(20)]
    assert clips.ranges(corpus="tones", split="val") == []
    assert sum(map(len, clips.ranges())) == len(clips)


def test_groups_pass_every_row_once_in_order(finished: Path) -> None:
    clips = Clips(finished)
    groups = list(clips.groups(["clip_id"]))
    assert [len(group) for group in groups] == [20, 100, 50, 100]
    ids = [clip_id for group in groups for clip_id in group["clip_id"].to_pylist()]
    assert ids[200] == clips.row(200)["clip_id"][0].as_py()


def test_many_threads_and_few_open_files(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_MOST_OPEN", 1)
    clips, sounds, before = Clips(finished), _sounds(finished), len(os.listdir("/dev/fd"))
    order = [(i * 101) % 270 for i in range(2_000)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(clips.clip_bytes, order)) == [sounds[i] for i in order]
    assert len(os.listdir("/dev/fd")) <= before + 1


def _child(clips: Clips, indices: list[int]) -> list[bytes]:
    return [clips.clip_bytes(index) for index in indices]


def test_a_reader_can_be_sent_to_another_process(finished: Path) -> None:
    clips, sounds = Clips(finished), _sounds(finished)
    assert pickle.loads(pickle.dumps(clips)).clip_bytes(7) == sounds[7]
    clips.clip_bytes(7)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        parts = pool.starmap(_child, [(clips, [7, 8]), (clips, [200])])
    assert parts == [[sounds[7], sounds[8]], [sounds[200]]]


def test_a_shard_that_shrank_or_vanished_is_said(build: Path) -> None:
    clips = Clips(build)
    paths = shard_files(build, "audio")
    os.truncate(paths[0], 100)
    with pytest.raises(StewError, match=r"cannot be read; cause: it ends inside clip 3"):
        clips.clip_bytes(3)
    paths[1].unlink()
    with pytest.raises(StewError, match=r"train-00000-of-00002.parquet cannot be read"):
        clips.clip_bytes(30)
    with pytest.raises(StewError, match=r"train-00000-of-00002.parquet cannot be read"):
        clips.row(30)


def test_a_damaged_row_is_said(build: Path) -> None:
    clips, path = Clips(build), shard_files(build, "audio")[1]
    data = bytearray(path.read_bytes())
    chunk = pq.read_metadata(path).row_group(0).column(0)
    data[chunk.data_page_offset : chunk.data_page_offset + chunk.total_compressed_size] = bytes(
        chunk.total_compressed_size
    )
    path.write_bytes(data)
    for read_it in (lambda: clips.row(30), lambda: clips.find("yt:00000000010@30")):
        with pytest.raises(StewError, match=r"train-00000-of-00002.parquet cannot be read"):
            read_it()
    assert len(clips.row(30, ["license"])) == 1


def test_an_empty_folder_has_no_clips(tmp_path: Path) -> None:
    clips: Any = Clips(tmp_path)
    assert (len(clips), clips.ranges(), list(clips.groups())) == (0, [], [])
