"""Sounds: where a clip lies in its file, and how long it is."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from captionstew.audio.codec import Format
from captionstew.pipeline.sound import Sound, Source

FORM = Format("wav", "PCM_16", 1000, 1, 10_000)  # 10 s


def sound(first: float | None = None, last: float | None = None) -> Sound:
    return Sound("a:1", Source("a.wav"), first, last, FORM)


@pytest.mark.parametrize(
    ("first", "last", "span"),
    [
        (None, None, (0, 10_000)),
        (0.0, 10.0, (0, 10_000)),
        (2.5, 4.0, (2500, 1500)),
        (2.0004, 3.0006, (2000, 1001)),
        (8.0, 30.0, (8000, 2000)),
        (8.0, None, (8000, 2000)),
        (None, 3.0, (0, 3000)),
        (10.0, 20.0, (10_000, 0)),
        (99.0, None, (10_000, 0)),
        (5.0, 5.0, (5000, 0)),
        (5.0, 4.0, (5000, 0)),
        (-1.0, 4.0, (0, 0)),
    ],
)
def test_a_clip_is_cut_out_of_its_recording(
    first: float | None, last: float | None, span: tuple[int, int]
) -> None:
    assert sound(first, last).span == span


def test_seconds_are_exact_once_the_samples_are_known() -> None:
    clip = sound(2.0, 5.0)
    assert clip.seconds == 3.0
    clip.pcm, clip.sample_rate = np.zeros(47_990, np.int16), 16_000
    assert clip.seconds == 47_990 / 16_000


def test_windows_of_a_recording_cover_it_without_a_gap() -> None:
    form = Format("mp3", "MPEG_LAYER_III", 44_100, 2, 44_100 * 100 + 17)
    spans = [Sound("a", Source("a"), at / 3, (at + 1) / 3, form).span for at in range(300)]
    assert all(first + count == after for (first, count), (after, _) in pairwise(spans))


def test_a_source_is_a_file_or_a_part_of_one(tmp_path: Path) -> None:
    path = tmp_path / "part.tar"
    path.write_bytes(b"0123456789")
    assert Source(str(path)).read() == b"0123456789"
    assert Source(str(path), 2, 3).read() == b"234"
    assert Source(str(path), 8, 5).read() == b"89"  # the archive ends early: decoding will tell
