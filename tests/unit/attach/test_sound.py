"""Copies of a recording sound alike, other recordings do not."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from captionstew.attach import sound
from captionstew.attach.sound import alike
from captionstew.audio.fingerprint import fingerprint

RATE = 16_000
Melody = Callable[..., npt.NDArray[np.float32]]


def _print(samples: npt.NDArray[Any]) -> bytes:
    return fingerprint(np.round(samples * 32767).astype(np.int16), RATE).astype("<u4").tobytes()


def _copy(samples: npt.NDArray[Any], container: str, subtype: str) -> npt.NDArray[np.float32]:
    """The samples after a lossy codec."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format=container, subtype=subtype)
    decoded, _ = soundfile.read(io.BytesIO(buffer.getvalue()), dtype="float32")
    return np.asarray(decoded, np.float32)


def test_lossy_copies_are_alike_and_other_melodies_are_not(melody: Melody) -> None:
    originals = [melody(seed) for seed in range(6)]
    prints = [_print(samples) for samples in originals]
    copies = [_print(_copy(samples, "OGG", "OPUS")) for samples in originals]
    assert alike(copies, prints, most=8).all()
    assert not alike(copies[1:], prints[:-1], most=8).any()


def test_a_copy_that_begins_a_little_later_is_alike_only_within_the_bound(melody: Melody) -> None:
    samples = melody(3)
    for late, most, same in ((0.25, 8, True), (0.25, 1, False), (1.5, 8, False)):
        moved = samples[round(late * RATE) :]
        assert alike([_print(moved)], [_print(samples)], most).tolist() == [same]
        assert alike([_print(samples)], [_print(moved)], most).tolist() == [same]


def test_what_is_too_short_or_silent_is_alike_to_nothing(melody: Melody) -> None:
    short, silent = _print(melody(1)[:8000]), _print(np.zeros(5 * RATE))
    assert short == b""
    assert alike([short, silent, silent], [short, silent, _print(melody(1))], most=8).tolist() == [False] * 3
    assert alike([], [], most=8).tolist() == []


def test_pairs_of_all_lengths_keep_their_places_whatever_fits_at_a_time(
    melody: Melody, monkeypatch: Any
) -> None:
    prints = [_print(melody(seed, seconds=seconds)) for seed, seconds in enumerate((4, 1.5, 9, 2, 3))]
    theirs = [prints[0], prints[2], prints[2], prints[3], prints[1]]
    expected = [True, False, True, True, False]
    assert alike(prints, theirs, most=4).tolist() == expected
    monkeypatch.setattr(sound, "_AT_ONCE", 100)
    assert alike(prints, theirs, most=4).tolist() == expected
