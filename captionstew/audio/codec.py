"""Bytes of an audio file to mono samples: libsndfile for every format, quicker decoders where they are exact.

Which decoder reads what is decided here alone, for sources and for shards; that is why the file is long.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from captionstew.audio.flac import quick_flac, quick_flac_into, stream_info
from captionstew.audio.mp3 import mp3_frames, with_length
from captionstew.audio.pcm import PcmError, decode_pcm_zstd, decode_pcm_zstd_into
from captionstew.audio.wav import wav_frames

Samples = npt.NDArray[np.float32]
Pcm = npt.NDArray[np.int16]
LOSSLESS = frozenset({"flac", "pcm-zstd"})  # codecs of shards whose samples come back as they were
Audio = bytes | str  # a file's content, or its path

_CONTAINERS = {"WAV": "wav", "WAVEX": "wav", "RF64": "wav", "W64": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3",
               "MPEG": "mp3", "AIFF": "aiff", "AU": "au", "CAF": "caf"}  # fmt: skip
_FLAC_SUBTYPES = {8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"}
_UNKNOWN = 2**63 - 1  # frames of a FLAC stream whose header does not tell them, as libsndfile has it
_BEFORE = 32 * 1152  # frames; an MP3 frame leans on the bytes of up to 23 frames before it
_BLOCK = 1 << 24  # frames; a header that claims more is not believed before they are there

_BEGINNINGS = {b"fLaC": "flac", b"OggS": "opus", b"PCMZ": "pcm-zstd"}


class Undecodable(Exception):
    """These bytes are not audio that can be decoded here; `reason` is the drop reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Format:
    """What a file's headers say, before anything is decoded."""

    container: str
    subtype: str
    sample_rate: int
    channels: int
    frames: int
    counted: bool = False  # the headers do not tell `frames`, or nothing that decoders believe

    @property
    def seconds(self) -> float:
        """Length by the headers."""
        return self.frames / self.sample_rate


def probe(audio: Audio) -> Format:
    """The format by headers alone; Undecodable if they make no sense."""
    return probe_open(audio)[0]


def probe_open(audio: Audio) -> tuple[Format, soundfile.SoundFile | None]:
    """The same, and the file where libsndfile has it open: to open a Vorbis file is to read half of it."""
    if isinstance(audio, bytes) and (form := _flac_form(audio)):
        return form, None
    try:
        info = soundfile.SoundFile(_file(audio))
    except soundfile.LibsndfileError as error:
        if _is_mp4(audio):
            return _probe_mp4(audio), None
        raise Undecodable("unreadable", error.error_string) from None
    container = "opus" if info.subtype == "OPUS" else _CONTAINERS.get(info.format, info.format.lower())
    counted = _counted(audio, container, info.frames)
    frames = counted or max(info.frames, wav_frames(audio) if container == "wav" else 0)
    if frames <= 0 or info.samplerate <= 0:
        raise Undecodable("empty", f"{frames} frames at {info.samplerate} Hz")
    form = Format(container, info.subtype, info.samplerate, info.channels, frames, counted > 0)
    return form, None if counted else info


def decode_mono(
    audio: Audio,
    form: Format,
    first: int = 0,
    count: int | None = None,
    channel: int | None = None,
    file: soundfile.SoundFile | None = None,
) -> Samples:
    """`count` frames from frame `first`, channels averaged: float32 in [-1, 1], shape (frames,).

    Of several channels `channel`, counted from 1, is taken alone where it is given. `file` is what `probe_open`
    opened, nothing read of it yet; it is closed afterwards. Undecodable if fewer frames are there than the headers
    promised (a truncated or lying file).
    """
    wanted = form.frames - first if count is None else min(count, form.frames - first)
    if form.container == "m4a":
        return _decode_mp4(audio, first, wanted, channel)
    whole = isinstance(audio, bytes) and first == 0 and wanted == form.frames < _BLOCK
    if form.container == "flac" and channel is None and (whole or form.counted):
        frames = _decode_flac(_bytes(audio))[first : first + wanted]
    else:
        frames = _decode_soundfile(audio, form, first, wanted, file)
    scale = 1 / 32768 if frames.dtype == np.int16 else 1.0
    # Lossy headers may be off by one codec frame at the end; a hole of 2 % is a broken file.
    if len(frames) < wanted and (form.container in {"flac", "wav"} or len(frames) < 0.98 * wanted):
        raise Undecodable("truncated", f"{len(frames)} of {wanted} frames")
    return mono(_one(frames, channel), scale)[:wanted]


def _one(frames: Samples | Pcm, channel: int | None) -> Samples | Pcm:
    """Channel number `channel` of (frames, channels), or all where it is None or there is only one."""
    return frames if channel is None or frames.ndim == 1 else frames[:, channel - 1]


def mono(frames: Samples | Pcm, scale: float = 1.0) -> Samples:
    """Channels averaged and scaled; (frames, channels) or (frames,) to (frames,)."""
    samples: Samples = frames.astype(np.float32, copy=False)
    if samples.ndim == 1 or samples.shape[1] == 1:
        samples = samples.reshape(-1)
        return samples if scale == 1 else samples * np.float32(scale)
    with np.errstate(invalid="ignore"):  # broken float files hold infinities
        average: Samples = samples @ np.full(samples.shape[1], scale / samples.shape[1], np.float32)
    return average


def codec_of(data: bytes) -> str:
    """The codec of a shard's audio bytes, by how they begin; Undecodable if they begin like none."""
    codec = _BEGINNINGS.get(data[:4])
    if codec is None:
        raise Undecodable("unreadable", f"begins with {data[:4]!r}")
    return codec


def decode_pcm(data: bytes, codec: str) -> tuple[Pcm, int]:
    """A shard's audio bytes as 16-bit mono samples and their rate; Undecodable if they are damaged."""
    if codec == "flac":
        return _decode_flac_pcm(data)
    try:
        if codec == "pcm-zstd":
            return decode_pcm_zstd(data)
        pcm, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    except PcmError as error:
        raise Undecodable("undecodable", str(error)) from None
    except soundfile.LibsndfileError as error:
        raise Undecodable("unreadable", error.error_string) from None
    return pcm, rate


def decode_into(data: bytes, codec: str, out: Pcm) -> int:
    """`out`, one contiguous piece such as a row of a batch, holds all samples of a shard's audio bytes; their rate.

    As `decode_pcm`, without the copies; Undecodable also if there are more or fewer samples than `out` holds.
    """
    if codec == "flac":
        return _decode_flac_into(data, out)
    if codec == "pcm-zstd":
        try:
            return decode_pcm_zstd_into(data, out)
        except PcmError as error:
            raise Undecodable("undecodable", str(error)) from None
    pcm, rate = decode_pcm(data, codec)
    if pcm.shape != out.shape:
        raise Undecodable("truncated", f"{pcm.shape} samples, not {len(out)}")
    out[:] = pcm
    return rate


def _decode_soundfile(
    audio: Audio, form: Format, first: int, count: int, opened: soundfile.SoundFile | None
) -> Samples | Pcm:
    # 16-bit WAV is copied as it is, 14 times faster than through libsndfile's floats.
    exact = form.container == "wav" and form.subtype == "PCM_16"
    source = with_length(audio) if form.container == "mp3" and form.counted else audio
    try:
        with opened or soundfile.SoundFile(_file(source)) as file:
            early = min(first, _BEFORE) if form.container == "mp3" else 0
            if first > early:
                file.seek(first - early)
            frames = _read(file, early + count, "int16" if exact else "float32")[early:]
    except soundfile.LibsndfileError as error:
        raise Undecodable("undecodable", error.error_string) from None
    return frames


def _read(file: soundfile.SoundFile, count: int, dtype: str) -> Samples | Pcm:
    parts = [file.read(min(count, _BLOCK), dtype=dtype)]
    while len(parts[-1]) == _BLOCK and (count := count - _BLOCK):
        parts.append(file.read(min(count, _BLOCK), dtype=dtype))
    frames: Samples | Pcm = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return frames


def _decode_flac(data: bytes) -> Samples | Pcm:
    """dr_flac: bit-exact with libFLAC at 1.6 to 1.9 times its speed; ours, where it can, at 1.8 times that."""
    if quick := quick_flac(data):
        return quick[0]
    lib, ffi = _miniaudio()
    channels, rate, count = ffi.new("unsigned int*"), ffi.new("unsigned int*"), ffi.new("ma_uint64*")
    pointer = lib.ma_dr_flac_open_memory_and_read_pcm_frames_f32(
        data, len(data), channels, rate, count, ffi.NULL
    )
    if pointer == ffi.NULL:
        raise Undecodable("undecodable", "dr_flac finds no frames")
    try:
        view = np.frombuffer(ffi.buffer(pointer, count[0] * channels[0] * 4), np.float32)
        frames = view.reshape(-1, channels[0])
        return mono(frames).copy() if channels[0] == 1 else mono(frames)
    finally:
        lib.ma_dr_flac_free(pointer, ffi.NULL)


def _decode_flac_pcm(data: bytes) -> tuple[Pcm, int]:
    if quick := quick_flac(data):
        return quick
    lib, ffi = _miniaudio()
    channels, rate, count = ffi.new("unsigned int*"), ffi.new("unsigned int*"), ffi.new("ma_uint64*")
    pointer = lib.ma_dr_flac_open_memory_and_read_pcm_frames_s16(
        data, len(data), channels, rate, count, ffi.NULL
    )
    if pointer == ffi.NULL:
        raise Undecodable("undecodable", "dr_flac finds no frames")
    try:
        pcm = np.frombuffer(ffi.buffer(pointer, count[0] * channels[0] * 2), np.int16).copy()
        return pcm.reshape(-1, channels[0])[:, 0] if channels[0] > 1 else pcm, rate[0]
    finally:
        lib.ma_dr_flac_free(pointer, ffi.NULL)


def _decode_flac_into(data: bytes, out: Pcm) -> int:
    if rate := quick_flac_into(data, out):
        return rate
    lib, ffi = _miniaudio()
    decoder = lib.ma_dr_flac_open_memory(data, len(data), ffi.NULL)
    if decoder == ffi.NULL:
        raise Undecodable("undecodable", "dr_flac finds no header")
    try:
        if decoder.channels != 1:
            raise Undecodable("undecodable", f"{decoder.channels} channels in a shard of mono clips")
        got = lib.ma_dr_flac_read_pcm_frames_s16(decoder, len(out), ffi.from_buffer("ma_int16[]", out))
        more = lib.ma_dr_flac_read_pcm_frames_s16(decoder, 1, ffi.new("ma_int16[1]"))
        if got + more != len(out):
            raise Undecodable("truncated", f"{got + more} samples or more, not {len(out)}")
        return int(decoder.sampleRate)
    finally:
        lib.ma_dr_flac_close(decoder)


def _flac_form(data: bytes) -> Format | None:
    """What libsndfile would say of usual FLAC, 40 times as fast."""
    info = stream_info(data)
    subtype = _FLAC_SUBTYPES.get(info.bits, "") if info else ""
    if info is None or not (subtype and info.frames and info.sample_rate):
        return None
    return Format("flac", subtype, info.sample_rate, info.channels, info.frames)


def _file(audio: Audio) -> io.BytesIO | str:
    return io.BytesIO(audio) if isinstance(audio, bytes) else audio


def _bytes(audio: Audio) -> bytes:
    return audio if isinstance(audio, bytes) else Path(audio).read_bytes()


def _counted(audio: Audio, container: str, frames: int) -> int:
    """The number of frames where headers do not tell it, else 0."""
    if container == "mp3":
        return mp3_frames(audio)
    return len(_decode_flac(_bytes(audio))) if container == "flac" and frames == _UNKNOWN else 0


def _is_mp4(audio: Audio) -> bool:
    if isinstance(audio, bytes):
        return audio[4:8] == b"ftyp"
    with open(audio, "rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _miniaudio() -> tuple[Any, Any]:
    import miniaudio

    return miniaudio.lib, miniaudio.ffi


def _probe_mp4(audio: Audio) -> Format:
    with _open_mp4(audio) as container:
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise Undecodable("unreadable", "MP4 with a codec that nobody knows")
        seconds = float(stream.duration * stream.time_base) if stream.duration else 0.0
        frames = round(seconds * stream.rate)
        if frames <= 0:
            raise Undecodable("empty", "no audio frames in the MP4 header")
        return Format("m4a", stream.codec_context.name.upper(), stream.rate, stream.channels, frames)


def _decode_mp4(audio: Audio, first: int, count: int, channel: int | None) -> Samples:
    import av

    with _open_mp4(audio) as container:
        resampler = av.AudioResampler(format="flt")
        parts: list[Samples] = []
        have = 0
        try:
            for frame in container.decode(audio=0):
                for piece in resampler.resample(frame):
                    block = piece.to_ndarray().reshape(-1, len(piece.layout.channels))
                    parts.append(mono(_one(block, channel)))
                    have += len(block)
                if have >= first + count:
                    break
        except av.FFmpegError as error:
            raise Undecodable("undecodable", str(error)) from None
    samples = np.concatenate(parts)[first : first + count] if parts else np.empty(0, np.float32)
    if len(samples) < 0.98 * count:
        raise Undecodable("truncated", f"{len(samples)} of {count} frames")
    return samples


def _open_mp4(audio: Audio) -> Any:
    try:
        import av
    except ModuleNotFoundError:
        raise Undecodable("no-decoder", "m4a needs the extra captionstew[m4a]") from None
    try:
        container = av.open(_file(audio), metadata_errors="ignore")
    except av.FFmpegError as error:
        raise Undecodable("unreadable", str(error)) from None
    if not container.streams.audio:
        container.close()
        raise Undecodable("unreadable", "no audio stream")
    return container
