"""The shard codec for speed: the same samples come back, and nothing else is believed."""

import struct
import tracemalloc
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionstew.audio.codec import Undecodable, decode_into, decode_pcm
from captionstew.audio.encode import encode, encode_flac
from captionstew.audio.pcm import Pcm, PcmError, decode_pcm_zstd, encode_pcm_zstd

Samples = npt.NDArray[np.float32]
RATE = 16_000
HEADER = struct.Struct("<4sIQIII")  # magic, version, sum, order, rate, samples


def slow_twin(data: bytes) -> list[int]:
    """The samples as the module's docstring says that they are stored, one after the other."""
    _, _, total, order, _, count = HEADER.unpack_from(data)
    padded = data[16:] + bytes(-len(data) % 8)
    assert total == sum(struct.unpack(f"<{len(padded) // 8}Q", padded)) % 2**64
    planes = pa.decompress(data[HEADER.size :], 2 * count, codec="zstd", asbytes=True)
    signed = [byte - 256 * (byte > 127) for byte in planes]
    pcm, last = [], 0
    for low, high in zip(signed[:count], signed[count:], strict=True):
        last = low + 256 * high + last * order
        last = (last + 32768) % 65536 - 32768
        pcm.append(last)
    return pcm


def order(data: bytes) -> int:
    """Whether differences were taken."""
    return int(HEADER.unpack_from(data)[3])


def with_header(data: bytes, **changes: int | bytes) -> bytes:
    """The bytes with other fields in their header, and the check sum that belongs to them unless it is given."""
    names = ("magic", "version", "sum", "order", "rate", "samples")
    fields = dict(zip(names, HEADER.unpack_from(data), strict=True)) | changes
    made = HEADER.pack(*fields.values()) + data[HEADER.size :]
    padded = made[16:] + bytes(-len(made) % 8)
    total = sum(struct.unpack(f"<{len(padded) // 8}Q", padded)) % 2**64
    return made if "sum" in changes else made[:8] + total.to_bytes(8, "little") + made[16:]


@pytest.fixture(scope="module")
def tone(sine: Callable[..., Samples]) -> Pcm:
    noise = np.random.default_rng(2).integers(-20, 20, 5 * RATE)
    return (sine(200, 5.0) * 32767 + noise).astype(np.int16)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1), length=st.integers(1, 3000),
    level=st.sampled_from([0, 1, 127, 128, 129, 3000, 32767]), smooth=st.booleans(),
)  # fmt: skip
def test_the_samples_come_back_as_they_were(seed: int, length: int, level: int, smooth: bool) -> None:
    pcm = np.random.default_rng(seed).integers(-level - 1, level + 1, length).astype(np.int16)
    if smooth:
        pcm = np.cumsum(pcm // 64, dtype=np.int16)
    data = encode_pcm_zstd(pcm, RATE)
    found, rate = decode_pcm_zstd(data)
    assert (rate, found.dtype.str) == (RATE, "<i2")
    assert np.array_equal(found, pcm)
    assert slow_twin(data) == pcm.tolist()


@pytest.mark.parametrize("length", [1, 65_535, 65_536, 65_537, 200_001])
def test_smooth_sounds_of_any_length_come_back(length: int) -> None:
    pcm = (20_000 * np.cos(np.arange(length) / 40)).astype(np.int16)
    data = encode_pcm_zstd(pcm, 48_000)
    assert order(data) == (length > 1), "differences were meant to be tried here"
    assert np.array_equal(decode_pcm_zstd(data)[0], pcm)


def test_differences_that_overflow_come_back_without_a_warning() -> None:
    pcm = np.tile(np.array([-32768, 32767, 0, 32767, -32768, -1], np.int16), 40_000)
    slow = np.repeat(np.array([-32768, 32767], np.int16), 70_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sound in (pcm, slow):
            assert np.array_equal(decode_pcm_zstd(encode_pcm_zstd(sound, RATE))[0], sound)


def test_noise_is_kept_without_differences_and_tones_with_them(tone: Pcm) -> None:
    noise = np.random.default_rng(1).integers(-9000, 9000, 16_000).astype(np.int16)
    assert (order(encode_pcm_zstd(noise, RATE)), order(encode_pcm_zstd(tone, RATE))) == (0, 1)
    assert len(encode_pcm_zstd(tone, RATE)) < 0.75 * tone.nbytes


def test_a_slice_of_samples_is_encoded_as_its_copy_would_be(tone: Pcm) -> None:
    assert encode_pcm_zstd(tone[::2], RATE) == encode_pcm_zstd(tone[::2].copy(), RATE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"magic": b"fLaC"}, "it begins with b'fLaC'"),
        ({"version": 2}, "version 2, order 1 is not known"),
        ({"order": 2}, "version 1, order 2 is not known"),
        ({"rate": 0}, "80000 samples at 0 Hz"),
        ({"samples": 79_999}, "ZSTD"),
        ({"samples": 80_001}, "ZSTD"),
        ({"samples": 2**32 - 1}, "4294967295 samples"),
        ({"sum": 7}, "do not add up"),
    ],
)
def test_a_header_that_lies_is_refused(tone: Pcm, changes: dict[str, int | bytes], said: str) -> None:
    data = with_header(encode_pcm_zstd(tone, RATE), **changes)
    with pytest.raises(PcmError, match=said):
        decode_pcm_zstd(data)
    with pytest.raises(Undecodable, match=f"undecodable: .*{said}"):
        decode_pcm(data, "pcm-zstd")


def test_a_few_bytes_cannot_claim_much_memory(tone: Pcm) -> None:
    small = encode_pcm_zstd(tone[:10], RATE)
    tracemalloc.start()
    with pytest.raises(PcmError, match="268435456 samples at 16000 Hz in"):
        decode_pcm_zstd(with_header(small, samples=1 << 28))
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_no_samples_are_no_harm() -> None:
    assert decode_pcm_zstd(encode_pcm_zstd(np.empty(0, np.int16), RATE))[0].shape == (0,)


def test_minutes_of_silence_is_believed() -> None:
    silence = np.zeros(225 * RATE, np.int16)
    data = encode_pcm_zstd(silence, RATE)
    assert len(data) < 1000
    assert not decode_pcm_zstd(data)[0].any()


def test_every_flipped_bit_and_every_cut_is_noticed(tone: Pcm) -> None:
    data = encode_pcm_zstd(tone[:600], RATE)
    for at in range(len(data) * 8):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(PcmError):
            decode_pcm_zstd(bytes(changed))
    for end in range(0, len(data), 7):
        with pytest.raises(PcmError):
            decode_pcm_zstd(data[:end])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes_either_decode_or_are_refused(data: bytes) -> None:
    for candidate in (data, b"PCMZ\1\0\0\0" + data):
        with pytest.raises(PcmError):
            decode_pcm_zstd(candidate)


@pytest.mark.parametrize("codec", ["flac", "pcm-zstd", "opus"])
def test_a_row_of_a_batch_is_filled_with_the_samples_and_nothing_beside_them(tone: Pcm, codec: str) -> None:
    data = encode(tone, RATE, codec)
    batch = np.full((3, len(tone) + 5), 99, np.int16)
    assert decode_into(data, codec, batch[1, : len(tone)]) == RATE
    assert np.array_equal(batch[1, : len(tone)], decode_pcm(data, codec)[0])
    assert (batch[0] == 99).all()
    assert (batch[1, len(tone) :] == 99).all()
    for length in (len(tone) - 1, len(tone) + 1):
        with pytest.raises(Undecodable):
            decode_into(data, codec, batch[1, :length])
        assert (batch[2] == 99).all()


def test_a_stereo_flac_cannot_overrun_a_row(tone: Pcm, audio_bytes: Callable[..., bytes]) -> None:
    stereo = audio_bytes(np.stack([tone, tone], 1), RATE, "FLAC")
    with pytest.raises(Undecodable, match="2 channels"):
        decode_into(stereo, "flac", np.empty(len(tone), np.int16))
    with pytest.raises(Undecodable, match="undecodable"):
        decode_into(b"fLaC", "flac", np.empty(9, np.int16))


def test_a_flac_that_does_not_tell_its_length_fills_a_row(tone: Pcm) -> None:
    data = encode_flac(tone, RATE)
    fields = (
        int.from_bytes(data[18:26], "big") >> 36 << 36
    )  # samples in STREAMINFO: 0 is unknown (RFC 9639, 8.2)
    row = np.empty(len(tone), np.int16)
    assert decode_into(data[:18] + fields.to_bytes(8, "big") + data[26:], "flac", row) == RATE
    assert np.array_equal(row, tone)


def test_threads_at_work_together_decode_the_same_samples(melody: Callable[..., Samples]) -> None:
    sounds = [(melody(seed, 1.0) * 32767).astype(np.int16) for seed in range(10)]
    coded = [encode_pcm_zstd(pcm, RATE) for pcm in sounds]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decode_pcm_zstd, coded * 10))
    assert all(np.array_equal(found, sounds[i % 10]) for i, (found, _) in enumerate(together))
