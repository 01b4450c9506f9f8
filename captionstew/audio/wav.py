"""How many frames the header of a WAV promises; libsndfile tells only how many are there."""

import io
from typing import BinaryIO

_PLAIN = {1, 3, 6, 7, 0xFFFE}  # PCM, float, A-law, mu-law, extensible: frames are data size / block size
_ENDLESS = 0x7FFFF000  # bytes; streams are written with this size or more, since nobody knew it yet
_SLACK = 44  # bytes; some writers count the header in


def wav_frames(audio: bytes | str) -> int:
    """The promise of a RIFF file whose data does not hold it; 0 where it is kept, or there is none."""
    with io.BytesIO(audio) if isinstance(audio, bytes) else open(audio, "rb") as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(12)
        return _promise(file, end) if head[:4] == b"RIFF" and head[8:] == b"WAVE" else 0


def _promise(file: BinaryIO, end: int) -> int:
    block = 0
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        start = file.tell()
        if head[:4] == b"data":
            broken = start + size > end + _SLACK and size < _ENDLESS
            return size // block if block and broken else 0
        if head[:4] == b"fmt ":
            fields = file.read(16)
            plain = int.from_bytes(fields[:2], "little") in _PLAIN
            block = int.from_bytes(fields[12:14], "little") if plain else 0
        file.seek(start + size + size % 2)
    return 0
