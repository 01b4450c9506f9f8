"""A clip's sound for a page: some seconds as Opus, its outline, and a small picture of its spectrogram."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from captionstew.audio.codec import Pcm, decode_pcm
from captionstew.audio.encode import encode
from captionstew.audio.signal import resample

# Hz that Opus knows (RFC 6716, section 2), but for 48,000, which takes twice the bytes and adds little here.
_RATES = (8_000, 12_000, 16_000, 24_000)
_COLUMNS = 120  # of the outline
_FRAMES, _BANDS = 320, 96  # of the spectrogram
_RANGE = 70.0  # dB below the loudest
_QUALITY = 60  # of WebP: about 6 kB, of noise 12 kB
_WINDOW = 1024 / 16_000  # s
_SMALLEST = 1e-10  # of a power
TICKS = (100, 500, 1000, 2000, 4000, 8000, 16_000)  # Hz


@dataclass(frozen=True)
class Sound:
    """`seconds` of a clip from its beginning."""

    seconds: float
    opus: bytes
    outline: str  # an SVG path in a box of `_COLUMNS` by 40
    picture: bytes  # WebP, low frequencies below
    ticks: tuple[tuple[int, float], ...]  # Hz and where they are in the picture, 0 at the bottom, 1 on top

    @property
    def address(self) -> str:
        """The Opus as a data URI."""
        return f"data:audio/ogg;base64,{base64.b64encode(self.opus).decode()}"

    @property
    def image(self) -> str:
        """The picture as a data URI."""
        return f"data:image/webp;base64,{base64.b64encode(self.picture).decode()}"


def sound(audio: bytes, codec: str, longest: float) -> Sound:
    """The first `longest` seconds; the same bytes for the same audio. Undecodable if it is damaged."""
    pcm, rate = decode_pcm(audio, codec)
    pcm = pcm[: round(longest * rate)]
    opus = encode(*_known(pcm, rate), "opus")
    levels, ticks = _spectrogram(pcm, rate)
    return Sound(len(pcm) / rate, opus, _outline(pcm), _picture(levels), ticks)


def _known(pcm: Pcm, rate: int) -> tuple[Pcm, int]:
    """At a rate that Opus knows, the next above, or the highest here."""
    if rate in _RATES:
        return pcm, rate
    wanted = next((known for known in _RATES if known > rate), _RATES[-1])
    floats = resample(pcm.astype(np.float32) / np.float32(32768), rate, wanted)
    return np.clip(np.rint(floats * 32768), -32768, 32767).astype(np.int16), wanted


def _outline(pcm: Pcm) -> str:
    """The peaks above and below zero, the loudest at the edge; silence is a line."""
    parts = np.array_split(pcm.astype(np.int32), min(_COLUMNS, max(1, len(pcm))))
    above = np.array([part.max(initial=0) for part in parts], float)
    below = np.array([part.min(initial=0) for part in parts], float)
    most = max(above.max(), -below.min(), 1.0)
    wide = _COLUMNS / len(parts)
    tops = [f"{at * wide + wide / 2:g},{19.5 - 18.5 * value / most:.0f}" for at, value in enumerate(above)]
    bottoms = [f"{at * wide + wide / 2:g},{20.5 - 18.5 * value / most:.0f}" for at, value in enumerate(below)]
    return f"M0,20L{'L'.join(tops)}L{_COLUMNS},20L{'L'.join(reversed(bottoms))}Z"


def _spectrogram(pcm: Pcm, rate: int) -> tuple[npt.NDArray[np.float32], tuple[tuple[int, float], ...]]:
    """Mel bands in dB below the loudest, (bands, frames), 0 to 1; and where some frequencies are.

    Equal to `librosa.feature.melspectrogram`. Only its filters are imported: the rest of librosa is compiled on first
    use, which takes half a minute on a machine, or in a container, that has not done so before.
    """
    from librosa.filters import mel, mel_frequencies

    window = 2 ** round(np.log2(_WINDOW * rate))
    hop = max(window // 16, -(-len(pcm) // _FRAMES))
    waves = np.pad(pcm.astype(np.float32) / np.float32(32768), (0, max(0, window - len(pcm))))
    bank = mel(sr=rate, n_fft=window, n_mels=_BANDS, fmax=rate / 2)
    power = bank @ _power(waves, window, hop).T
    loudest = max(float(power.max()), _SMALLEST)
    levels = np.maximum(10 * np.log10(np.maximum(power, _SMALLEST) / loudest), -_RANGE)
    bands = mel_frequencies(_BANDS + 2, fmax=rate / 2)[1:-1]
    edges = np.interp(TICKS, bands, (np.arange(_BANDS) + 0.5) / _BANDS)
    ticks = tuple(
        (hertz, round(float(at), 3)) for hertz, at in zip(TICKS, edges, strict=True) if hertz < bands[-1]
    )
    return (levels / _RANGE + 1).astype(np.float32), ticks


def _power(waves: npt.NDArray[np.floating], window: int, hop: int) -> npt.NDArray[np.float32]:
    """Of frames that are centred on each multiple of `hop`, under a Hann window, (frames, bins)."""
    padded = np.pad(waves, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power: npt.NDArray[np.float32] = np.square(np.abs(np.fft.rfft(frames * hann))).astype(np.float32)
    return power


def _picture(levels: npt.NDArray[np.float32]) -> bytes:
    import matplotlib
    from PIL import Image

    colours = matplotlib.colormaps["magma"](levels[::-1], bytes=True)[..., :3]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(colours)).save(buffer, format="WEBP", quality=_QUALITY, method=6)
    return buffer.getvalue()
