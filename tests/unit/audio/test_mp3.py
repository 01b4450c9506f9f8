"""The frames of an MP3: all of them, and nothing that only looks like one."""

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from captionstew.audio.codec import decode_mono, probe
from captionstew.audio.mp3 import mp3_frames, with_length

Samples = npt.NDArray[np.float32]
LATE = 529  # samples that a decoder leaves out at the beginning


@pytest.fixture(scope="module")
def stream(
    sine: Callable[..., Samples], audio_bytes: Callable[..., bytes], untagged: Callable[[bytes], bytes]
) -> Callable[..., bytes]:
    """A second of a tone without a tag."""

    def make(rate: int = 16_000, channels: int = 1, mode: str = "VARIABLE") -> bytes:
        sound = np.stack([sine(440, 1.0, rate)] * channels, 1)
        return untagged(audio_bytes(sound, rate, "MP3", "MPEG_LAYER_III", bitrate_mode=mode))

    return make


@pytest.mark.parametrize("rate", [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_every_rate_is_counted_and_decoded_to_that_count(
    stream: Callable[..., bytes], rate: int, channels: int, mode: str
) -> None:
    data = stream(rate, channels, mode)
    count = mp3_frames(data)
    per_frame = 1152 if rate >= 32_000 else 576
    assert (count + LATE) % per_frame == 0
    assert 0 <= count - rate < 3 * 1152
    form = probe(data)
    assert (form.frames, form.sample_rate, form.channels, form.counted) == (count, rate, channels, True)
    assert len(decode_mono(data, form)) == count


def test_a_tag_is_believed(stream: Callable[..., bytes]) -> None:
    assert mp3_frames(with_length(stream())) == 0


def test_the_tag_in_front_changes_no_frame(stream: Callable[..., bytes]) -> None:
    data = stream()
    assert with_length(data).endswith(data)
    assert with_length(b"no frames") == b"no frames"


@pytest.mark.parametrize(
    "junk",
    [b"\xff", b"\xff\xfb\x90\x00" + bytes(30), b"\xff\xf3\x40\xc0" + bytes(9), b"\xff\xfb\x90\xff\xff\xf3\x40\xc0" * 3],
    ids=["sync", "another kind", "same kind", "many"],
)  # fmt: skip
def test_junk_that_looks_like_a_header_is_not_counted(stream: Callable[..., bytes], junk: bytes) -> None:
    data = stream()
    count = mp3_frames(data)
    assert mp3_frames(junk + data) == count
    middle = data.index(data[:3], len(data) // 2)
    assert mp3_frames(data[:middle] + junk + data[middle:]) in {count, count - 576, count - 2 * 576}


def test_headers_of_another_kind_after_the_end_are_not_counted(stream: Callable[..., bytes]) -> None:
    data = stream()
    picture = (b"\xff\xfb\x90\x00" + bytes(500)) * 20
    assert mp3_frames(data + b"APETAGEX" + picture) == mp3_frames(data)


def test_a_frame_that_is_cut_off_is_not_counted(stream: Callable[..., bytes]) -> None:
    data = stream()
    assert mp3_frames(data[:-1]) == mp3_frames(data) - 576


@pytest.mark.parametrize("data", [b"", b"\xff", b"ID3", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"\xff" * 5000])
def test_no_frames_are_none(data: bytes) -> None:
    assert mp3_frames(data) == 0


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("loud_first", [True, False])
def test_an_mp3_without_a_tag_is_counted_frame_by_frame(
    audio_bytes: Callable[..., bytes], untagged: Callable[[bytes], bytes], rate: int, loud_first: bool
) -> None:
    # Decoders take the first frames' bit rate for all: too short after a loud start, too long after a quiet one.
    noise = np.random.default_rng(0).normal(0, 0.2, 4 * rate).clip(-1, 1)
    parts = [noise, np.zeros(8 * rate)]
    sound = np.concatenate(parts if loud_first else parts[::-1])
    tagged = audio_bytes(sound, rate, "MP3", "MPEG_LAYER_III", bitrate_mode="VARIABLE")
    data = untagged(tagged)
    guess = soundfile.info(io.BytesIO(data)).frames
    assert (guess < 0.5 * len(sound)) if loud_first else (guess > 1.2 * len(sound))
    form = probe(data)
    assert form.counted
    assert 0 <= form.frames - len(sound) < 3000
    found = decode_mono(data, form)
    assert len(found) == form.frames
    cut = decode_mono(data, form, 9 * rate, 1000)
    assert np.allclose(cut, found[9 * rate :][:1000], rtol=0, atol=1e-6)


def test_tags_around_an_mp3_are_not_counted(stream: Callable[..., bytes]) -> None:
    data = stream()
    picture = np.random.default_rng(1).bytes(3000) + b"\xff\xe2\x0c\x58\xff\xfb\x90\x00" * 50
    size = bytes((len(picture) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    framed = b"ID3\x04\x00\x00" + size + picture + data + b"TAG" + bytes(125)
    assert probe(framed).frames == probe(data).frames
