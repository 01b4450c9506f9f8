"""Fingerprints of a table become a set in the order of rank, and leave nothing behind."""

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from captionstew.pipeline.prints import prints_of


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that is this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def table(prints: dict[int, list[int]]) -> pl.LazyFrame:
    """Fingerprints by rank."""
    rows = [(rank, np.array(words, "<u4").tobytes()) for rank, words in prints.items()]
    return pl.LazyFrame(rows, schema={"rank": pl.UInt64, "fingerprint": pl.Binary}, orient="row")


@pytest.mark.parametrize("order", [[2, 5, 9], [9, 2, 5], [5, 9, 2]])
def test_clips_come_in_the_order_of_rank(order: list[int]) -> None:
    prints = {2: [1, 2, 3], 5: [], 9: [7, 8]}
    with prints_of(table({rank: prints[rank] for rank in order})) as found:
        assert found.keys.tolist() == [2, 5, 9]
        assert found.starts.tolist() == [0, 3, 3, 5]
        assert found.words[:].tolist() == [1, 2, 3, 7, 8]


def test_its_files_are_gone_afterwards(temporary: Path) -> None:
    with prints_of(table({1: [4], 0: [5]})) as found:
        assert len(list(temporary.iterdir())) == 1
        assert len(found) == 2
    assert list(temporary.iterdir()) == []


def test_no_clips_are_no_prints() -> None:
    with prints_of(table({})) as found:
        assert (len(found), found.words[:].tolist(), found.starts.tolist()) == (0, [], [0])
