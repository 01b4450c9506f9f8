"""Samples to the bytes of an audio file; the same samples give the same bytes."""

import io
from functools import cache

import numpy as np
import soundfile

from captionstew.corpora.sampler.take import Samples

_FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}


def encoded(sound: Samples, sample_rate: int, suffix: str) -> bytes:
    """The bytes of a file with that suffix; lossless ones hold the samples rounded to 16 bits."""
    container, subtype = _FORMATS[suffix]
    pcm = np.rint(np.clip(sound, -1, 1) * np.float32(32767)).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, sample_rate, format=container, subtype=subtype)
    return _fixed_serial(buffer.getvalue()) if container == "OGG" else buffer.getvalue()


def _fixed_serial(data: bytes) -> bytes:
    """The same Ogg stream with serial number 1: libsndfile draws it from the clock (RFC 3533, section 6)."""
    pages, start = bytearray(data), 0
    while start < len(pages):
        num_segments = pages[start + 26]
        end = start + 27 + num_segments + sum(pages[start + 27 : start + 27 + num_segments])
        pages[start + 14 : start + 18] = (1).to_bytes(4, "little")
        pages[start + 22 : start + 26] = bytes(4)
        pages[start + 22 : start + 26] = _checksum(pages[start:end]).to_bytes(4, "little")
        start = end
    return bytes(pages)


def _checksum(page: bytes | bytearray) -> int:
    table, total = _checksum_table(), 0
    for byte in page:
        total = ((total << 8) & 0xFFFFFFFF) ^ table[(total >> 24) ^ byte]
    return total


@cache
def _checksum_table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = ((value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        return value

    return tuple(entry(byte << 24) for byte in range(256))
