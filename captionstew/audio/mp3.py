"""The true length of an MP3 whose header does not tell it."""

from collections.abc import Iterator
from pathlib import Path

_TAGS = (b"Xing", b"Info", b"VBRI")
# kbit/s by bit-rate index, for layer III of MPEG 1 and of MPEG 2 and 2.5 (ISO 11172-3, 2.4.2.3; ISO 13818-3)
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLE_RATES = (44_100, 48_000, 32_000)
_HEADER_SEARCH = 8192  # bytes
_DELAY = 529  # samples by which every decoder is late; mpg123 leaves them out
_ROOMY = 9  # bit-rate index of a frame that holds a tag: 128 or 80 kbit/s


def mp3_frames(audio: bytes | str) -> int:
    """Samples per channel counted frame by frame, or 0 where a header tag already tells them.

    Without a tag, decoders guess from the first frame's bit rate: 6.9 times too much was seen on a VBR file.
    """
    data = _bytes(audio)
    at = _after_id3(data)
    if any(tag in data[at : at + _HEADER_SEARCH] for tag in _TAGS):
        return 0
    return max(0, sum(samples for _, samples in _frames(data)) - _DELAY)


def with_length(audio: bytes | str) -> bytes:
    """The same stream with a tag in front that tells its length: decoders stop where their guess ends."""
    data = _bytes(audio)
    at = [start for start, _ in _frames(data)]
    if not at:
        return data
    header = bytearray(data[at[0] : at[0] + 4])
    header[1] |= 1  # no checksum
    header[2] = _ROOMY << 4 | header[2] & 0x0C
    frame = _frame(bytes(header))
    assert frame is not None, f"not a frame: {header.hex()}"
    first_version, one_channel = header[1] >> 3 & 1, header[3] >> 6 == 3
    side = (
        (17 if one_channel else 32) if first_version else (9 if one_channel else 17)
    )  # bytes of side information
    tag = (
        b"Xing" + (1).to_bytes(4, "big") + len(at).to_bytes(4, "big")
    )  # flag 1: the number of frames follows
    return (bytes(header) + bytes(side) + tag).ljust(frame[0], b"\0") + data[at[0] :]


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each whole frame begins, and its samples. What is between frames, such as tags, is passed over."""
    at, kind = _after_id3(data), b""
    while at + 4 <= len(data):
        frame = _frame(data[at : at + 4])
        end = at + frame[0] if frame else 0
        if frame and (_kind(data, at) == kind if kind else end == len(data) or _same(data, at, end)):
            kind = _kind(data, at)
            if end <= len(data):
                yield at, frame[1]
            at = end
        else:  # junk: find the next sync word
            at = data.find(b"\xff", at + 1)
            if at < 0:
                return


def _same(data: bytes, at: int, end: int) -> bool:
    """Whether a frame of the same kind begins at `end`: four bytes alone may look like a header by chance."""
    return _frame(data[end : end + 4]) is not None and _kind(data, at) == _kind(data, end)


def _kind(data: bytes, at: int) -> bytes:
    """Version, layer and sample rate: the same in all frames of a stream."""
    return bytes((data[at + 1] & 0xFE, data[at + 2] & 0x0C))


def _bytes(audio: bytes | str) -> bytes:
    return audio if isinstance(audio, bytes) else Path(audio).read_bytes()


def _after_id3(data: bytes) -> int:
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:  # four bytes of seven bits
        size = (size << 7) | (byte & 0x7F)
    return 10 + size


def _frame(header: bytes) -> tuple[int, int] | None:
    """Bytes and samples of the layer III frame that begins with these four bytes, or None."""
    if len(header) < 4:
        return None
    first, second, third = header[0], header[1], header[2]
    version, layer = (second >> 3) & 3, (second >> 1) & 3
    rate_index, sample_index = third >> 4, (third >> 2) & 3
    if (
        first != 0xFF
        or second < 0xE0
        or version == 1
        or layer != 1
        or rate_index in (0, 15)
        or sample_index == 3
    ):
        return None
    kilobits = (_RATES_1 if version == 3 else _RATES_2)[rate_index]
    sample_rate = _SAMPLE_RATES[sample_index] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 1152 if version == 3 else 576
    return samples * 125 * kilobits // sample_rate + ((third >> 1) & 1), samples
