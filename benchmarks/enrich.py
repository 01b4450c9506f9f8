"""What enrichment costs beside the model: rows per second through the stage with an engine that answers at once.

`python -m benchmarks.enrich` prints one line for each size: wall and processor time, and the memory at the peak. Each
size runs in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from captionstew.corpora.rows import EVENTS
from captionstew.enrich.engine import Answer, Ask, Engine
from captionstew.pipeline.stage import Context, Tables
from captionstew.stages.enrich import Enrich

SIZES = (10_000, 100_000, 1_000_000)
_PIECE = 100_000  # rows that are made at a time
_TEXT = "A dog keeps on barking while rain falls on a roof."


class Instant(Engine):
    """Every ask has its answer before it could be sent."""

    model, revision = "instant", "1"

    def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        """In the order of the asks."""
        for ask in asks:
            yield Answer(ask.key, _TEXT, "stop", None, 350, 12)


@dataclass(frozen=True)
class Instantly(Enrich):
    """The stage with that engine."""

    def engine(self) -> Engine:
        """It holds nothing."""
        return Instant()


def made(folder: Path, count: int) -> Tables:
    """Clips with a caption of their own and three events, as the stages before leave them."""
    (folder / "clips").mkdir()
    (folder / "captions").mkdir()
    events = [
        {"label": "Dog", "score": 0.9},
        {"label": "Rain", "score": 0.7},
        {"label": "Thunder", "score": 0.2},
    ]
    for first in range(0, count, _PIECE):
        numbers = pl.DataFrame(
            {"rank": pl.arange(first, min(first + _PIECE, count), dtype=pl.UInt64, eager=True)}
        )
        text = pl.col("rank").cast(pl.String)
        clips = numbers.with_columns(
            clip_id="yt:" + text, corpus=pl.lit("a"), split=pl.lit("train"), domain=pl.lit("sound"),
            events=pl.lit(events, dtype=EVENTS), tags=pl.lit([], dtype=pl.List(pl.String)),
            transcript=pl.lit(None, dtype=pl.String),
        )  # fmt: skip
        captions = numbers.with_columns(
            origin="rank", place=pl.lit(0, dtype=pl.UInt16), text="A dog barks in the rain, take " + text,
            source=pl.lit("a"), style=pl.lit("human"), model=pl.lit(None, dtype=pl.String),
            prompt=pl.lit(None, dtype=pl.String), language=pl.lit("en"),
        )  # fmt: skip
        clips.write_parquet(folder / "clips" / f"{first:08}.parquet")
        captions.write_parquet(folder / "captions" / f"{first:08}.parquet")
    return Tables(pl.scan_parquet(folder / "clips"), pl.scan_parquet(folder / "captions"))


def child(count: int, work: str | None) -> None:
    """Run the stage once, and print its line."""
    stage = Instantly(endpoint="instant", model="instant", prompts=("flap",), own_seeds=True)
    with TemporaryDirectory(dir=work) as name:  # what is read or imported once is so in any build
        folder = Path(name)
        stage(made(folder, 64), Context((), {}, work=folder / "work"))
    with TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        tables = made(folder, count)
        context = Context((), {}, work=folder / "work")
        began, used = time.perf_counter(), time.process_time()
        out = stage(tables, context)
        wall, processor = time.perf_counter() - began, time.process_time() - used
        (row,) = out.tally.enrichment
        assert row.asked == row.passed == count, row
        again = time.perf_counter()
        stage(tables, context)
        again = time.perf_counter() - again
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)
    numbers = (f"{count:,}", f"{wall:.1f}", f"{count / wall:,.0f}", f"{1e6 * processor / count:.0f}",
               f"{count / again:,.0f}", f"{peak:,.0f}")  # fmt: skip
    print("| " + " | ".join(numbers) + " |", flush=True)


def main() -> None:
    """A line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--work", help="where the tables lie; the system's own place if not said")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.work)
        return
    print("| rows | seconds | rows/s | us of processor per row | rows/s again | MB at the peak |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for count in arguments.rows:
        place = ["--work", arguments.work] if arguments.work else []
        command = [sys.executable, "-m", "benchmarks.enrich", "--child", str(count), *place]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
