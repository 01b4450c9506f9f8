"""Words in memory, in files and in both are one row of words to a search."""

from pathlib import Path

import numpy as np
import pytest

from captionstew.audio.fingerprint_sources import Sources, Stored
from captionstew.audio.fingerprint_words import Words

WORDS = np.arange(1, 101, dtype=np.uint32)
STARTS = np.array([0, 10, 10, 40, 60, 100], np.int64)


def stored(words: Words, path: Path) -> Stored:
    """These words in a file."""
    words.astype("<u4").tofile(path)
    return Stored(path)


@pytest.fixture(params=["memory", "file", "both"])
def sources(request: pytest.FixtureRequest, tmp_path: Path) -> Sources:
    """The same hundred words in several places."""
    if request.param == "both":
        return Sources((stored(WORDS[:60], tmp_path / "words"), WORDS[60:]), STARTS, 4)
    return Sources((WORDS if request.param == "memory" else stored(WORDS, tmp_path / "words"),), STARTS)


@pytest.mark.parametrize(
    ("begin", "end"), [(0, 100), (0, 0), (3, 4), (55, 65), (60, 60), (60, 100), (90, 200)]
)
def test_any_stretch_can_be_read(sources: Sources, begin: int, end: int) -> None:
    found = sources.read(begin, end)
    assert found.dtype == np.uint32
    assert found.tolist() == WORDS[begin:end].tolist()


@pytest.mark.parametrize("size", [1, 7, 50, 100, 1000])
@pytest.mark.parametrize("margin", [0, 3, 12])
def test_blocks_hold_every_word_once_and_those_around_them(sources: Sources, size: int, margin: int) -> None:
    padded = np.pad(WORDS, margin)
    blocks = list(sources.blocks(size, margin))
    assert [begin for begin, _ in blocks] == list(range(0, 100, size))
    for begin, words in blocks:
        assert words.tolist() == padded[begin : min(begin + size, 100) + 2 * margin].tolist()


def test_places_belong_to_clips(sources: Sources) -> None:
    assert sources.clips_of(np.array([0, 9, 10, 39, 59, 60, 99])).tolist() == [0, 0, 2, 2, 3, 4, 4]
    assert sources.clips_of(np.array([12, 13])).tolist() == [2, 2]
    assert sources.clips_of(np.array([], np.int64)).tolist() == []


def test_nothing_of_a_file_is_mapped_into_memory(tmp_path: Path) -> None:
    words = stored(WORDS, tmp_path / "words")[2:5]
    assert words.tolist() == [3, 4, 5]
    assert not isinstance(words, np.memmap)
    assert stored(np.empty(0, np.uint32), tmp_path / "none")[0:3].tolist() == []
