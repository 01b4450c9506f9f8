"""Batches of audio, decoded by threads."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captionstew.audio.codec import decode_pcm
from captionstew.errors import StewError
from captionstew.shards.batching import Batching
from captionstew.shards.layout import shard_files
from captionstew.shards.loader import Batch, Buffers, Loader, as_it_is
from captionstew.shards.plan import START, Plan, Position
from captionstew.shards.read import Clips

SETTINGS = Batching(
    split="", seconds=0.4, squares=0.012, longest=0.04, shortest=0, window=100, captions="none"
)
EPOCH = 40  # batches, a little more than all


def _loader(
    folder: Path, position: Position = START, settings: Batching = SETTINGS, **how: Any
) -> Loader[Batch]:
    clips = Clips(folder)
    return Loader(clips, Plan.of(clips, settings), as_it_is, position, **how)


def _taken(folder: Path, count: int, position: Position = START, **changes: Any) -> list[Batch]:
    """Batches that are all held at once."""
    with _loader(folder, position, **changes) as loader:
        return list(islice(loader, count))


def _epoch(loader: Loader[Batch]) -> Iterator[Batch]:
    for batch in loader:
        yield batch
        if batch.position.epoch:
            return


def _same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a.audio, b.audio)
        and np.array_equal(a.items.clips, b.items.clips)
        and np.array_equal(a.items.seeds, b.items.seeds)
        and a.position == b.position
        for a, b in zip(one, other, strict=True)
    )


def _damage(folder: Path, clip: int, data: bytes) -> None:
    """Put bytes over the middle of a clip's audio where it lies in its shard."""
    clips = Clips(folder)
    path = folder / clips.sidecar.files[int(clips.sidecar.table["file"][clip].as_py())].path
    offset, length = (int(clips.sidecar.table[name][clip].as_py()) for name in ("offset", "length"))
    with path.open("r+b") as file:
        file.seek(offset + (length // 2 if len(data) < length else 0))
        file.write(data[:length])


def test_every_row_is_the_decoded_clip_with_zeros_behind(finished: Path) -> None:
    clips, seen = Clips(finished), 0
    for batch in _taken(finished, EPOCH):
        for row, clip in enumerate(batch.items.clips.tolist()):
            pcm, _ = decode_pcm(clips.clip_bytes(clip), "flac")
            start, length = int(batch.items.starts[row]), int(batch.items.lengths[row])
            assert np.array_equal(batch.audio[row, :length], pcm[start : start + length])
            assert not batch.audio[row, length:].any()
            seen += length < len(pcm)
    assert seen > 10, "some are crops"


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_batches_are_the_same_whatever_the_number_of_threads(finished: Path, threads: int) -> None:
    assert _same(_taken(finished, 2 * EPOCH, threads=threads), _taken(finished, 2 * EPOCH, threads=3))


def test_resuming_at_any_batch_gives_the_very_same_batches(finished: Path) -> None:
    whole = _taken(finished, 2 * EPOCH)
    for number in (1, 17, EPOCH, 2 * EPOCH - 3):
        rest = _taken(finished, 2 * EPOCH - number, whole[number - 1].position, threads=1 + number % 4)
        assert _same(rest, whole[number:])


def test_another_number_of_ranks_goes_on_without_loss(finished: Path) -> None:
    whole = _taken(finished, 2 * 10 + 3 * 20)
    two = [_taken(finished, 10, rank=rank, world=2) for rank in range(2)]
    position = two[0][-1].position
    three = [_taken(finished, 20, position, rank=rank, world=3) for rank in range(3)]
    merged = [batch for part in (two, three) for step in zip(*part, strict=True) for batch in step]
    assert all(np.array_equal(a.audio, b.audio) for a, b in zip(merged, whole, strict=True))


def test_memory_is_used_again_and_never_while_somebody_looks_at_it() -> None:
    buffers = Buffers(100)
    first, second = buffers((2, 50)), buffers((3, 10))
    assert not np.shares_memory(first, second)
    place, row = first.ctypes.data, first[1:]
    del first
    third = buffers((1, 100))
    assert not np.shares_memory(third, row)
    del row
    assert buffers((4, 20)).ctypes.data == place


def test_only_as_many_batches_are_in_memory_as_are_in_work(finished: Path) -> None:
    places = set()
    with _loader(finished, threads=2) as loader:
        for batch in islice(loader, 3 * EPOCH):
            places.add(batch.audio.ctypes.data)
    assert len(places) <= 2 + 3 + 2


def test_padding_is_counted(finished: Path) -> None:
    with _loader(finished) as loader:
        batches = list(islice(loader, EPOCH))
    whole = sum(batch.audio.size for batch in batches)
    assert loader.tally.padding == pytest.approx(1 - sum(int(b.items.lengths.sum()) for b in batches) / whole)
    assert 0 < loader.tally.padding < 0.1


def test_finish_is_called_in_the_threads_and_its_errors_rise(finished: Path) -> None:
    def name(batch: Batch) -> str:
        if batch.position.window:
            raise ValueError("no such word")
        return threading.current_thread().name

    clips = Clips(finished)
    with Loader(clips, Plan.of(clips, SETTINGS), name) as loader:
        assert next(loader).startswith("captionstew-loader")
        with pytest.raises(ValueError, match="no such word"):
            list(loader)


def test_threads_end_when_the_loader_is_closed(finished: Path) -> None:
    def ours() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("captionstew-loader")]

    def slow(batch: Batch) -> Batch:
        time.sleep(0.01)
        return batch

    clips = Clips(finished)
    with Loader(clips, Plan.of(clips, SETTINGS), slow, threads=3) as loader:
        position = next(loader).position
        assert 0 < len(ours()) <= 3
    assert not ours()
    assert loader.position == position
    with pytest.raises(StopIteration):
        next(loader)


def test_a_clip_that_does_not_decode_is_left_out_and_counted(
    build: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _loader(build) as loader:
        whole = list(_epoch(loader))
    _damage(build, 30, b"\x00" * 64)
    _damage(build, 200, b"nothing like FLAC" * 1_000)
    with caplog.at_level(logging.WARNING), _loader(build, max_bad=1.0) as loader:
        batches = list(_epoch(loader))
    assert loader.tally.skipped == {"truncated": 1, "unreadable": 1}
    assert (
        "yt:00000000010@30 (data/audio/tones/train-00000-of-00002.parquet, row 10) is skipped: truncated"
        in caplog.text
    )
    for batch, before in zip(batches, whole, strict=True):
        kept = ~np.isin(before.items.clips, (30, 200))
        assert batch.position == before.position
        assert np.array_equal(batch.audio, before.audio[kept])
        assert np.array_equal(batch.items.seeds, before.items.seeds[kept])
    assert {skip.clip for batch in batches for skip in batch.skipped} == {30, 200}


def test_too_many_that_do_not_decode_are_an_error(build: Path) -> None:
    _damage(build, 30, b"\x00" * 64)
    with (
        _loader(build, max_bad=0.0) as loader,
        pytest.raises(
            StewError,
            match=r"^1 of \d+ clips do not decode; cause: the last is yt:00000000010@30 .*truncated",
        ),
    ):
        list(islice(loader, EPOCH))


def test_a_batch_without_a_row_stops_training_and_not_a_single_pass(build: Path) -> None:
    _damage(build, 0, b"\x00" * 64)
    alone = replace(SETTINGS, corpora=("beeps",), limit=1)
    clips = Clips(build)
    chosen = next(
        settings for settings in (replace(alone, seed=seed) for seed in range(99))
        if Plan.of(clips, settings).window(0)[0].clips[0] == 0
    )  # fmt: skip
    with _loader(build, settings=chosen) as loader, pytest.raises(StewError, match="a whole batch"):
        next(loader)
    with _loader(build, settings=replace(chosen, shuffle=False)) as loader:
        assert list(loader) == []
    assert loader.tally.skipped.total() == 1


def test_a_shard_that_shrank_is_an_error_that_names_clip_file_and_row(build: Path) -> None:
    with _loader(build) as loader:
        os.truncate(shard_files(build, "audio")[1], 10_000)
        with pytest.raises(
            StewError,
            match=r"(yt:\d+@30|clip \d+) \(data/audio/tones/train-00000.*, row \d+\) cannot be read",
        ):
            list(islice(loader, EPOCH))


def _rows_as(codec: str, encode: Callable[[Any], bytes]) -> Callable[[list[dict[str, Any]]], None]:
    def change(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            pcm, _ = decode_pcm(row["audio"]["bytes"], "flac")
            row["audio"]["bytes"], row["codec"] = encode(pcm), codec

    return change


def test_other_codecs_are_known_by_their_first_bytes(build: Path, rewrite: Any, settle: Any) -> None:
    from captionstew.audio.pcm import encode_pcm_zstd

    flac = _taken(build, EPOCH)
    for path in shard_files(build, "audio"):
        rewrite(path, _rows_as("pcm-zstd", lambda pcm: encode_pcm_zstd(pcm, 16_000)))
    settle(build)
    batches = _taken(build, EPOCH)
    assert all(np.array_equal(a.audio, b.audio) for a, b in zip(batches, flac, strict=True))
