"""Numbers of the report."""

from collections import Counter

import numpy as np
import pytest

from captionstew.report.facts import (
    LISTED,
    Quantiles,
    binned,
    gone,
    length_edges,
    quantiles,
    spread,
    verdicts,
    words_binned,
    work,
)
from captionstew.report.source import Source


def test_quantiles_of_counted_values_are_those_of_the_values() -> None:
    random = np.random.default_rng(3)
    for size in (1, 2, 7, 100, 1001):
        values = random.integers(0, 30, size)
        found = spread(Counter(values.tolist()))
        whole = np.sort(values)
        assert (found.least, found.most) == (whole[0], whole[-1])
        for share, value in ((0.05, found.p5), (0.5, found.p50), (0.95, found.p95)):
            assert (whole <= value).mean() >= share > (whole < value).mean() or value == whole[0]
        assert found.mean == pytest.approx(values.mean())
    assert spread({}) == quantiles(np.empty(0)) == Quantiles()


def test_quantiles_are_values_that_are_there() -> None:
    values = np.array([1.0, 2.0, 10.0, 11.0], np.float32)
    found = quantiles(values)
    assert {found.least, found.p5, found.p50, found.p95, found.most} <= set(values.tolist())
    assert found.mean == 6.0


def test_bins_hold_every_value_whatever_the_lengths() -> None:
    for several in ([np.array([5.0, 5.0])], [np.array([0.1, 3.0]), np.array([3600.0])], [np.empty(0)], []):
        edges = length_edges(several)
        assert edges == sorted(edges)
        assert sum(sum(binned(values, edges)) for values in several) == sum(map(len, several))


def test_the_last_bin_of_words_takes_all_that_are_longer() -> None:
    assert words_binned({0: 1, 3: 2, 9: 4, 400: 8}, 5) == [1, 0, 0, 2, 0, 12]


def test_of_dropped_clips_some_are_listed_spread_over_their_ids(build: Source) -> None:
    found = gone(build)
    missing, short = found["clotho", "locate", "missing"], found["clotho", "locate", "short"]
    assert (missing.clips, short.clips) == (40, 5)
    assert len(missing.listed) == LISTED
    assert [clip_id for clip_id, _ in missing.listed][::19] == ["fs:100", "fs:138"]
    assert len(short.listed) == 5


def test_verdicts_are_counted_and_the_rejected_listed_by_reason(build: Source) -> None:
    found = verdicts(build)
    assert found.counts == {"kept": 4, "invented-sound": 1, "refusal": 1}
    assert list(found.rejected) == ["invented-sound", "refusal"]
    (one,) = found.rejected["invented-sound"]
    assert (one.clip_id, one.detail) == ("fs:4", "thunder")


def test_pieces_of_the_audio_pass_add_up_and_its_settling_counts_no_clip_twice(build: Source) -> None:
    read, audio = work(build.entries)
    assert (read.received, read.seconds) == (57, 1.5)
    assert (audio.pieces, audio.received, audio.kept, audio.seconds) == (2, 10, 10, 5.25)
