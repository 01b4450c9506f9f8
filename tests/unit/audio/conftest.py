"""One short sound in every container that is read."""

import io
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Samples = npt.NDArray[np.float32]
RATE = 16_000


@pytest.fixture(scope="session")
def m4a() -> Callable[..., bytes]:
    """Samples of one or two channels as AAC in MP4."""
    av = pytest.importorskip("av", reason="m4a needs PyAV")

    def make(samples: Samples, rate: int = RATE) -> bytes:
        channels = samples.reshape(len(samples), -1).T
        layout = "mono" if len(channels) == 1 else "stereo"
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=rate)
            stream.layout = layout
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def untagged() -> Callable[[bytes], bytes]:
    """An MP3 without its first frame, which holds the tag that tells the length."""

    def strip(data: bytes) -> bytes:
        second = data.find(data[:2], 4)
        assert data[:1] == b"\xff", "no frames"
        assert any(tag in data[:second] for tag in (b"Xing", b"Info")), "there is no tag"
        return data[second:]

    return strip


@pytest.fixture(scope="session")
def every(
    sine: Callable[..., Samples], audio_bytes: Callable[..., bytes], m4a: Callable[..., bytes]
) -> dict[str, bytes]:
    """The same second of a tone in every container, by name."""
    tone = sine(440, 1.0)
    forms: dict[str, tuple[Any, ...]] = {
        "wav 8": ("WAV", "PCM_U8"), "wav 16": ("WAV", "PCM_16"), "wav 24": ("WAV", "PCM_24"),
        "wav 32": ("WAV", "PCM_32"), "wav float": ("WAV", "FLOAT"), "wav extensible": ("WAVEX", "PCM_16"),
        "flac 16": ("FLAC", "PCM_16"), "flac 24": ("FLAC", "PCM_24"), "aiff": ("AIFF", "PCM_16"),
        "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III"),
    }  # fmt: skip
    return {name: audio_bytes(tone, RATE, *form) for name, form in forms.items()} | {"m4a": m4a(tone)}
