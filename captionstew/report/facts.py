"""Numbers that only the report has: lengths, lists of ids, what a build took."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from captionstew.enrich.guard import KEPT
from captionstew.pipeline.ledger import Entry
from captionstew.report.source import Source

LISTED = 20  # ids or texts of a kind
_BINS = 36


@dataclass(frozen=True)
class Quantiles:
    """Of some values; zeros where there are none."""

    least: float = 0.0
    p5: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    most: float = 0.0
    mean: float = 0.0


def quantiles(values: npt.NDArray[np.floating]) -> Quantiles:
    """Least, 5 %, half, 95 %, most and mean of these values; each but the mean is one of them."""
    if not len(values):
        return Quantiles()
    found = np.quantile(values, (0, 0.05, 0.5, 0.95, 1), method="lower")
    least, p5, p50, p95, most = (float(value) for value in found)
    return Quantiles(least, p5, p50, p95, most, float(np.mean(values, dtype=np.float64)))


def spread(counts: Mapping[int, int]) -> Quantiles:
    """The same of values that were counted."""
    if not counts:
        return Quantiles()
    values = np.array(sorted(counts), float)
    numbers = np.array([counts[int(value)] for value in values])
    below = np.cumsum(numbers)
    shares = (0, 0.05, 0.5, 0.95, 1)
    places = (values[np.searchsorted(below, max(1, np.ceil(share * below[-1])))] for share in shares)
    least, p5, p50, p95, most = (float(value) for value in places)
    return Quantiles(least, p5, p50, p95, most, float(values @ numbers / below[-1]))


def length_edges(several: Iterable[npt.NDArray[np.floating]]) -> list[float]:
    """Edges of bins (s), evenly spaced on a log axis, that hold all of these lengths."""
    parts = [values for values in several if len(values)]
    low = min((float(values.min()) for values in parts), default=1.0)
    high = max((float(values.max()) for values in parts), default=10.0)
    low, high = max(0.05, low * 0.9), max(high * 1.1, low * 3)
    return [float(edge) for edge in np.geomspace(low, high, _BINS + 1)]


def binned(values: npt.NDArray[np.floating], edges: Sequence[float]) -> list[int]:
    """How many values are in each bin."""
    return [int(number) for number in np.histogram(values, edges)[0]]


def words_binned(lengths: Mapping[int, int], most: int) -> list[int]:
    """Captions by their words, 0 to `most`; those beyond are in the last."""
    counts = [0] * (most + 1)
    for length, number in lengths.items():
        counts[min(length, most)] += number
    return counts


@dataclass(frozen=True)
class Gone:
    """Some of the clips of a corpus that a stage dropped for a reason, evenly spread over their ids."""

    clips: int
    listed: tuple[tuple[str, str], ...]  # id, detail


def gone(source: Source) -> dict[tuple[str, str, str], Gone]:
    """By corpus, stage and reason; nothing where the ids of what was dropped are not here."""
    found: dict[tuple[str, str, str], Gone] = {}
    for path in sorted(source.folder.glob("drops/*/*.parquet")):
        counts = pl.scan_parquet(path).group_by("reason").len().collect(engine="streaming")
        for reason, number in sorted(counts.iter_rows()):
            found[path.stem, path.parent.name, reason] = Gone(number, _some(path, reason, number))
    return found


def _some(path: Path, reason: str, number: int) -> tuple[tuple[str, str], ...]:
    rows = (
        pl.scan_parquet(path).filter(pl.col("reason") == reason).select("clip_id", "detail").with_row_index()
    )
    step = -(-number // LISTED)
    few = rows.filter(pl.col("index") % step == 0).select("clip_id", pl.col("detail").fill_null(""))
    return tuple(few.collect(engine="streaming").iter_rows())


@dataclass(frozen=True)
class Rejected:
    """A generated caption that the guard did not let pass."""

    clip_id: str
    reason: str
    detail: str
    text: str
    prompt: str
    model: str


@dataclass(frozen=True)
class Verdicts:
    """How many generated captions had which verdict, and some of the rejected of each."""

    counts: Mapping[str, int] = field(default_factory=dict)  # the most frequent first
    rejected: Mapping[str, tuple[Rejected, ...]] = field(default_factory=dict)


def verdicts(source: Source) -> Verdicts:
    """Of the last attempt at each caption; nothing where there was no enrichment, or its provenance is not here."""
    if source.provenance is None:
        return Verdicts()
    table = pl.scan_parquet(source.provenance)
    counts = dict(table.group_by("verdict").len().collect(engine="streaming").iter_rows())
    ordered = dict(
        sorted(((name or "failed", n) for name, n in counts.items()), key=lambda one: (-one[1], one[0]))
    )
    return Verdicts(
        ordered, {reason: _rejected(table, reason, ordered[reason]) for reason in ordered if reason != KEPT}
    )


def _rejected(table: pl.LazyFrame, reason: str, number: int) -> tuple[Rejected, ...]:
    names = ("clip_id", "verdict", "detail", "text", "prompt", "model")
    rows = table.filter(pl.col("verdict") == reason).select(names).with_row_index()
    step = -(-number // LISTED)
    few = rows.filter(pl.col("index") % step == 0).drop("index").collect(engine="streaming")
    return tuple(Rejected(*(value or "" for value in row)) for row in few.iter_rows())


@dataclass(frozen=True)
class Work:
    """What one stage took, over all of its pieces."""

    stage: str
    pieces: int
    received: int
    kept: int
    seconds: float


def work(entries: Iterable[Entry]) -> tuple[Work, ...]:
    """Stage by stage, in the order in which they were first done."""
    found: dict[str, Work] = {}
    for entry in entries:
        before = found.get(entry.stage, Work(entry.stage, 0, 0, 0, 0.0))
        # The audio pass settles its tables after its pieces have done the work: the same clips once more.
        again = ".." in entry.stage and entry.shard == "all"
        found[entry.stage] = Work(
            entry.stage,
            before.pieces + (not again),
            before.received + entry.received * (not again),
            before.kept + entry.kept * (not again),
            round(before.seconds + entry.seconds, 3),
        )
    return tuple(found.values())
