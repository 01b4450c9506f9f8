"""The captions' index."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from captionstew.shards import texts
from captionstew.shards.layout import shard_files
from captionstew.shards.read import Clips
from captionstew.shards.texts import CAPTIONS, Texts


def test_every_clip_has_the_captions_of_its_row(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_ROWS", 64)  # pieces that cross row groups and files
    clips = Clips(build)
    captions = Texts(clips)
    for clip in range(270):
        assert captions[clip] == clips.captions(clip)
        assert [captions.caption(clip, number) for number in range(len(captions[clip]))] == captions[clip]
    assert sorted({len(captions[clip]) for clip in range(270)}) == [0, 1, 2]


def test_a_caption_that_a_clip_does_not_have_is_a_fault_of_ours(build: Path) -> None:
    captions = Texts(Clips(build))
    for clip, number in ((20, 0), (21, 1), (21, -1)):
        with pytest.raises(AssertionError, match=f"clip {clip} has no caption {number}"):
            captions.caption(clip, number)


def test_it_is_made_once_and_then_only_opened(build: Path) -> None:
    Texts(Clips(build))
    before = (build / CAPTIONS).stat()
    Texts(Clips(build))
    after = (build / CAPTIONS).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert sorted(os.listdir(build / "index")) == ["captions.arrow", "clips.arrow"]


def test_it_is_made_again_when_the_shards_change(build: Path, rewrite: Any, settle: Any) -> None:
    assert Texts(Clips(build))[21] == ["tone 1"]

    def change(rows: list[dict[str, Any]]) -> None:
        rows[1]["captions"][0]["text"] = "another tone"

    rewrite(shard_files(build, "audio")[1], change)
    settle(build)
    assert Texts(Clips(build))[21] == ["another tone"]


@pytest.mark.parametrize("content", [b"", b"ARROW1 and no more", b"\x00" * 4_096])
def test_a_damaged_index_is_made_again(build: Path, content: bytes) -> None:
    Texts(Clips(build))
    (build / CAPTIONS).write_bytes(content)
    assert Texts(Clips(build))[21] == ["tone 1"]


def test_without_a_place_to_write_it_serves_this_process(
    build: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (build / CAPTIONS).mkdir(parents=True)
    captions = Texts(Clips(build))
    assert "index/captions.arrow lasts as long as this process" in caplog.text
    assert [captions[clip] for clip in (20, 21, 22)] == [[], ["tone 1"], ["tone 2", "beep 2"]]


def test_many_threads_may_read_it(build: Path) -> None:
    clips = Clips(build)
    captions = Texts(clips)
    order = [n * 7 % 270 for n in range(2_000)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(captions.__getitem__, order)) == [clips.captions(clip) for clip in order]


def test_an_empty_folder_has_no_captions(tmp_path: Path) -> None:
    with pytest.raises(IndexError):
        Texts(Clips(tmp_path))[0]
