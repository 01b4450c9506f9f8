"""Pieces of a shard's audio."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from captionstew.audio.codec import Undecodable, decode_pcm
from captionstew.audio.crop import decode_part
from captionstew.audio.encode import encode
from captionstew.audio.pcm import encode_pcm_zstd
from captionstew.audio.signal import quantise


@pytest.fixture(scope="module")
def coded(melody: Callable[..., Any]) -> dict[str, bytes]:
    """Twenty seconds in every codec of shards."""
    pcm = quantise(melody(3, 20.0))
    return {"flac": encode(pcm, 16_000, "flac"), "pcm-zstd": encode_pcm_zstd(pcm, 16_000)}


@pytest.mark.parametrize("codec", ["flac", "pcm-zstd"])
@pytest.mark.parametrize(
    ("first", "count"), [(0, 10), (1, 16_000), (4_095, 2), (123_457, 50_001), (319_990, 10)]
)
def test_a_piece_is_that_of_the_whole(coded: dict[str, bytes], codec: str, first: int, count: int) -> None:
    out = np.full(count, 7, np.int16)
    decode_part(coded[codec], codec, first, out)
    assert np.array_equal(out, decode_pcm(coded[codec], codec)[0][first : first + count])


@pytest.mark.parametrize("codec", ["flac", "pcm-zstd"])
@pytest.mark.parametrize("first", [319_991, 320_000, 999_999])
def test_a_piece_beyond_the_end_is_truncated(coded: dict[str, bytes], codec: str, first: int) -> None:
    with pytest.raises(Undecodable, match="truncated"):
        decode_part(coded[codec], codec, first, np.empty(10, np.int16))


def test_damage_inside_the_piece_is_found(coded: dict[str, bytes]) -> None:
    data = bytearray(coded["flac"])
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    with pytest.raises(Undecodable, match="truncated"):
        decode_part(bytes(data), "flac", 100_000, np.empty(120_000, np.int16))
    with pytest.raises(Undecodable):
        decode_part(b"fLaC and no more", "flac", 0, np.empty(10, np.int16))
