"""A clip as a picture: waveform and log-mel spectrogram with their axes."""

import io
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from captionstew.audio.codec import Pcm
from captionstew.cli.console import visible
from captionstew.cli.extras import bringing
from captionstew.cli.spectrum import LOWEST, hertz, log_mel, mel
from captionstew.errors import StewError
from captionstew.shards.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES, _DOTS = (10.0, 5.4), 150
_MELS, _COLUMNS = 128, 1200
_RANGE = 80.0  # dB
_TICKS = (100, 250, 500, 1000, 2000, 4000, 8000, 16_000)  # Hz
_INK, _WAVE = "#222222", "#2b5c8a"


def write_png(path: Path, pcm: Pcm, row: Mapping[str, Any]) -> None:
    """The file at `path` shows the clip of this row; StewError if matplotlib is not here."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise StewError("--png needs matplotlib", cause=str(error), hint=bringing("report")) from None
    figure = Figure(figsize=_INCHES, dpi=_DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    _draw(figure, pcm, row)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_bytes(path, buffer.getvalue(), "--png")


def _draw(figure: "Figure", pcm: Pcm, row: Mapping[str, Any]) -> None:
    rate, seconds = int(row["sample_rate"]), len(pcm) / int(row["sample_rate"])
    axes = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2.6))
    _waveform(axes[0], pcm, seconds)
    bands = _spectrogram(axes[1], pcm, rate, seconds)
    bar = figure.colorbar(bands, ax=axes[1], pad=0.01, fraction=0.03)
    bar.set_label("dB", color=_INK)
    bar.ax.tick_params(colors=_INK, labelsize=8)
    bar.outline.set_visible(False)
    figure.suptitle(_title(row), x=0.01, ha="left", fontsize=10, color=_INK, parse_math=False)


def _waveform(axes: "Axes", pcm: Pcm, seconds: float) -> None:
    """The lowest and highest sample of each stretch."""
    edges = np.linspace(0, len(pcm), _COLUMNS + 1).astype(int)
    parts = [pcm[a : max(b, a + 1)] for a, b in pairwise(edges)]
    low, high = (np.array([one(part, initial=0) for part in parts]) / 32768 for one in (np.min, np.max))
    axes.fill_between(np.linspace(0, seconds, _COLUMNS), low, high, color=_WAVE, linewidth=0.4)
    most = max(float(np.abs([low, high]).max()), 1e-3)
    axes.set_ylim(-1.08 * most, 1.08 * most)
    axes.axhline(0, color=_INK, linewidth=0.4)
    axes.set_ylabel("amplitude", color=_INK)
    axes.tick_params(colors=_INK, labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _spectrogram(axes: "Axes", pcm: Pcm, rate: int, seconds: float) -> Any:
    """The bands from the lowest, whose height is even in mel; what was drawn."""
    width = min(_COLUMNS, max(1, round(seconds * 100)))
    bands = log_mel(pcm, rate, _MELS, width)
    top = float(bands.max())
    low, high = (float(mel(frequency)) for frequency in (LOWEST, rate / 2))
    drawn = axes.imshow(
        bands, origin="lower", aspect="auto", cmap="magma", vmin=top - _RANGE, vmax=top,
        extent=(0, seconds, low, high), interpolation="nearest",
    )  # fmt: skip
    ticks = [tick for tick in _TICKS if tick <= rate / 2 and LOWEST < tick < hertz(high) + 1]
    axes.set_yticks([float(mel(tick)) for tick in ticks], [f"{tick / 1000:g}" for tick in ticks])
    axes.set_ylabel("frequency (kHz, mel scale)", color=_INK)
    axes.set_xlabel("time (s)", color=_INK)
    axes.set_xlim(0, seconds)
    axes.tick_params(colors=_INK, labelsize=8)
    return drawn


def _title(row: Mapping[str, Any]) -> str:
    """The id, and the first caption in two lines at most."""
    first = f"{row['clip_id']} \u00b7 {row['corpus']} \u00b7 {row['split']}"
    captions = [visible(caption["text"]) for caption in row["captions"][:1]]
    lines = textwrap.wrap(captions[0], 130) if captions else []
    more = (
        [*lines[:1], textwrap.shorten(" ".join(lines[1:]), 130, placeholder=" ...")] if lines[1:] else lines
    )
    return "\n".join([visible(first), *more])
