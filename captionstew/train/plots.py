"""The curves of a run as one page of small panels, PNG and SVG."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from captionstew.errors import StewError
from captionstew.shards.atomic import replacing
from captionstew.train.metrics import METRICS, Row, read_metrics
from captionstew.train.panels import GREY, STYLE, Array, Curve, Panel, draw_panel, short, words

_PANELS = (
    (r"loss(?!_scale)|(^|/)chance$", Panel("Loss", log=False)),
    (r"(^|contrastive/)(audio_to_text|text_to_audio)$", Panel("Right in the batch", log=False)),
    (r"r@\d|recall", Panel("Retrieval", "share found among the first k", log=False, smooth=False)),
    (r"(^|[^a-z])(rate|lr)([^a-z]|$)", Panel("Learning rate", log=False, smooth=False)),
    (r"grad.*norm", Panel("Gradient norm", log=True)),
    (r"throughput", Panel("Throughput", "audio seconds per second", log=False, smooth=False)),
)
_HOURS = "audio_hours"
_UNSHOWN = {_HOURS, "epoch", "mean_rank"}  # the first stands in the head, the others say little
_WIDTH, _HEAD, _LARGE, _SMALL = 11.0, 0.62, 2.2, 1.7  # inches


def plot(folder: Path) -> tuple[Path, Path]:
    """`curves.png` and `curves.svg` in a run folder show all that its `metrics.jsonl` holds."""
    path = folder / METRICS
    rows = list(read_metrics(path)) if path.exists() else []
    if not any(row.values for row in rows):
        raise StewError("nothing has been logged yet", where=str(path), hint="let the run make a few steps")
    paths = folder / "curves.png", folder / "curves.svg"
    with matplotlib.rc_context(dict(STYLE)):
        figure = draw(rows, title=folder.resolve().name)
        for target in paths:
            metadata = {"Date": None} if target.suffix == ".svg" else None
            with replacing(target) as temporary:
                figure.savefig(temporary, format=target.suffix[1:], dpi=160, metadata=metadata)
    return paths


def draw(rows: Iterable[Row], title: str) -> Figure:
    """All curves: loss first, panels two abreast; below, small and three abreast, those of no known kind."""
    curves = _curves(rows)
    last = max(int(steps[-1]) for steps, _ in curves.values())
    subtitle = f"{last:,} steps"
    if _HOURS in curves:
        subtitle += f" · {short(curves[_HOURS][1][-1])} hours of audio"
    large, small = _arrange(
        {name: curve for name, curve in curves.items() if name.rpartition("/")[2] not in _UNSHOWN}
    )
    num_large, num_small = -(-len(large) // 2), -(-len(small) // 3)
    height = _HEAD + _LARGE * num_large + _SMALL * num_small
    figure = Figure(figsize=(_WIDTH, height))
    FigureCanvasAgg(figure)
    figure.text(0.06, 1 - 0.32 / height, title, fontsize=13, weight="bold", va="center")
    figure.text(0.985, 1 - 0.32 / height, subtitle, color=GREY, va="center", ha="right")
    top = height - _HEAD
    for panels, columns, tall in ((large, 2, _LARGE), (small, 3, _SMALL)):
        for place, (panel, names) in enumerate(panels.items()):
            row, column = divmod(place, columns)
            left = (0.66 + column * (_WIDTH - 0.2) / columns) / _WIDTH
            bottom = (top - tall * (row + 1) + 0.42) / height
            size = (_WIDTH / columns - (2.2 if tall == _LARGE else 1.85)) / _WIDTH, (tall - 0.82) / height
            axes = figure.add_axes((left, bottom, *size))
            draw_panel(axes, panel, {name: curves[name] for name in names}, last)
        top -= tall * -(-len(panels) // columns)
    return figure


def _curves(rows: Iterable[Row]) -> dict[str, Curve]:
    """Steps and values by name; values that are no finite number leave a gap."""
    points: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        for name, value in row.values.items():
            points[name].append((row.step, value))
    arrays = {name: np.array(sorted(pairs), dtype=float).T for name, pairs in points.items()}
    return {
        name: (steps, np.where(np.isfinite(values), values, np.nan))
        for name, (steps, values) in arrays.items()
    }


def _arrange(curves: Mapping[str, Curve]) -> tuple[dict[Panel, list[str]], dict[Panel, list[str]]]:
    """Panels of known kinds in their order, and the others, with the names of their curves.

    A curve of no known kind shares a panel with those of the same last name, unless it never changes.
    """
    known: dict[Panel, list[str]] = {panel: [] for _, panel in _PANELS}
    others: dict[Panel, list[str]] = {}
    for name, (_, values) in curves.items():
        panel = next((panel for pattern, panel in _PANELS if re.search(pattern, name.lower())), None)
        if panel is not None:
            known[panel].append(name)
        elif _varies(values):
            others.setdefault(Panel(words(name.rpartition("/")[2]).capitalize()), []).append(name)
    return {panel: names for panel, names in known.items() if names}, others


def _varies(values: Array) -> bool:
    finite = values[np.isfinite(values)]
    return len(finite) > 1 and bool(np.ptp(finite) > 0)
