"""A piece out of a shard's audio, without decoding what is before it where the codec can seek."""

from typing import Any

import numpy as np

from captionstew.audio.codec import Pcm, Undecodable, decode_pcm

_TAIL = 256  # samples that are read a second time


def decode_part(data: bytes, codec: str, first: int, out: Pcm) -> None:
    """`out`, one contiguous piece, holds the samples from number `first` on; Undecodable if they are damaged.

    In FLAC a frame that is missing inside the piece is found but for rare cases; only decoding all finds every one.
    """
    if codec == "flac":
        _decode_flac_part(data, first, out)
        return
    pcm, _ = decode_pcm(data, codec)
    if len(pcm) < first + len(out):
        raise Undecodable("truncated", f"{len(pcm)} samples, not {first + len(out)} or more")
    out[:] = pcm[first : first + len(out)]


def _decode_flac_part(data: bytes, first: int, out: Pcm) -> None:
    from miniaudio import ffi, lib

    decoder = lib.ma_dr_flac_open_memory(data, len(data), ffi.NULL)
    if decoder == ffi.NULL:
        raise Undecodable("undecodable", "dr_flac finds no header")
    try:
        if decoder.channels != 1:
            raise Undecodable("undecodable", f"{decoder.channels} channels in a shard of mono clips")
        _read_from(decoder, first, out)
        # dr_flac passes over a broken frame: what follows has then moved forward, and its end is not where it was.
        again = np.empty(min(_TAIL, len(out)), np.int16)
        _read_from(decoder, first + len(out) - len(again), again)
        if not np.array_equal(again, out[len(out) - len(again) :]):
            raise Undecodable("truncated", f"a frame is missing in the {len(out)} samples from {first} on")
    finally:
        lib.ma_dr_flac_close(decoder)


def _read_from(decoder: Any, first: int, out: Pcm) -> None:
    from miniaudio import ffi, lib

    lib.ma_dr_flac_seek_to_pcm_frame(decoder, 0)  # else it counts from where it believes to be
    if not lib.ma_dr_flac_seek_to_pcm_frame(decoder, first):
        raise Undecodable("truncated", f"there is no sample {first}")
    got = lib.ma_dr_flac_read_pcm_frames_s16(decoder, len(out), ffi.from_buffer("ma_int16[]", out))
    if got != len(out):
        raise Undecodable("truncated", f"{got} of the {len(out)} samples from {first} on")
