"""A clip as text: its waveform and its log-mel spectrogram in characters, in colour where that is wanted."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from captionstew.audio.codec import Pcm
from captionstew.cli.spectrum import LOWEST, envelope, hertz, log_mel, mel

_EIGHTHS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_SHADES = " \u2591\u2592\u2593\u2588"
_HALF = "\u2580"  # its upper half has the letter's colour, its lower half the ground's
_FLOOR = -54.0  # dBFS; below it the waveform is empty
_RANGE = 60.0  # dB below the loudest that the spectrogram shows, or less where a noise fills the ground
_MARGIN = 9  # characters before the picture: what its rows mean
_WAVE_ROWS, _MEL_ROWS = 3, 14
# From black over violet and red to light yellow, as far as 256 colours go: equal steps look equal.
_COLOURS = (16, 233, 53, 90, 126, 162, 161, 197, 203, 209, 215, 222, 229)


def picture(pcm: Pcm, rate: int, width: int, *, coloured: bool) -> list[str]:
    """The lines of a picture that is `width` characters wide: waveform, spectrogram, time."""
    columns = max(16, width - _MARGIN - 1)
    return [
        *_waveform(pcm, columns),
        "",
        *_spectrogram(pcm, rate, columns, coloured),
        *_time(len(pcm) / rate, columns),
    ]


def _waveform(pcm: Pcm, columns: int) -> Iterator[str]:
    step = _FLOOR / _WAVE_ROWS
    for number, row in enumerate(_bars(pcm, columns)):
        yield f"{f'{step * number:.0f} dB' if number else '0 dB':>{_MARGIN - 1}} {row}".rstrip()


def _bars(pcm: Pcm, columns: int) -> Iterator[str]:
    """Rows of blocks, the highest first."""
    height = np.clip((envelope(pcm, columns) - _FLOOR) / -_FLOOR, 0, 1) * _WAVE_ROWS * 8
    for row in reversed(range(_WAVE_ROWS)):
        levels = np.clip(np.ceil(height - row * 8), 0, 8).astype(int)
        yield "".join(_EIGHTHS[level] for level in levels)


def _spectrogram(pcm: Pcm, rate: int, columns: int, coloured: bool) -> Iterator[str]:
    num_mels = 2 * _MEL_ROWS if coloured else _MEL_ROWS
    bands = log_mel(pcm, rate, num_mels, columns)[::-1]
    top = float(bands.max())
    floor = max(top - _RANGE, min(top - 20, float(np.percentile(bands, 10))))
    level = np.clip((bands - floor) / (top - floor), 0, 1)
    rows = _in_colour(level) if coloured else _in_shades(level)
    edges = np.linspace(mel(rate / 2), mel(LOWEST), _MEL_ROWS + 1)
    middles = hertz((edges[:-1] + edges[1:]) / 2)
    for number, row in enumerate(rows):
        label = _frequency(float(middles[number])) if number % 4 == 1 else ""
        yield f"{label:>{_MARGIN - 1}} {row}" if coloured else f"{label:>{_MARGIN - 1}} {row}".rstrip()


def _in_shades(level: npt.NDArray[np.float32]) -> Iterator[str]:
    places = (level * len(_SHADES)).astype(int).clip(max=len(_SHADES) - 1)
    for row in places:
        yield "".join(_SHADES[place] for place in row)


def _in_colour(level: npt.NDArray[np.float32]) -> Iterator[str]:
    """Two bands to a row; a colour is only named where it changes."""
    places = (level * len(_COLOURS)).astype(int).clip(max=len(_COLOURS) - 1)
    for upper, lower in zip(places[::2], places[1::2], strict=True):
        parts, before = [], (-1, -1)
        for pair in zip(upper.tolist(), lower.tolist(), strict=True):
            if pair != before:
                parts.append(f"\x1b[38;5;{_COLOURS[pair[0]]};48;5;{_COLOURS[pair[1]]}m")
            parts.append(_HALF)
            before = pair
        yield "".join(parts) + "\x1b[0m"


def _time(seconds: float, columns: int) -> Iterator[str]:
    """The times at the beginning, the middle and the end."""
    middle, end = f"{seconds / 2:.2f}", f"{seconds:.2f} s"
    left = columns // 2 - len(middle) // 2
    yield " " * _MARGIN + f"0{middle.rjust(left + len(middle) - 1)}{end.rjust(columns - left - len(middle))}"


def _frequency(number: float) -> str:
    return f"{number / 1000:.1f} kHz" if number >= 1000 else f"{round(number, -1):.0f} Hz"
