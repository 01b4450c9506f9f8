"""The true length of an MP3 whose header does not tell it."""

from pathlib import Path

_TAGS = (b"Xing", b"Info", b"VBRI")
# kbit/s by bit-rate index, for layer III of MPEG 1 and of MPEG 2 and 2.5 (ISO 11172-3, 2.4.2.3; ISO 13818-3)
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLE_RATES = (44_100, 48_000, 32_000)
_HEADER_SEARCH = 8192  # bytes


def mp3_frames(audio: bytes | str) -> int:
    """Samples per channel counted frame by frame, or 0 where a header tag already tells them.

    Without a tag, decoders guess from the first frame's bit rate: 6.9 times too much was seen on a VBR file.
    """
    data = audio if isinstance(audio, bytes) else Path(audio).read_bytes()
    at = _after_id3(data)
    if any(tag in data[at : at + _HEADER_SEARCH] for tag in _TAGS):
        return 0
    samples = 0
    while at + 4 <= len(data):
        frame = _frame(data[at : at + 4])
        if frame is None:  # junk between frames: find the next sync word
            at = data.find(b"\xff", at + 1)
            if at < 0:
                break
            continue
        length, count = frame
        at += length
        samples += count if at <= len(data) else 0
    return samples


def _after_id3(data: bytes) -> int:
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:  # four bytes of seven bits
        size = (size << 7) | (byte & 0x7F)
    return 10 + size


def _frame(header: bytes) -> tuple[int, int] | None:
    """Bytes and samples of the layer III frame that begins with these four bytes, or None."""
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
