"""Encoding: the same samples come back, and the same bytes every time."""

import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from captionstew.audio.codec import Pcm, decode_pcm, probe
from captionstew.audio.encode import ENCODERS, SUFFIXES, encode, encode_flac, encode_opus
from captionstew.errors import RecipeError
from captionstew.stages.encode import Encode

Samples = npt.NDArray[np.float32]
RATE = 16_000


def pcm_of(samples: Samples) -> Pcm:
    """As 16-bit samples."""
    return np.rint(32767 * samples).astype(np.int16)


def pages(ogg: bytes) -> list[bytes]:
    """The pages of an Ogg stream (RFC 3533, section 6)."""
    found = []
    while ogg:
        assert ogg[:4] == b"OggS"
        size = 27 + ogg[26] + sum(ogg[27 : 27 + ogg[26]])
        found.append(ogg[:size])
        ogg = ogg[size:]
    return found


def crc(page: bytes) -> int:
    """The checksum of a page bit by bit: polynomial 0x04C11DB7, no inversion, its own field taken as zero."""
    value = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        value ^= byte << 24
        for _ in range(8):
            value = ((value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 9000),
    level=st.sampled_from([0, 1, 50, 3000, 32767]),
)
def test_flac_gives_back_the_samples(seed: int, length: int, level: int) -> None:
    pcm = np.random.default_rng(seed).integers(-level - 1, level + 1, length).astype(np.int16)
    data = encode_flac(pcm, RATE)
    found, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == RATE
    assert np.array_equal(found, pcm)
    assert np.array_equal(decode_pcm(data, "flac")[0], pcm)
    assert probe(data).frames == length


def test_the_extremes_of_16_bits_survive_flac() -> None:
    pcm = np.array([-32768, 32767, 0, -1, 1] * 100, np.int16)
    assert np.array_equal(decode_pcm(encode_flac(pcm, RATE), "flac")[0], pcm)


def test_a_slice_of_samples_is_encoded_as_its_copy_would_be(melody: Callable[..., Samples]) -> None:
    pcm = pcm_of(melody(1, 2.0))
    assert encode_flac(pcm[::2], RATE) == encode_flac(pcm[::2].copy(), RATE)


@pytest.mark.parametrize("codec", sorted(ENCODERS))
def test_the_same_samples_give_the_same_bytes(melody: Callable[..., Samples], codec: str) -> None:
    pcm = pcm_of(melody(2, 1.5))
    first = encode(pcm, RATE, codec)
    time.sleep(1.1 if codec == "opus" else 0)  # libsndfile seeds Ogg serial numbers with the clock's second
    assert encode(pcm, RATE, codec) == first


@pytest.mark.parametrize("codec", sorted(ENCODERS))
def test_threads_at_work_together_give_the_same_bytes(melody: Callable[..., Samples], codec: str) -> None:
    sounds = [pcm_of(melody(seed, 1.0)) for seed in range(10)]
    alone = [encode(pcm, RATE, codec) for pcm in sounds]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda pcm: encode(pcm, RATE, codec), sounds))
    assert together == alone


@pytest.mark.parametrize("length", [1, 160, 16_000, 70_001])
def test_opus_keeps_length_and_pages_are_valid(melody: Callable[..., Samples], length: int) -> None:
    data = encode_opus(pcm_of(melody(3, 5.0))[:length], RATE)
    found, rate = decode_pcm(data, "opus")
    assert (len(found), rate) == (length, RATE)
    for page in pages(data):
        assert int.from_bytes(page[22:26], "little") == crc(page)
        assert page[14:18] == b"\1\0\0\0"


def test_opus_sounds_like_its_source(melody: Callable[..., Samples]) -> None:
    sound = melody(4, 3.0)
    found, _ = decode_pcm(encode_opus(pcm_of(sound), RATE), "opus")
    assert np.corrcoef(sound[2000:-2000], found[2000:-2000])[0, 1] > 0.9


def test_every_codec_has_a_suffix() -> None:
    assert sorted(SUFFIXES) == sorted(ENCODERS)


def test_an_unknown_codec_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(RecipeError, match="no codec 'mp3'") as caught:
        Encode(codec="mp3")
    assert caught.value.hint == "choose one of flac, opus, pcm-zstd"
