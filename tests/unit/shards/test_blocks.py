"""The cache of blocks: what was read stays, up to a bound, and is right however it was come by."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from captionstew.shards import blocks
from captionstew.shards.blocks import Blocks

SIZE = 10_050
CONTENT = np.random.default_rng(1).bytes(SIZE)


class Source:
    """A file that counts what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, start: int, count: int) -> bytes:
        assert 0 <= start < start + count <= SIZE, (start, count)
        self.asked.append((start, count))
        return CONTENT[start : start + count]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 1000)


def test_any_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    cache, random = Blocks(tmp_path, 100_000), np.random.default_rng(2)
    source = Source()
    for _ in range(300):
        start, length = (int(n) for n in random.integers(0, SIZE, 2))
        assert cache.read("a" * 64, SIZE, start, length, source) == CONTENT[start : start + length]
    assert sum(count for _, count in source.asked) == SIZE


def test_neighbours_that_are_missing_come_in_one_piece(tmp_path: Path) -> None:
    cache, source = Blocks(tmp_path, 100_000), Source()
    cache.read("ab", SIZE, 4100, 10, source)
    cache.read("ab", SIZE, 2500, 5000, source)
    assert source.asked == [(4000, 1000), (2000, 2000), (5000, 3000)]
    assert cache.read("ab", SIZE, SIZE - 50, 500, source) == CONTENT[-50:]
    assert cache.read("ab", SIZE, SIZE + 5, 500, source) == b""


def test_the_bound_holds_and_what_was_read_last_stays(tmp_path: Path) -> None:
    cache, source = Blocks(tmp_path, 5000), Source()
    for number in range(10):
        cache.read("ab", SIZE, number * 1000, 1, source)
        cache.read("ab", SIZE, 0, 1, source)
        assert sum(path.stat().st_size for path in tmp_path.rglob("*-*")) <= 5000
    assert source.asked.count((0, 1000)) == 1
    again = Blocks(tmp_path, 3000)
    again.read("cd", SIZE, 0, 1, source)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*-*")) <= 3000


def test_a_block_that_was_cut_short_is_fetched_again(tmp_path: Path) -> None:
    cache, source = Blocks(tmp_path, 100_000), Source()
    cache.read("ab", SIZE, 0, SIZE, source)
    next(tmp_path.rglob("ab-3")).write_bytes(b"x")
    assert cache.read("ab", SIZE, 0, SIZE, source) == CONTENT
    assert source.asked[1:] == [(3000, 1000)]


def test_a_cache_that_cannot_be_written_is_said_once_and_does_not_stop_reading(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache, source = Blocks(tmp_path / "file" / "blocks", 100_000), Source()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert cache.read("ab", SIZE, 10, 3000, source) == CONTENT[10:3010]
    assert caplog.text.count("cannot be written") == 1


def test_threads_share_it(tmp_path: Path) -> None:
    cache, source = Blocks(tmp_path, 4000), Source()
    starts = [(i * 7919) % SIZE for i in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: cache.read("ab", SIZE, start, 700, source), starts))
    assert found == [CONTENT[start : start + 700] for start in starts]
